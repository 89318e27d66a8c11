"""What lies between the engines: width conversions, the accelerator's ends, and their prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from codesign.cost import latency, resources
from codesign.cost.energy import DRAM_J_PER_BIT, fifo_energy_j, process_energy_j
from codesign.cost.latency import Flow, flow
from codesign.cost.transfer import port_bytes, port_cycles
from codesign.design import MIN_FIFO_DEPTH
from codesign.fit.options import Costs, Options, fork_costs, fork_energy_j, matrix, price, row
from codesign.hardware.board import Board
from codesign.hardware.loading import URAM_WORDS
from codesign.hardware.pace import Pace
from codesign.hardware.processes.fork import Fork
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.resize import Resize
from codesign.hardware.processes.send import Send
from codesign.hardware.structure import LOAD_ENTRY, Count, Structure
from codesign.hardware.template import Shape
from codesign.hardware.wire import legal_lanes
from codesign.network.graph import INPUT, Graph
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Edge:
    """A stream from `source` to `sink`: layers by number, behind them the ports.

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
class Port:
    """The process at one of the accelerator's ports; every array has an entry per width.

    What stands on the other side of it has no width to agree on: 0 lanes.
    """

    tensor: str
    """What crosses it: the input, or the output of that name."""
    cycles: NDArray[np.int64]
    costs: Costs
    """With the forks of the input, or the FIFO before an output."""
    energy_j: NDArray[np.float64]
    off_chip_j: NDArray[np.float64]
    """What the memory outside takes for one image."""
    flow: Flow
    lanes: NDArray[np.int64]
    """Elements that cross it in a cycle, rising."""
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]


def ports(graph: Graph, board: Board, pace: Pace) -> list[Port]:
    """Return what the ports may be: that of the input, then one per output.

    None is wider than the board's port to its memory, nor faster than its share of the bandwidth.
    """
    return [_port(graph, name, board, pace) for name in (INPUT, *graph.outputs)]


def _port(graph: Graph, name: str, board: Board, pace: Pace) -> Port:
    tensor = graph.tensor(name)
    lanes = np.array(legal_lanes(tensor, board.port_bits))
    shape = lanes.shape
    receives = name == INPUT
    process = Receive(tensor, lanes) if receives else Send(tensor, lanes)
    structure = process.structure().at(pace)
    cycles, costs = price([structure], shape)
    if receives:
        readers = graph.takers(INPUT)
        costs = costs + fork_costs(tensor, lanes, readers, pace, shape)
        beside = fork_energy_j(tensor, lanes, readers)
        cycles = np.maximum(cycles, _held_up(graph, board, structure))
    else:
        # the engines' own FIFOs lie at their inputs
        costs = costs + matrix(resources.fifo_usage(MIN_FIFO_DEPTH, lanes * tensor.bits), shape)
        beside = fifo_energy_j(structure.reads[0])
    none = np.zeros_like(lanes)
    return Port(
        tensor=name,
        cycles=np.maximum(cycles, port_cycles(graph, name, lanes, board, pace.clock_hz)),
        costs=costs,
        energy_j=row(process_energy_j(structure) + beside, shape).astype(np.float64),
        off_chip_j=row(DRAM_J_PER_BIT * 8 * port_bytes(graph, name, lanes), shape),
        flow=flow(structure),
        lanes=lanes,
        input_lanes=none if receives else lanes,
        output_lanes=lanes if receives else none,
    )


def _held_up(graph: Graph, board: Board, receive: Structure) -> Count:
    """Return the cycles between images of a port by which weights in URAM come, or might come.

    An engine of such weights passes by each of at least `URAM_WORDS` words for an image: where the
    port is faster than that, what it waits for loads does not matter. Where it is not, it counts,
    whatever engines are chosen.
    """
    shapes = [node.op.weight_shape for node in graph]
    many = any(shape is not None and prod(shape) >= URAM_WORDS for shape in shapes)
    if not board.resources.uram or not many:
        return 0
    held_up = replace(receive, loop=replace(receive.loop, entry=LOAD_ENTRY))
    cycles = latency.process_interval(held_up)
    return cycles * np.greater(cycles, URAM_WORDS)


def edges(
    graph: Graph,
    layers: Sequence[Options],
    ends: Sequence[Port],
    pace: Pace,
    known: dict[object, Edge] | None = None,
) -> list[Edge]:
    """Return every stream into a layer, in the order of layers and ports, then every way out.

    Equal streams are priced once; `known` holds those of other networks.
    """
    known = {} if known is None else known
    names = [*(node.name for node in graph), *(end.tensor for end in ends[:1])]
    index = {name: number for number, name in enumerate(names)}
    units: list[Options | Port] = [*layers, *ends]
    sinks = [(sink, name) for sink, node in enumerate(graph) for name in node.inputs]
    sinks += enumerate(graph.outputs, len(layers) + 1)
    found = []
    read: dict[str, int] = {}
    for sink, name in sinks:
        source, tensor = index[name], graph.tensor(name)
        own = _known_edge(tensor, units[source].output_lanes, units[sink].input_lanes, pace, known)
        position = read[name] = read.get(name, -1) + 1
        delay = _fork_delay(graph, name, position, pace)
        found.append(replace(own, source=source, sink=sink, delay=delay))
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
        source=-1,
        sink=-1,
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
