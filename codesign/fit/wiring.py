"""What lies between the engines: width conversions, the accelerator's ends, and their prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.cost import latency, resources
from codesign.cost.energy import fifo_energy_j, process_energy_j
from codesign.cost.latency import Flow, flow
from codesign.design import MIN_FIFO_DEPTH
from codesign.fit.options import Costs, Options, fork_costs, fork_energy_j, matrix, price, row
from codesign.hardware.pace import Pace
from codesign.hardware.processes.fork import Fork
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.resize import Resize
from codesign.hardware.processes.send import Send
from codesign.hardware.structure import Structure
from codesign.hardware.template import Shape
from codesign.hardware.wire import widest_lanes
from codesign.network.graph import INPUT, Graph
from codesign.network.tensor import Tensor

OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class Edge:
    """A stream from layer `source` to layer `sink` (indices, or `OUTSIDE`).

    Its pairs are all (producer lanes, consumer lanes) that can meet, the consumer's varying
    fastest; every array has an entry per pair.
    """

    source: int
    sink: int
    source_lanes: NDArray[np.int64]
    """The producer's widths, rising."""
    sink_lanes: NDArray[np.int64]
    cycles: NDArray[np.int64]
    """Of the width conversion; 0 where none is needed."""
    costs: Costs
    energy_j: NDArray[np.float64]
    flow: Flow
    delay: int
    """Cycles that forks before it add to every word."""


@dataclass(frozen=True, slots=True)
class Ends:
    """What no choice changes: the processes at the accelerator's ports, and forks of the input."""

    cycles: int
    costs: NDArray[np.float64]
    energy_j: float
    transferred_bytes: int
    """Of one image, over the accelerator's ports."""
    receive: Flow
    sends: tuple[Flow, ...]
    """One for each of the graph's outputs."""


def ends(graph: Graph, pace: Pace) -> Ends:
    """Return what both ends of the accelerator take."""
    lanes = widest_lanes(graph.input)
    sends = [Send(graph.tensor(name)) for name in graph.outputs]
    structures = [end.structure().at(pace) for end in (Receive(graph.input, lanes), *sends)]
    priced = [price([structure], (1,)) for structure in structures]
    readers = graph.takers(INPUT)
    costs = np.sum([own for _, own in priced], axis=0)
    costs = costs + fork_costs(graph.input, lanes, readers, pace)
    energy = sum(float(process_energy_j(structure)) for structure in structures)
    energy += sum(float(fifo_energy_j(send.reads[0])) for send in structures[1:])
    energy += float(fork_energy_j(graph.input, lanes, readers))
    cycles = max(int(own[0]) for own, _ in priced)
    ports = [structures[0].reads[0], *(send.writes[0] for send in structures[1:])]
    return Ends(
        cycles=cycles,
        costs=costs[0],
        energy_j=energy,
        transferred_bytes=sum(int(port.words) * port.bits // 8 for port in ports),
        receive=flow(structures[0]),
        sends=tuple(flow(send) for send in structures[1:]),
    )


def edges(
    graph: Graph, layers: Sequence[Options], pace: Pace, known: dict[object, Edge] | None = None
) -> list[Edge]:
    """Return every stream into a layer, in the order of layers and ports, then every way out.

    Equal streams are priced once; `known` holds those of other networks.
    """
    known = {} if known is None else known
    index = {node.name: number for number, node in enumerate(graph)}
    outside = np.array([widest_lanes(graph.input)])
    found = []
    read: dict[str, int] = {}
    for sink, node in enumerate(graph):
        for name in node.inputs:
            source = index.get(name, OUTSIDE)
            producer = outside if name == INPUT else layers[source].output_lanes
            own = _known_edge(graph.tensor(name), producer, layers[sink].input_lanes, pace, known)
            position = read[name] = read.get(name, -1) + 1
            delay = _fork_delay(graph, name, position, pace)
            found.append(replace(own, source=source, sink=sink, delay=delay))
    for name in graph.outputs:
        source, tensor = index[name], graph.tensor(name)
        own = _edge(tensor, layers[source].output_lanes, np.array([1]), pace)
        # the engines' own FIFOs lie at their inputs; this one has no engine behind it
        final = matrix(resources.fifo_usage(MIN_FIFO_DEPTH, tensor.bits), (1,))
        delay = _fork_delay(graph, name, read.get(name, -1) + 1, pace)
        found.append(replace(own, source=source, costs=own.costs + final, delay=delay))
    return found


def _fork_delay(graph: Graph, name: str, position: int, pace: Pace) -> int:
    """Return the stages of the forks that lead to a tensor's reader number `position`."""
    forks = graph.takers(name) - 1
    stages = int(Fork(graph.tensor(name), 1).structure().at(pace).loop.stages)
    return stages * min(position + 1, forks)


def _known_edge(
    tensor: Tensor,
    producer: NDArray[np.int64],
    consumer: NDArray[np.int64],
    pace: Pace,
    known: dict[object, Edge],
) -> Edge:
    wide, narrow = np.unique(producer), np.unique(consumer)
    key = (tensor, wide.tobytes(), narrow.tobytes(), pace)
    if key not in known:
        known[key] = _edge(tensor, wide, narrow, pace)
    return known[key]


def _edge(
    tensor: Tensor, producer: NDArray[np.int64], consumer: NDArray[np.int64], pace: Pace
) -> Edge:
    """Price every width conversion that an edge may need, with the FIFO before it."""
    wide, narrow = np.unique(producer), np.unique(consumer)
    sources, sinks = (grid.ravel() for grid in np.meshgrid(wide, narrow, indexing="ij"))
    structure = Resize(tensor, sources, sinks).structure().at(pace)
    points = (len(sources),)
    needed = np.not_equal(sources, sinks) * 1
    fifo = resources.fifo_usage(MIN_FIFO_DEPTH, sources * tensor.bits)
    usage = resources.total((resources.implemented(resources.process_usage(structure)), fifo))
    return Edge(
        source=OUTSIDE,
        sink=OUTSIDE,
        source_lanes=wide,
        sink_lanes=narrow,
        cycles=row(latency.process_interval(structure), points) * needed,
        costs=matrix(usage, points) * needed[:, None],
        energy_j=_energy_j(structure, points) * needed,
        flow=_masked(flow(structure), needed),
        delay=0,
    )


def _energy_j(structure: Structure, points: Shape) -> NDArray[np.float64]:
    own = process_energy_j(structure) + fifo_energy_j(structure.reads[0])
    return row(own, points).astype(np.float64)


def _masked(own: Flow, needed: NDArray[np.int64]) -> Flow:
    """Return a flow that takes no time where there is no process."""
    head, work, stages = (value * needed for value in (own.head, own.work, own.stages))
    lags = tuple(lag * needed for lag in own.lags)
    return Flow(lags, own.fulls, head, work, stages)
