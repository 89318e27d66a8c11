"""What each layer can be built as: the options among which `fit` chooses.

An option is an engine with its knobs, its cycles, its resources after implementation, its energy
and how it hands a map on. All options of a layer are priced in one call; of those with the same
stream widths only the Pareto set in all of these is kept, which loses no optimum of any objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.cost import latency, resources
from codesign.cost.energy import Joules, fifo_energy_j, process_energy_j
from codesign.cost.latency import Flow, flow
from codesign.cost.operators import Cost
from codesign.cost.resources import Usage
from codesign.design import MIN_FIFO_DEPTH
from codesign.errors import InputError
from codesign.fit.dominance import pareto
from codesign.hardware.board import RESOURCES, Board
from codesign.hardware.loading import deal
from codesign.hardware.pace import Pace
from codesign.hardware.processes.fork import Fork
from codesign.hardware.structure import Count, Load, Structure
from codesign.hardware.template import HardwareTemplate, Shape
from codesign.hardware.wire import wire_bits
from codesign.load import member, names
from codesign.network.graph import Graph, Node
from codesign.network.tensor import Tensor
from codesign.space import Space

Costs = NDArray[np.float64]
"""`[points, resources]`, in the order of `RESOURCES`, after implementation."""


@dataclass(frozen=True, slots=True)
class Options:
    """The engines among which one layer may choose; every array has an entry per option.

    Options of equal stream widths stand together.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    template: type[HardwareTemplate]
    space: Space
    numbers: NDArray[np.int64]
    """Where each option stands in the template's space."""
    cycles: NDArray[np.int64]
    costs: Costs
    energy_j: NDArray[np.float64]
    """Per image, as a standard-cell circuit (`codesign.cost.energy`)."""
    flows: tuple[Flow, ...]
    """How each process of the engine hands a map on."""
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]
    silence: NDArray[np.int64]
    """Longest run of cycles in which the engine takes no input."""

    def engine(self, number: int) -> HardwareTemplate:
        """Return option `number` as an engine."""
        point = self.space.at(int(self.numbers[number]))
        knobs: dict[str, Count] = dict(point)  # type: ignore[arg-type]
        return self.template.of(self.node, self.inputs, knobs)


def layer_options(
    graph: Graph, board: Board, pace: Pace, known: dict[object, Options] | None = None
) -> list[Options]:
    """Return the options of every layer, in the graph's order; equal layers are priced once.

    Args:
        graph: the network.
        board: the board, of which only the kinds of slices and memories matter.
        pace: its family and the clock.
        known: layers of other networks that were priced before; this one's are added.
    """
    known = {} if known is None else known
    # weights in URAM come by the port of the images, an element's bits a beat
    outside = (board.dsp_width, board.resources.uram > 0, wire_bits(graph.input.bits), pace)
    found = []
    for node in graph:
        unnamed = (node.op, node.output, node.multiplier_bits, node.accumulator_bits)
        key = (*unnamed, graph.inputs(node), graph.takers(node.name), *outside)
        if key not in known:
            known[key] = options(graph, node, board, pace)
        found.append(replace(known[key], node=node))
    return found


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


def options(graph: Graph, node: Node, board: Board, pace: Pace) -> Options:
    """Return the undominated engines of one layer, which a template can build on this board."""
    inputs = graph.inputs(node)
    template = template_of(node, inputs)
    readers = graph.takers(node.name)
    engines = tuple(template.every(node, inputs))
    narrowest = wire_bits(graph.input.bits)
    priced = [
        _priced(engine, shape, readers, board, pace, narrowest) for _, shape, engine in engines
    ]
    every = _joined(priced)
    numbers = np.concatenate([first + np.arange(prod(shape)) for first, shape, _ in engines])
    widths = np.stack([every.input_lanes, every.output_lanes], axis=1)
    steps = [values for own in every.flows for values in (own.head, own.work, own.stages)]
    traits = np.stack([every.cycles, every.silence, every.energy_j, *steps], axis=1)
    columns = np.concatenate([every.costs, traits], axis=1)
    legal = np.flatnonzero(every.legal)
    kept = legal[pareto(widths[legal], columns[legal])]
    return Options(
        node=node,
        inputs=inputs,
        template=template,
        space=template.space(node, inputs),
        numbers=numbers[kept],
        cycles=every.cycles[kept],
        costs=every.costs[kept],
        energy_j=every.energy_j[kept],
        flows=tuple(_picked(own, legal, kept) for own in every.flows),
        input_lanes=every.input_lanes[kept],
        output_lanes=every.output_lanes[kept],
        silence=every.silence[kept],
    )


@dataclass(frozen=True, slots=True)
class _Priced:
    """What `Options` says of engines before any is left out; arrays have an entry per point."""

    cycles: NDArray[np.int64]
    costs: Costs
    energy_j: NDArray[np.float64]
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]
    silence: NDArray[np.int64]
    legal: NDArray[np.bool_]
    flows: tuple[Flow, ...]


def _dealt(load: Load, narrowest: int, pace: Pace) -> Usage:
    """Return what dealing out one load takes at the accelerator's input, and the FIFO from there.

    What it costs that port in time is the port's (`codesign.fit.wiring`).
    """
    dealt = resources.load_usage(deal(load, narrowest).at(pace))
    fifo = resources.fifo_usage(MIN_FIFO_DEPTH, load.stream.bits)
    each = {name: load.when * fifo[name] for name in RESOURCES}
    return resources.total((resources.implemented(resources.total([dealt])), each))


def _priced(
    engine: HardwareTemplate,
    shape: Shape,
    readers: int,
    board: Board,
    pace: Pace,
    narrowest: int,
) -> _Priced:
    """Return an engine that stands for points of a shape, with the forks that `readers` need."""
    structures = [process.structure().at(pace) for process in engine.processes()]
    cycles, costs = price(structures, shape)
    for load in (load for structure in structures for load in structure.loads):
        costs = costs + matrix(_dealt(load, narrowest, pace), shape)
    output = engine.node.output
    forked = fork_energy_j(output, engine.output_lanes, readers)
    return _Priced(
        cycles=cycles,
        costs=costs + fork_costs(output, engine.output_lanes, readers, pace, shape),
        energy_j=row(_energy_j(structures) + forked, shape),
        input_lanes=row(engine.input_lanes, shape),
        output_lanes=row(engine.output_lanes, shape),
        silence=row(latency.longest_silence(structures[0].phases), shape),
        legal=row(engine.legal() & engine.suits(board) & engine.is_worthwhile(), shape),
        flows=tuple(_spread(flow(structure), shape) for structure in structures),
    )


def _joined(priced: Sequence[_Priced]) -> _Priced:
    """Return the engines of several structures as one list.

    What has fewer processes than another gets some that hand on without delay.
    """
    longest = max(len(own.flows) for own in priced)
    chains = []
    for own in priced:
        points = len(own.cycles)
        idle = Flow((np.zeros(points),), (np.ones(points),), *(np.zeros(points, int),) * 3)
        chains.append((*own.flows, *(idle,) * (longest - len(own.flows))))
    return _Priced(
        cycles=np.concatenate([own.cycles for own in priced]),
        costs=np.concatenate([own.costs for own in priced]),
        energy_j=np.concatenate([own.energy_j for own in priced]),
        input_lanes=np.concatenate([own.input_lanes for own in priced]),
        output_lanes=np.concatenate([own.output_lanes for own in priced]),
        silence=np.concatenate([own.silence for own in priced]),
        legal=np.concatenate([own.legal for own in priced]),
        flows=tuple(_concatenated(steps) for steps in zip(*chains, strict=True)),
    )


def _concatenated(flows: Sequence[Flow]) -> Flow:
    lags, fulls = (
        tuple(np.concatenate(shares) for shares in zip(*several, strict=True))
        for several in ([own.lags for own in flows], [own.fulls for own in flows])
    )
    steps = ([np.asarray(getattr(own, n)) for own in flows] for n in ("head", "work", "stages"))
    return Flow(lags, fulls, *(np.concatenate(values) for values in steps))


def _spread(own: Flow, shape: Shape) -> Flow:
    """Return a flow with an entry per point."""
    lags, fulls = (tuple(row(share, shape) for share in shares) for shares in (own.lags, own.fulls))
    return Flow(lags, fulls, *(row(v, shape) for v in (own.head, own.work, own.stages)))


def _picked(own: Flow, legal: NDArray[np.int64], kept: NDArray[np.int64]) -> Flow:
    """Return a flow for some of the points; its shares are those of what waits least of all."""
    lags = tuple(lag[legal].min(keepdims=True) for lag in own.lags)
    fulls = tuple(full[legal].max(keepdims=True) for full in own.fulls)
    return Flow(lags, fulls, *(np.asarray(v)[kept] for v in (own.head, own.work, own.stages)))


def _energy_j(structures: Sequence[Structure]) -> Joules:
    """Return the energy of an engine's processes and of its FIFOs, that at its input included."""
    processes = sum(process_energy_j(structure) for structure in structures)
    return processes + sum(fifo_energy_j(port) for s in structures for port in s.reads)


def price(structures: Sequence[Structure], shape: Shape) -> tuple[NDArray[np.int64], Costs]:
    """Return cycles `[points]` and costs `[points, resources]` of engines given as arrays.

    The arrays broadcast to `shape`, whose points are counted with the last axis fastest. The
    engine's inner FIFOs, of minimum depth, are included.
    """
    cycles: Count = 0
    for structure in structures:
        cycles = np.maximum(cycles, latency.process_interval(structure))
    usages = [resources.implemented(resources.process_usage(s)) for s in structures]
    for structure in structures[:-1]:
        (inner,) = structure.writes
        usages.append(resources.fifo_usage(MIN_FIFO_DEPTH, inner.lanes * inner.bits))
    return row(cycles, shape), matrix(resources.total(usages), shape)


def matrix(usage: Usage, shape: Shape) -> Costs:
    """Return a usage as `[points, resources]`."""
    costs = np.empty((len(RESOURCES), *shape))
    for number, name in enumerate(RESOURCES):
        costs[number] = usage[name]
    return costs.reshape(len(RESOURCES), -1).T


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


def fork_costs(
    tensor: Tensor, lanes: Count, readers: int, pace: Pace, shape: Shape = (1,)
) -> Costs | float:
    """Return the costs of the forks behind an engine, with the FIFOs that feed them."""
    if readers < 2:
        return 0.0
    structure = Fork(tensor, lanes).structure().at(pace)
    usage = resources.total(
        (
            resources.implemented(resources.process_usage(structure)),
            resources.fifo_usage(MIN_FIFO_DEPTH, lanes * tensor.bits),
        )
    )
    return (readers - 1) * matrix(usage, shape)


def fork_energy_j(tensor: Tensor, lanes: Count, readers: int) -> Joules:
    """Return the energy of the same."""
    return (readers - 1) * _energy_j([Fork(tensor, lanes).structure()]) if readers > 1 else 0.0


def row(values: Cost, shape: Shape) -> NDArray[Any]:
    """Return a value per point of a shape as an array of one axis."""
    return np.broadcast_to(np.asarray(values), shape).ravel()
