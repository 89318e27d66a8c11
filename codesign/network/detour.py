"""Where two networks part, and where they are the same again.

Of two points that differ in one choice, the networks mostly have their beginning and their end in
common. So what the choice is worth can be seen at one tensor: behind it nothing differs.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields

from codesign.network.floats import rectifies
from codesign.network.graph import INPUT, Graph, Node

ANSWER = ("", 0)
"""Stands among the readers for the answer of the network."""
_WIDTHS = frozenset({"bits", "domain", "image"})
"""Fields of operators that do not change what is computed in real numbers."""


@dataclass(frozen=True, slots=True)
class Detour:
    """How another network gets from what both begin with to what both end with."""

    start: int
    """So many nodes both begin with."""
    leaves: str
    """The tensor of this network behind which both are the same."""
    arrives: str
    """The tensor of the other network that stands for it; both have one shape."""
    readers: frozenset[tuple[str, int]]
    """Nodes of this network, and which of their inputs, that read it behind the detour."""


def detour(own: Graph, other: Graph) -> Detour | None:
    """Return how another network differs from this one; None where real numbers do not tell.

    The nodes that both end with are as many as possible: none where only the answers correspond.
    """
    start = _beginning(own, other)
    if start == len(own.nodes) == len(other.nodes):
        return None
    ending = _ending(own, other, start)
    found = (_meeting(own, other, start, count) for count in range(ending, 0, -1))
    last = Detour(start, own.outputs[0], other.outputs[0], frozenset({ANSWER}))
    return next((meeting for meeting in found if meeting is not None), last)


def _beginning(own: Graph, other: Graph) -> int:
    """Return how many nodes both begin with, by the same names."""
    pairs = zip(own.nodes, other.nodes, strict=False)
    for count, (a, b) in enumerate(pairs):
        if (a.name, a.inputs, _meaning(a)) != (b.name, b.inputs, _meaning(b)):
            return count
    return min(len(own.nodes), len(other.nodes))


def _ending(own: Graph, other: Graph, start: int) -> int:
    """Return how many nodes of both are alike from the end, whatever they read."""
    pairs = zip(reversed(own.nodes[start:]), reversed(other.nodes[start:]), strict=False)
    for count, (a, b) in enumerate(pairs):
        if _meaning(a) != _meaning(b):
            return count
    return min(len(own.nodes), len(other.nodes)) - start


def _meeting(own: Graph, other: Graph, start: int, count: int) -> Detour | None:
    """Return the detour if the last nodes read one and the same thing of what differs."""
    begin = {INPUT, *(node.name for node in own.nodes[:start])}
    places = [{n.name: i for i, n in enumerate(graph.nodes[-count:])} for graph in (own, other)]
    met: set[tuple[str, str]] = set()
    readers: set[tuple[str, int]] = set()
    for mine, theirs in zip(own.nodes[-count:], other.nodes[-count:], strict=True):
        for port, (a, b) in enumerate(zip(mine.inputs, theirs.inputs, strict=True)):
            within = places[0].get(a), places[1].get(b)
            if within[0] != within[1]:
                return None
            if within[0] is None and not (a == b and a in begin):
                met.add((a, b))
                readers.add((mine.name, port))
    if len(met) != 1:
        return None
    ((leaves, arrives),) = met
    if own.tensor(leaves).shape != other.tensor(arrives).shape:
        return None
    return Detour(start, leaves, arrives, frozenset(readers))


def _meaning(node: Node) -> Hashable:
    """Return what a node computes in real numbers, but for its weights."""
    own = [getattr(node.op, f.name) for f in fields(node.op) if f.name not in _WIDTHS]  # type: ignore[arg-type]
    return type(node.op), *own, len(node.inputs), node.output.shape, rectifies(node)
