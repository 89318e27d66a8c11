"""Every design of small networks, each priced whole: what `fit` is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, cached_property
from itertools import product

import numpy as np
from cases import signed

from codesign.cost import latency
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import schedule
from codesign.cost.timing import Timing
from codesign.cost.transfer import memory_interval
from codesign.design import Design
from codesign.fit.depths import held_elements, input_depth
from codesign.fit.options import template_of
from codesign.hardware.board import RESOURCES, Board
from codesign.hardware.structure import Storage, Structure
from codesign.hardware.template import HardwareTemplate
from codesign.hardware.wire import legal_lanes
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

CLOCK_HZ = 200e6
MOST_DESIGNS = 400
"""Of one network. Every fourth has a convolution, every fourth a pool: with twice as many."""
BOARDS = ("zcu104", "pynq_z2")
UNTIMED = Timing((10**6, 10**6), {})
"""A run that says nothing, so that `estimate` need not make one for every design."""


def tiny_graph(random: np.random.Generator) -> Graph:
    """Return one to three layers of few channels; an addition needs a convolution before it."""

    def number(low: int, high: int) -> int:
        return int(random.integers(low, high + 1))

    source = Tensor((number(1, 3), number(2, 4), number(2, 4)), number(2, 8), signed=False)
    nodes: list[Node] = []
    name, tensor = INPUT, source

    def append(kind: str, op: Op, inputs: tuple[str, ...], bits: int) -> None:
        nonlocal name, tensor
        shape = op.output_shape([tensor.shape] * len(inputs))
        tensor = Tensor(shape, bits, signed=False)
        name = f"{kind}{len(nodes)}"
        nodes.append(Node(name, op, inputs, tensor, int(random.choice([1, 8]))))

    for _ in range(number(0, 2)):
        kind = random.choice(["conv", "point", "pool", "add"])
        if kind in {"conv", "point"}:
            side = 1 if kind == "point" else 2
            window = Window((side, side))
            op = Conv2d(tensor.channels, number(1, 3), window, number(2, 8))
            append("conv", op, (name,), number(2, 8))
        elif kind == "pool":
            append("pool", Pool2d("average", Window((2, 2), (2, 2))), (name,), number(2, 8))
        else:
            before, wanted = name, tensor
            op = Conv2d(tensor.channels, tensor.channels, Window((1, 1)), number(2, 8))
            append("conv", op, (before,), wanted.bits)
            append("add", Add(3), (before, name), number(2, 8))
        if min(tensor.shape[1:]) < 2:
            break
    op = Dense(tensor.elements, number(1, 3), number(2, 8))
    nodes.append(Node("dense", op, (name,), signed(op.outputs, bits=32), 0))
    return Graph("tiny", source, tuple(nodes))


def small_problems(networks: int) -> Iterator[tuple[int, Graph, Board]]:
    """Yield seeded networks that brute force can take, on either board in turn."""
    seed = found = 0
    while found < networks:
        graph = tiny_graph(np.random.default_rng(seed))
        board = Board.load(BOARDS[found % len(BOARDS)])
        wanted = (Dense, Pool2d, Dense, Conv2d)[found % 4]
        most = MOST_DESIGNS if wanted is Dense else 2 * MOST_DESIGNS
        if any(type(node.op) is wanted for node in graph):
            designs = len(port_widths(graph, board))
            for node in graph:
                designs *= _count(node, graph, board) if designs <= most else 1
            if designs <= most:
                yield seed, graph, board
                found += 1
        seed += 1


def _count(node: Node, graph: Graph, board: Board) -> int:
    """Return how many engines a layer has at the most."""
    inputs = graph.inputs(node)
    return sum(
        np.count_nonzero(
            np.broadcast_to(every.legal() & every.suits(board) & every.is_worthwhile(), shape)
        )
        for _, shape, every in template_of(node, inputs).every(node, inputs)
    )


def engines_of(node: Node, graph: Graph, board: Board) -> list[HardwareTemplate]:
    """Return every engine of a layer that tools and board permit."""
    inputs = graph.inputs(node)
    template = template_of(node, inputs)
    space = template.space(node, inputs)
    engines = [template.of(node, inputs, space.at(n)) for n in range(space.size)]
    # a knob that only moves a memory to URAM changes nothing where there is none
    has_uram = board.resources.uram > 0
    return [
        engine
        for engine in engines
        if bool(engine.legal() & engine.suits(board) & engine.is_worthwhile())
        and (has_uram or getattr(engine, "line_storage", Storage.LUTRAM) != Storage.URAM)
    ]


def port_widths(graph: Graph, board: Board) -> list[dict[str, int]]:
    """Return every choice of the accelerator's ports."""
    ports = (INPUT, *graph.outputs)
    legal = [legal_lanes(graph.tensor(port), board.port_bits) for port in ports]
    return [dict(zip(ports, lanes, strict=True)) for lanes in product(*legal)]


def slowest(design: Design) -> int:
    """Return the cycles of the slowest process, or those that the memory outside needs."""
    processes = [int(latency.process_interval(i.structure)) for i in design.instances]
    return max(*processes, memory_interval(design))


def needed(design: Design) -> np.ndarray:
    """Return what a design needs of the board, `[resources]`."""
    price = estimate(design, UNTIMED)
    return np.array([price.resources[name].value for name in RESOURCES])


class Brute:
    """Every design of one graph on one board, priced whole when its price is asked for."""

    def __init__(self, graph: Graph, board: Board) -> None:
        self.graph, self.board = graph, board
        self.engines = {node.name: engines_of(node, graph, board) for node in graph}
        self.designs = [
            Design(graph, board, CLOCK_HZ, dict(zip(self.engines, engines, strict=True)), {}, lanes)
            for engines in product(*self.engines.values())
            for lanes in port_widths(graph, board)
        ]
        self.slowest = np.array([slowest(design) for design in self.designs])
        self.intervals = sorted(set(self.slowest.tolist()))
        self.held = held_elements(graph)
        totals = np.array([getattr(board.resources, name) for name in RESOURCES], float)
        self.weights = np.where(totals > 0, 1 / np.maximum(totals, 1), 0.0)
        self.known: dict[tuple[int, tuple[int, ...]], np.ndarray] = {}

    def needed(self, number: int, target: int) -> np.ndarray:
        """Return what a design needs with the FIFO depths that an interval asks for."""
        design = self.designs[number]
        depths = {}
        for node in self.graph:
            engine = design.engines[node.name]
            silence = latency.longest_silence(engine.processes()[0].structure().phases)
            for port, tensor in enumerate(self.graph.inputs(node)):
                label = f"{node.name}_in{port}" if len(node.inputs) > 1 else f"{node.name}_in"
                held = self.held[node.name][port]
                lanes = engine.input_lanes
                depths[label] = int(input_depth(tensor.elements, lanes, silence, target, held))
        key = (number, tuple(depths.values()))
        if key not in self.known:
            self.known[key] = needed(replace(design, depths=depths))
        return self.known[key]

    def fitting(self, target: int, budget: np.ndarray) -> list[int]:
        """Return the designs, by number, that keep an interval and a budget."""
        numbers = np.flatnonzero(self.slowest <= target).tolist()
        return [n for n in numbers if np.all(self.needed(n, target) <= budget + 1e-6)]

    def cost(self, number: int, target: int, budget: np.ndarray) -> float:
        """Return the resources' cost: shares of the board, crowded ones ten times."""
        return self.objective(self.needed(number, target), budget)

    def objective(self, own: np.ndarray, budget: np.ndarray) -> float:
        """Shares of the board; what is beyond half of the budget counts ten times."""
        return float(own @ self.weights + 9 * (np.maximum(own - budget / 2, 0) @ self.weights))

    def budgets(self, random: np.random.Generator) -> Iterator[dict[str, int]]:
        """Yield budgets that bind: the needs of some design, with more or less of some."""
        last = self.intervals[-1]
        for share in (1.0, 1.2, 0.98):
            some = self.needed(int(random.integers(len(self.designs))), last)
            scales = np.where(random.random(len(RESOURCES)) < 0.5, share, 1.5)
            yield {
                name: min(int(np.ceil(amount)), self.board.budget[name])
                for name, amount in zip(RESOURCES, some * scales, strict=True)
            }

    def amounts(self, budget: Mapping[str, int]) -> np.ndarray:
        """Return a budget with what the board has beside it, `[resources]`."""
        return np.array([{**self.board.budget, **budget}[name] for name in RESOURCES], float)

    @cached_property
    def latencies(self) -> np.ndarray:
        """The closed form of every design's latency, `[designs]`."""
        return np.array([self._latency(design) for design in self.designs])

    def _latency(self, design: Design) -> float:
        """Evaluate the recurrence of `codesign.fit.passage` as it stands, from the last word."""
        reads = {i.name: i.reads for i in design.instances}
        source_of = {fifo.name: fifo.source for fifo in design.fifos}
        steps = {i.name: _Steps(i.structure) for i in design.instances}
        places = {
            (layer, process.kind): (layer, place)
            for layer, engine in design.engines.items()
            for place, process in enumerate(engine.processes())
        }
        own_place = {i.name: places.get((i.layer, i.process.kind)) for i in design.instances}

        @cache
        def time(name: str, share: float) -> float:
            own = steps[name]
            if name == "receive":
                return own.stages + share * own.work
            ends = []
            for port, fifo in enumerate(reads[name]):
                source = source_of[fifo]
                lag, full = self._shares.get((own_place[name], port), (0.0, 1.0))
                passed = min(share / full, 1.0) if full else 1.0
                ends += [
                    time(source, lag) + share * own.work,
                    time(source, 0.0) + own.head + share * own.work,
                    time(source, lag + (1 - lag) * passed) + max(share - full, 0.0) * own.work,
                ]
            return own.stages + max(ends)

        return time("send", 1.0)

    @cached_property
    def _shares(self) -> dict[tuple[tuple[str, int] | None, int], tuple[float, float]]:
        """What each process of a layer waits for at each port: of all its engines the least.

        By layer and place in the engine: engines may differ in the process that stands there.
        """
        found: dict[tuple[tuple[str, int] | None, int], tuple[float, float]] = {}
        for layer, engines in self.engines.items():
            for engine in engines:
                for place, process in enumerate(engine.processes()):
                    own = _Steps(process.structure())
                    for port, (lag, full) in enumerate(zip(own.lags, own.fulls, strict=True)):
                        before = found.get(((layer, place), port), (1.0, 0.0))
                        least = min(lag, before[0]), max(full, before[1])
                        found[(layer, place), port] = least
        return found


class _Steps:
    """When one process reads and writes, from its schedule iteration by iteration."""

    def __init__(self, structure: Structure) -> None:
        reads, writes = schedule(structure)
        self.head, self.work = int(writes[0]), int(writes[-1] - writes[0])
        self.stages = int(structure.loop.stages)
        self.lags = [float(np.mean(read <= writes[0])) for read in reads]
        self.fulls = [float(np.mean(writes <= read[-1])) for read in reads]
