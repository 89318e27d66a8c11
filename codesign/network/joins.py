"""Tensors that meet: whose steps should be equal, or powers of two apart, and why.

Tensors that are added or put behind one another have to be brought to one scale. Where they have
it from the start that costs nothing, and where they are powers of two apart it costs a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.concat import Concat
from codesign.network.ops.table import Table

_FINEST_SHARE = 2.0**-10
"""No step is finer than that of what it is joined with by more: eight bits are then below it."""


@dataclass(frozen=True, slots=True)
class Leader:
    """A tensor takes `share` times the step that was chosen for `name`."""

    name: str
    share: float = 1.0


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


def leaders(graph: Graph, wanted: Mapping[str, float]) -> dict[str, Leader]:
    """Return who decides the step of each tensor: itself, or one that it is joined with.

    A step finer than that of the other summand adds nothing to the sum; only a tensor that
    others read, too, keeps it. The parts of a concatenation, and what it makes, have one step if
    they have equally many bits. A tensor that is always zero takes the step of what it meets.

    Args:
        graph: the network.
        wanted: the steps that the input and free tensors would choose alone; those that are
            always zero are not in it.
    """
    meetings = _meetings(graph)
    chosen = {name: Leader(name) for name in wanted}

    def step(leader: Leader) -> float:
        return wanted[leader.name] * leader.share

    before: dict[str, Leader] = {}
    while chosen != before:
        before = dict(chosen)
        for meeting in meetings:
            known = [chosen[name] for name in meeting.tensors if name in chosen]
            for name in meeting.free if known else ():
                first = max(known, key=step)
                if name not in meeting.equal and name in chosen:
                    first = replace(first, share=first.share * _FINEST_SHARE)
                if name not in chosen or step(first) > step(chosen[name]):
                    chosen[name] = first
    return chosen


@dataclass(frozen=True, slots=True)
class _Meeting:
    """Tensors that meet in one join; some can have any step, and some of these have one."""

    tensors: tuple[str, ...]
    free: tuple[str, ...]
    equal: tuple[str, ...]


def _meetings(graph: Graph) -> list[_Meeting]:
    made_by = makers(graph)
    only_joined = _read_by_joins_alone(graph, made_by)
    found = []
    for node in graph:
        if not node.op.rescales:
            continue
        tensors = [made_by[name] for name in node.inputs]
        equal = [name for name in tensors if name in only_joined]
        if isinstance(node.op, Concat):
            bits = graph.tensor(tensors[0]).bits
            tensors.append(node.name)
            equal = [name for name in tensors if graph.tensor(name).bits == bits]
        free = [name for name in tensors if name != INPUT and is_free(graph[name])]
        found.append(_Meeting(tuple(tensors), tuple(free), tuple(equal)))
    return found


def _read_by_joins_alone(graph: Graph, made_by: Mapping[str, str]) -> set[str]:
    """Return the tensors that, passed on or not, only joins read."""
    read_otherwise = {made_by[name] for name in graph.outputs}
    for node in graph:
        if not node.op.rescales and made_by[node.name] == node.name:
            read_otherwise |= {made_by[name] for name in node.inputs}
    return set(made_by.values()) - read_otherwise
