"""What each layer can be built as: the options among which `fit` chooses.

An option is an engine with its knobs, its cycles and its resources after implementation. All
options of a layer are priced in one call; of those with the same stream widths and the same
cycles only the Pareto set in the five resources is kept, which loses no optimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.cost import latency, resources
from codesign.cost.operators import Cost
from codesign.cost.resources import Usage
from codesign.design import MIN_FIFO_DEPTH
from codesign.errors import InputError
from codesign.hardware.board import RESOURCES
from codesign.hardware.process import Process
from codesign.hardware.processes.fork import Fork
from codesign.hardware.processes.resize import Resize
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.load import member, names
from codesign.network.graph import Graph, Node
from codesign.network.tensor import Tensor
from codesign.space import Value

Costs = NDArray[np.float64]
"""`[points, resources]`, in the order of `RESOURCES`, after implementation."""


@dataclass(frozen=True, slots=True)
class Options:
    """The engines among which one layer may choose; every array has an entry per option."""

    node: Node
    inputs: tuple[Tensor, ...]
    template: type[HardwareTemplate]
    points: tuple[Mapping[str, Value], ...]
    cycles: NDArray[np.int64]
    costs: Costs
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]
    silence: NDArray[np.int64]
    """Longest run of cycles in which the engine takes no input."""

    def engine(self, number: int) -> HardwareTemplate:
        """Return option `number` as an engine."""
        knobs: dict[str, Count] = dict(self.points[number])  # type: ignore[arg-type]
        return self.template.of(self.node, self.inputs, knobs)


def unbuildable(graph: Graph) -> dict[str, str]:
    """Return by node what hardware templates lack for it; empty if all can be built."""
    found = {node.name: _template_or_lack(node, graph.inputs(node)) for node in graph}
    return {name: lack for name, lack in found.items() if isinstance(lack, str)}


def check_buildable(graph: Graph) -> None:
    """Refuse a network that needs engines which no template makes.

    Raises:
        InputError: names every such layer.
    """
    reasons = [f"{name} needs {lack}" for name, lack in unbuildable(graph).items()]
    if reasons:
        problem = f"no hardware template for: {'; '.join(reasons)}"
        remedy = "its integers can be computed, quantised and exported, but not built yet"
        raise InputError(graph.name, problem, remedy)


def options(graph: Graph, node: Node) -> Options:
    """Return the undominated engines of one layer, which a template can build."""
    inputs = graph.inputs(node)
    template = template_of(node, inputs)
    space = template.space(node, inputs)
    readers = graph.takers(node.name)
    priced = [_priced(engine, points, readers) for points, engine in template.every(node, inputs)]
    every = _Priced(*(np.concatenate(column) for column in zip(*map(astuple, priced), strict=True)))
    keys = np.stack((every.cycles, every.input_lanes, every.output_lanes), axis=1)
    kept = _undominated(keys, every.costs, every.legal)
    return Options(
        node=node,
        inputs=inputs,
        template=template,
        points=tuple(space.at(int(number)) for number in kept),
        cycles=every.cycles[kept],
        costs=every.costs[kept],
        input_lanes=every.input_lanes[kept],
        output_lanes=every.output_lanes[kept],
        silence=every.silence[kept],
    )


@dataclass(frozen=True, slots=True)
class _Priced:
    """What `Options` says of engines before any is left out; arrays have an entry per point."""

    cycles: NDArray[np.int64]
    costs: Costs
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]
    silence: NDArray[np.int64]
    legal: NDArray[np.bool_]


def _priced(engine: HardwareTemplate, points: int, readers: int) -> _Priced:
    """Return an engine that stands for `points`, with the forks that `readers` need."""
    processes = engine.processes()
    cycles, costs = price(processes, points)
    return _Priced(
        cycles=cycles,
        costs=costs + fork_costs(engine.node.output, engine.output_lanes, readers),
        input_lanes=_row(engine.input_lanes, points),
        output_lanes=_row(engine.output_lanes, points),
        silence=_row(latency.longest_silence(processes[0].structure().phases), points),
        legal=_row(engine.legal(), points),
    )


def price(processes: tuple[Process, ...], points: int) -> tuple[NDArray[np.int64], Costs]:
    """Return cycles `[points]` and costs `[points, resources]` of engines given as arrays.

    The engine's inner FIFOs, of minimum depth, are included.
    """
    structures = [process.structure() for process in processes]
    cycles = np.zeros(points, np.int64)
    for structure in structures:
        cycles = np.maximum(cycles, latency.process_interval(structure))
    usages = [resources.implemented(resources.process_usage(s)) for s in structures]
    for structure in structures[:-1]:
        (inner,) = structure.writes
        usages.append(resources.fifo_usage(MIN_FIFO_DEPTH, inner.lanes * inner.bits))
    return cycles, matrix(resources.total(usages), points)


def matrix(usage: Usage, points: int) -> Costs:
    """Return a usage as `[points, resources]`."""
    return np.stack([_row(usage[name], points).astype(np.float64) for name in RESOURCES], axis=1)


def resize_costs(tensor: Tensor, source: Count, sink: Count) -> tuple[NDArray[np.int64], Costs]:
    """Return cycles and costs of a width conversion with the FIFO before it; none where equal."""
    points = np.broadcast(source, sink).size
    structure = Resize(tensor, source, sink).structure()
    usage = resources.total(
        (
            resources.implemented(resources.process_usage(structure)),
            resources.fifo_usage(MIN_FIFO_DEPTH, source * tensor.bits),
        )
    )
    needed = _row(np.not_equal(source, sink) * 1, points)
    cycles = _row(latency.process_interval(structure), points)
    return cycles * needed, matrix(usage, points) * needed[:, None]


def template_of(node: Node, inputs: tuple[Tensor, ...]) -> type[HardwareTemplate]:
    """Return the template that makes engines of a node.

    Raises:
        InputError: there is none.
    """
    found = _template_or_lack(node, inputs)
    if isinstance(found, str):
        raise InputError(node.name, f"no hardware template for {found}")
    return found


def _template_or_lack(node: Node, inputs: tuple[Tensor, ...]) -> type[HardwareTemplate] | str:
    """Return the first template that can build a node, or what the first of them lacks."""
    fitting = [t for t in _templates() if t.implements is type(node.op)]
    lacks = [template.lacks(node, inputs) for template in fitting]
    if "" in lacks:
        return fitting[lacks.index("")]
    return lacks[0] if lacks else f"the operator {type(node.op).__name__}"


@cache
def _templates() -> tuple[type[HardwareTemplate], ...]:
    folder = "hardware.templates"
    return tuple(member(folder, HardwareTemplate, name) for name in names(folder))


def fork_costs(tensor: Tensor, lanes: Count, readers: int) -> Costs | float:
    """Return the costs of the forks behind an engine, with the FIFOs that feed them."""
    if readers < 2:
        return 0.0
    structure = Fork(tensor, lanes).structure()
    usage = resources.total(
        (
            resources.implemented(resources.process_usage(structure)),
            resources.fifo_usage(MIN_FIFO_DEPTH, lanes * tensor.bits),
        )
    )
    return (readers - 1) * matrix(usage, np.size(lanes))


def _undominated(
    keys: NDArray[np.int64], costs: Costs, legal: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the legal points that no other point with equal keys beats in every resource."""
    numbers = np.flatnonzero(legal)
    kept: list[int] = []
    groups: dict[tuple[int, ...], list[int]] = {}
    for number in numbers.tolist():
        groups.setdefault(tuple(keys[number].tolist()), []).append(number)
    for group in groups.values():
        own = costs[group]
        no_worse = np.all(own[None, :, :] <= own[:, None, :] + 1e-9, axis=2)
        better = np.any(own[None, :, :] < own[:, None, :] - 1e-9, axis=2)
        # of equal points the first one stays
        equal_before = np.tril(no_worse & ~better, -1) & no_worse.T
        beaten = np.any(no_worse & better, axis=1) | np.any(equal_before, axis=1)
        kept.extend(number for number, gone in zip(group, beaten, strict=True) if not gone)
    return np.array(sorted(kept), np.int64)


def _row(values: Cost, points: int) -> NDArray[Any]:
    return np.broadcast_to(np.asarray(values), points)
