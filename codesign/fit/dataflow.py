"""The best dataflow design of one network on one board, with proof.

The interval is found by bisection over the cycle counts that options can have; at each it is
decided whether the board holds a design of that interval: by prices where they suffice, else by
an integer programme. Programmes are solved to a gap of zero, so the answer is optimal, and the
next shorter interval is proven not to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.cost import latency, resources
from codesign.design import Design
from codesign.fit.depths import held_elements, input_depth
from codesign.fit.dominance import undominated
from codesign.fit.elimination import Elimination
from codesign.fit.options import (
    Options,
    check_buildable,
    fork_costs,
    matrix,
    options,
    price,
    resize_costs,
)
from codesign.fit.programme import COMFORT, Choice, Edge, Layer, Limits, solve
from codesign.fit.relaxation import Relaxation
from codesign.hardware.board import RESOURCES, Board
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.send import Send
from codesign.hardware.wire import widest_lanes
from codesign.network.graph import INPUT, Graph

OBJECTIVES = ("interval", "resources")

WORTHWHILE = 1.1
"""Gain in frames per second for which the missing resources are named, where there is one."""

_Kept = tuple[Layer, NDArray[np.int64]]
"""Some of a layer's options, and their numbers among all of them."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """What a shorter interval would need and the board does not have."""

    interval: int
    """Cycles between images that more of the resources would give."""
    missing: Mapping[str, int]
    """Resources beyond the budget, at the least."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer of `fit`: a design, and how good it is.

    With `excess` empty the design is the optimum: no other of these templates on this board is
    better, the optimality gap being zero. Otherwise nothing fits; the design is the one that
    comes closest, and `excess` says by how much it exceeds the budget.
    """

    design: Design
    interval: int
    """Cycles between images: the slowest process."""
    bound: int
    """No design of these templates has a shorter interval, whatever the board."""
    excess: Mapping[str, int]
    shortage: Shortage | None
    """What keeps the interval from being shorter; None if nothing could make it so."""
    programmes: int
    """Integer programmes that had to be solved."""

    @property
    def feasible(self) -> bool:
        """Whether the design fits."""
        return not self.excess

    def advice(self) -> str:
        """Say in words what binds."""
        if self.excess:
            parts = [f"{count} {name.upper()} too many" for name, count in self.excess.items()]
            return "nothing fits; the closest design has " + ", ".join(parts)
        if self.shortage is None:
            if self.interval > self.bound:
                return "of the designs that keep the wish, this one takes least of the board"
            return "no other folding of these templates is faster on any board"
        gain = self.interval / self.shortage.interval
        parts = [f"{count} more {name.upper()}" for name, count in self.shortage.missing.items()]
        return f"{' and '.join(parts)} would give {gain:.2f} x the frames per second"


def fit(
    graph: Graph,
    board: Board,
    clock_hz: float,
    objective: str = "interval",
    longest_interval: int | None = None,
    budget: Mapping[str, int] | None = None,
) -> Fit:
    """Find the best dataflow design.

    Args:
        graph: the network.
        board: the board; its ceilings decide what may be used.
        clock_hz: the clock.
        objective: "interval" (shortest interval, then least resources) or "resources" (least
            resources that keep `longest_interval`).
        longest_interval: cycles between images that the wish permits at the most.
        budget: resources to use instead of the board's, per name.

    Raises:
        ValueError: the objective is unknown.
        InputError: no hardware template makes one of the layers.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"fit's objective is one of {OBJECTIVES}, not '{objective}'")
    check_buildable(graph)
    problem = _Problem(graph, board, {**board.budget, **(budget or {})})
    candidates = problem.intervals
    limit = candidates[-1] if longest_interval is None else longest_interval
    within = [cycles for cycles in candidates if cycles <= limit]
    if not within:
        # even fully unrolled the network is slower than the wish: show the fastest
        within = [candidates[0]]
    if not problem.feasible(within[-1]):
        return problem.infeasible(within[-1], clock_hz)
    if objective == "resources":
        return problem.answer(within[-1], clock_hz, None)
    position = _first_feasible(within, problem.feasible)
    worthwhile = [c for c in within[:position] if c * WORTHWHILE <= within[position]]
    shorter = worthwhile[-1] if worthwhile else next(iter(within[:position]), None)
    return problem.answer(within[position], clock_hz, shorter)


class _Problem:
    """Options, edges and budget of one graph on one board."""

    def __init__(self, graph: Graph, board: Board, budget: Mapping[str, int]) -> None:
        self.graph, self.board = graph, board
        self.layers = [options(graph, node) for node in graph]
        self.held = held_elements(graph)
        self.edges = _edges(graph, self.layers)
        # one by one: the FIFOs between the ends and the engines belong to the edges
        lanes = widest_lanes(graph.input)
        sends = [Send(graph.tensor(name)) for name in graph.outputs]
        ends = [price((end,), 1) for end in (Receive(graph.input, lanes), *sends)]
        self.end_cycles = max(int(cycles[0]) for cycles, _ in ends)
        fixed = np.sum([costs for _, costs in ends], axis=0)
        fixed += fork_costs(graph.input, lanes, graph.takers(INPUT))
        shell = [resources.SHELL[name][1] for name in RESOURCES]
        available = np.array([budget[name] for name in RESOURCES], np.float64)
        taken = np.array(shell) + fixed[0]
        self.budget = available - taken
        totals = np.array([getattr(board.resources, name) for name in RESOURCES], np.float64)
        self.limits = Limits(
            budget=self.budget,
            comfort=COMFORT * available - taken,
            weights=np.where(totals > 0, 1 / np.maximum(totals, 1), 0.0),
        )
        self.solved: dict[int, Choice | None] = {}
        self.programmes = 0

    @cached_property
    def intervals(self) -> list[int]:
        """Return every interval that a design can have, shortest first."""
        least = max(int(layer.cycles.min()) for layer in self.layers)
        least = max(least, self.end_cycles)
        counts = {int(c) for layer in self.layers for c in layer.cycles}
        counts |= {int(c) for edge in self.edges for c in edge.cycles}
        counted = sorted({least, *(c for c in counts if c >= least)})
        return counted[_first_feasible(counted, self._joinable) :]

    def _joinable(self, interval: int) -> bool:
        """Return whether engines of this speed can be joined, whatever the budget."""
        layers, edges = self._restricted(interval)
        elimination = Elimination([layer for layer, _ in layers], edges)
        return elimination.cheapest(np.zeros(len(RESOURCES))) is not None

    def feasible(self, interval: int) -> bool:
        """Return whether any design keeps `interval` within the budget."""
        if interval in self.solved:
            return self.solved[interval] is not None
        layers, edges = self._restricted(interval)
        affordable = self._affordable(layers)
        if affordable is None:
            return False
        verdict = Relaxation([layer for layer, _ in affordable], edges, self.limits).feasible()
        return self.best(interval) is not None if verdict is None else verdict

    def best(self, interval: int) -> Choice | None:
        """Return the cheapest choice whose every process keeps `interval`, or None.

        Where the cheapest of all leaves every resource uncrowded, there is nothing left to
        prove; otherwise an integer programme decides.
        """
        if interval not in self.solved:
            self.solved[interval] = self._solve(interval)
        return self.solved[interval]

    def _solve(self, interval: int) -> Choice | None:
        layers, edges = self._restricted(interval)
        affordable = self._affordable(layers)
        if affordable is None:
            return None
        kept = [layer for layer, _ in affordable]
        choice = Relaxation(kept, edges, self.limits).cheapest()
        if choice is None:
            return self._programme(affordable, edges)
        return _renumbered(choice, [numbers for _, numbers in affordable])

    def _programme(
        self, layers: Sequence[_Kept], edges: Sequence[Edge], relaxed: bool = False
    ) -> Choice | None:
        """Solve the integer programme over the options that an optimum may need."""
        self.programmes += 1
        wanted = undominated([layer for layer, _ in layers], edges)
        few = [layer.at(kept) for (layer, _), kept in zip(layers, wanted, strict=True)]
        choice = solve(few, edges, self.limits, relaxed)
        if choice is None:
            return None
        numbers = [own[kept] for (_, own), kept in zip(layers, wanted, strict=True)]
        return _renumbered(choice, numbers)

    def answer(self, interval: int, clock_hz: float, shorter: int | None) -> Fit:
        """Return the fit at an interval that is known to be feasible."""
        choice = self.best(interval)
        if choice is None:
            raise ValueError(f"no design of {interval} cycles fits")
        design = self.design(choice, interval, clock_hz)
        reached = max(
            int(latency.process_interval(i.process.structure())) for i in design.instances
        )
        shortage = self._shortage(shorter) if shorter is not None else None
        bound = self.intervals[0]
        return Fit(design, reached, bound, {}, shortage, self.programmes)

    def infeasible(self, interval: int, clock_hz: float) -> Fit:
        """Return the design that exceeds the budget least, at the most permissive interval."""
        choice = self._closest(interval)
        design = self.design(choice, interval, clock_hz)
        return Fit(design, interval, self.intervals[0], self._excess(choice), None, self.programmes)

    def design(self, choice: Choice, interval: int, clock_hz: float) -> Design:
        """Return a choice as a design, with the FIFO depths that its interval asks for."""
        engines, depths = {}, {}
        for number, own in zip(choice.options, self.layers, strict=True):
            engines[own.node.name] = own.engine(number)
            for port, depth in enumerate(self._depths(own, interval)):
                several = len(own.node.inputs) > 1
                label = f"{own.node.name}_in{port}" if several else f"{own.node.name}_in"
                depths[label] = int(np.broadcast_to(depth, len(own.cycles))[number])
        return Design(self.graph, self.board, clock_hz, engines, depths)

    def _depths(self, own: Options, interval: int) -> list[NDArray[np.int64] | int]:
        """Return the depth of the FIFO at each input port of a layer, per option."""
        return [
            input_depth(tensor, own.input_lanes, own.silence, interval, held)
            for tensor, held in zip(own.inputs, self.held[own.node.name], strict=True)
        ]

    def _restricted(self, interval: int) -> tuple[list[_Kept], list[Edge]]:
        """Return what keeps `interval`: layers with the numbers of their options, and edges."""
        layers: list[_Kept] = []
        for own in self.layers:
            kept = np.flatnonzero(own.cycles <= interval)
            costs = own.costs
            for tensor, depth in zip(own.inputs, self._depths(own, interval), strict=True):
                fifo = resources.fifo_usage(depth, own.input_lanes * tensor.bits)
                costs = costs + matrix(fifo, len(costs))
            layers.append((Layer(costs[kept], own.input_lanes[kept], own.output_lanes[kept]), kept))
        return layers, [edge.within(interval) for edge in self.edges]

    def _affordable(self, layers: Sequence[_Kept]) -> list[_Kept] | None:
        """Return the options that the budget could pay for alone, or None if a layer has none.

        The same goes for the least that all layers need of each resource.
        """
        kept = []
        for layer, numbers in layers:
            alone = np.flatnonzero(np.all(layer.costs <= self.budget + 1e-9, axis=1))
            if len(alone) == 0:
                return None
            kept.append((layer.at(alone), numbers[alone]))
        least = np.sum([layer.costs.min(axis=0) for layer, _ in kept], axis=0)
        return kept if np.all(least <= self.budget + 1e-9) else None

    def _closest(self, interval: int) -> Choice:
        choice = self._programme(*self._restricted(interval), relaxed=True)
        if choice is None:
            raise ValueError(f"no design has an interval of {interval} cycles")
        return choice

    def _excess(self, choice: Choice) -> dict[str, int]:
        units = np.maximum(self.budget, 1.0)
        return {
            name: int(np.ceil(share * unit))
            for name, share, unit in zip(RESOURCES, choice.excess, units, strict=True)
            if share > 0
        }

    def _shortage(self, interval: int) -> Shortage | None:
        missing = self._excess(self._closest(interval))
        return Shortage(interval, missing) if missing else None


def _renumbered(choice: Choice, numbers: Sequence[NDArray[np.intp]]) -> Choice:
    """Return a choice among some options with their numbers among all."""
    options = zip(choice.options, numbers, strict=True)
    return replace(choice, options=tuple(int(own[option]) for option, own in options))


@dataclass(frozen=True, slots=True)
class _PricedEdge:
    """An edge with the cycles of every pair's width conversion."""

    edge: Edge
    cycles: NDArray[np.int64]

    def within(self, interval: int) -> Edge:
        """Return the edge with the pairs that keep `interval`."""
        kept = np.flatnonzero(self.cycles <= interval)
        pairs = tuple(self.edge.pairs[i] for i in kept)
        return replace(self.edge, pairs=pairs, costs=self.edge.costs[kept])


def _edges(graph: Graph, layers: Sequence[Options]) -> list[_PricedEdge]:
    """Return every stream between two layers, and those at the accelerator's ends."""
    index = {node.name: number for number, node in enumerate(graph)}
    edges = []
    for sink, node in enumerate(graph):
        for name in node.inputs:
            source = index.get(name, -1)
            outside = np.array([widest_lanes(graph.input)])
            producer = outside if name == INPUT else layers[source].output_lanes
            edges.append(_priced(graph, name, source, sink, producer, layers[sink].input_lanes))
    for name in graph.outputs:
        source = index[name]
        edges.append(_priced(graph, name, source, -1, layers[source].output_lanes, np.array([1])))
    return edges


def _priced(
    graph: Graph,
    name: str,
    source: int,
    sink: int,
    producer: NDArray[np.int64],
    consumer: NDArray[np.int64],
) -> _PricedEdge:
    wide, narrow = np.unique(producer), np.unique(consumer)
    sources, sinks = (grid.ravel() for grid in np.meshgrid(wide, narrow, indexing="ij"))
    cycles, costs = resize_costs(graph.tensor(name), sources, sinks)
    if sink < 0:
        # the engines' own FIFOs lie at their inputs; this one has no engine behind it
        final = resources.fifo_usage(2, sinks * graph.tensor(name).bits)
        costs = costs + matrix(final, len(sinks))
    pairs = tuple(zip(sources.tolist(), sinks.tolist(), strict=True))
    return _PricedEdge(Edge(source, sink, pairs, costs), cycles)


def _first_feasible(intervals: Sequence[int], feasible: Callable[[int], bool]) -> int:
    """Return the position of the shortest feasible interval; the last one is known to be."""
    low, high = 0, len(intervals) - 1
    while low < high:
        middle = (low + high) // 2
        if feasible(intervals[middle]):
            high = middle
        else:
            low = middle + 1
    return low
