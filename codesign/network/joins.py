"""Tensors that meet: whose steps should be equal, or powers of two apart, and why.

Tensors that are added or put behind one another have to be brought to one scale. Where they have
it from the start that costs nothing, and where they are powers of two apart it costs a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.concat import Concat
from codesign.network.ops.table import Table

_WORTHWHILE = 4.0
"""A part of a concatenation that others read as well gives up two bits for a common step."""


def is_free(node: Node) -> bool:
    """Whether a node's output can have any scale: it is requantised, or looked up."""
    return node.multiplier_bits > 0 or isinstance(node.op, Table)


def makers(graph: Graph) -> dict[str, str]:
    """Return, for the input and every node, the tensor whose integers it passes on unchanged."""
    found = {INPUT: INPUT}
    for node in graph:
        passes = node.op.passes and not node.multiplier_bits
        found[node.name] = found[node.inputs[0]] if passes else node.name
    return found


def families(graph: Graph) -> dict[str, str]:
    """Return a common name for all tensors that meet, directly or through others.

    The integers of a join that is not requantised belong to the family as well.
    """
    made_by = makers(graph)
    family = {name: name for name in made_by.values()}
    for node in graph:
        if node.op.rescales:
            meeting = {made_by[name] for name in node.inputs}
            meeting |= set() if node.multiplier_bits else {node.name}
            names = {family[name] for name in meeting}
            family = {n: min(names) if own in names else own for n, own in family.items()}
    return {name: family[maker] for name, maker in made_by.items()}


def leaders(graph: Graph, wanted: Mapping[str, float]) -> dict[str, str]:
    """Return the tensor that decides the step of each tensor: itself, or one it is joined with.

    In a sum, a step finer than that of the other summand is of no use but to others who read the
    tensor. The parts of a concatenation, and what it makes, have one step if they have equally
    many bits and none that others read is much finer. A tensor that is always zero takes the step
    of what it meets.

    Args:
        graph: the network.
        wanted: the steps that the input and free tensors would choose alone; those that are
            always zero are not in it.
    """
    meetings = _meetings(graph)
    chosen = {name: name for name in wanted}

    def step(name: str) -> float:
        return wanted[chosen[name]]

    before: dict[str, str] = {}
    while chosen != before:
        before = dict(chosen)
        for meeting in meetings:
            known = [name for name in meeting.tensors if name in chosen]
            for name, slack in meeting.slack.items() if known else ():
                first = max(known, key=step)
                if name not in chosen or step(name) < step(first) <= step(name) * slack:
                    chosen[name] = chosen[first]
    return chosen


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Tensors that meet in one join, and those that can have any step.

    `slack` says how much coarser a free one may get to have that of the others.
    """

    tensors: tuple[str, ...]
    slack: Mapping[str, float]


def _meetings(graph: Graph) -> list[_Meeting]:
    made_by = makers(graph)
    only_joined = _read_by_joins_alone(graph, made_by)
    found = []
    for node in graph:
        tensors = tuple(made_by[name] for name in node.inputs)
        if isinstance(node.op, Concat):
            found += _meetings_of_parts(graph, node, tensors, only_joined)
        elif node.op.rescales:
            free = [name for name in tensors if _decides(graph, name)]
            slack = {name: inf if name in only_joined else 1.0 for name in free}
            found.append(_Meeting(tensors, slack))
    return found


def _meetings_of_parts(
    graph: Graph, node: Node, parts: tuple[str, ...], only_joined: set[str]
) -> list[_Meeting]:
    """Return the parts of a concatenation, and what it makes, by their bits."""
    tensors = (*parts, node.name)
    # what is requantised loses the finer steps of its parts anyway
    lost = {node.name} | only_joined if is_free(node) else set()
    slack = {n: inf if n in lost else _WORTHWHILE for n in tensors if _decides(graph, n)}
    groups = []
    for bits in {graph.tensor(name).bits for name in tensors}:
        alike = tuple(name for name in tensors if graph.tensor(name).bits == bits)
        groups.append(_Meeting(alike, {n: slack[n] for n in alike if n in slack}))
    return groups


def _decides(graph: Graph, name: str) -> bool:
    return name != INPUT and is_free(graph[name])


def _read_by_joins_alone(graph: Graph, made_by: Mapping[str, str]) -> set[str]:
    """Return the tensors that, passed on or not, only joins read."""
    read_otherwise = {made_by[name] for name in graph.outputs}
    for node in graph:
        if not node.op.rescales and made_by[node.name] == node.name:
            read_otherwise |= {made_by[name] for name in node.inputs}
    return set(made_by.values()) - read_otherwise
