"""The design that ranks name: one engine for each layer, by its place among the layer's options.

It is what a flat joint search varies. `codesign.fit.dataflow` finds the best design instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from codesign.fit.dataflow import RANKED, Fit
from codesign.fit.goal import Measure
from codesign.fit.options import check_buildable
from codesign.fit.problem import Items, Problem
from codesign.fit.worth import TOLERANCE
from codesign.hardware.board import RESOURCES, Board
from codesign.network.graph import Graph


def ranked(
    graph: Graph,
    board: Board,
    clock_hz: float,
    ranks: Sequence[float],
    budget: Mapping[str, int] | None = None,
) -> Fit:
    """Return the design that ranks name.

    A layer's options are its Pareto list: engines that no other one beats in cycles, every
    resource, energy and timing at once, without those that alone are too large for the board. They
    stand in the order of their cycles; of as many cycles, the one that takes less of the board
    comes first.

    Args:
        graph: the network.
        board: the board.
        clock_hz: the clock.
        ranks: a number from 0 (fastest) to 1 (slowest) for each layer, in the graph's order;
            further layers take them in turn.
        budget: resources to use instead of the board's, per name.

    Returns:
        the design, with its excess. Its `gap` is that to the shortest interval on any board.

    Raises:
        ValueError: there is no rank, or one lies outside 0 .. 1.
        InputError: no hardware template makes one of the layers.
    """
    if not ranks or not all(0 <= rank <= 1 for rank in ranks):
        raise ValueError(f"ranks are at least one, and lie in 0 .. 1, got {tuple(ranks)}")
    check_buildable(graph)
    problem = Problem(graph, board, clock_hz, {**board.budget, **(budget or {})})
    items = _items(problem, ranks)
    measure = Measure(problem)
    interval = measure.interval_of(items)
    bound = max(int(unit.cycles.min()) for unit in problem.units)
    return Fit(
        design=problem.design(items, interval),
        interval=interval,
        bound=bound,
        excess=_excess(problem, items, interval),
        shortage=None,
        programmes=0,
        objective=RANKED,
        gap=(interval - bound) / interval,
        latency=measure.latency_of(items),
        energy_j=measure.energy_of(items, interval),
    )


def _excess(problem: Problem, items: Items, interval: int) -> dict[str, int]:
    """Return what a design takes beyond the budget."""
    costs = problem.costs[items] + problem.fifo_costs(interval)[items]
    over = costs.sum(axis=0) + problem.taken - problem.available
    return {
        name: int(np.ceil(more - TOLERANCE))
        for name, more in zip(RESOURCES, over, strict=True)
        if more > TOLERANCE
    }


def _items(problem: Problem, ranks: Sequence[float]) -> Items:
    """Return the options at these ranks, ports for them, and the pairs of widths that meet."""
    shares = 1.0 / np.maximum(problem.available, 1.0)
    chosen = []
    for number, layer in enumerate(problem.layers):
        order = np.lexsort((layer.costs @ shares, layer.cycles))
        over = (layer.costs - (problem.available - problem.taken)).max(axis=1)
        order = order[over[order] <= TOLERANCE] if over.min() <= TOLERANCE else order
        place = round(ranks[number % len(ranks)] * (len(order) - 1))
        chosen.append(int(order[place]))
    pace = max(
        int(layer.cycles[option]) for layer, option in zip(problem.layers, chosen, strict=True)
    )
    # the narrowest port that keeps up, or the fastest one
    chosen += [int(np.argmin(np.maximum(port.cycles, pace))) for port in problem.ports]
    pairs = []
    for edge in problem.edges:
        wide = problem.units[edge.source].output_lanes[chosen[edge.source]]
        narrow = problem.units[edge.sink].input_lanes[chosen[edge.sink]]
        row = int(np.searchsorted(edge.source_lanes, wide))
        column = int(np.searchsorted(edge.sink_lanes, narrow))
        pairs.append(row * len(edge.sink_lanes) + column)
    own = np.array([*chosen, *pairs], np.intp)
    return np.asarray(problem.starts[:-1] + own, np.intp)
