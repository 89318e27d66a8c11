"""The price of a network's best design without the design: what a table of thousands asks for.

It is the answer of `codesign.fit.dataflow.fit` for the shortest interval, but for what explains
it (shortages, engines), and with small integer programmes at the most: where they leave open
whether a shorter interval fits, the gap says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from codesign.fit.goal import Measure
from codesign.fit.optimum import GLANCE, SKETCH
from codesign.fit.options import check_buildable
from codesign.fit.problem import Known, Problem
from codesign.fit.solver import Solver, Verdict
from codesign.fit.worth import TOLERANCE
from codesign.hardware.board import RESOURCES, Board
from codesign.network.graph import Graph


@dataclass(frozen=True, slots=True)
class Price:
    """What the best design of a network takes, or the one that comes closest to fitting."""

    interval: int
    """Cycles between images."""
    latency: float
    """Cycles of one image, in closed form."""
    energy_j: float
    """Of one image at full rate [J]."""
    usage: Mapping[str, int]
    """After implementation, shell included, by resource."""
    fits: bool
    gap: float
    """How much shorter the interval could be, relative; 0 is a proof."""
    resource_gap: float
    """Of designs of that interval, how much less of the board one could take, relative."""


def price(graph: Graph, board: Board, clock_hz: float, known: Known | None = None) -> Price:
    """Price the best design of a graph: shortest interval, then least resources.

    Args:
        graph: the network.
        board: the board; its ceilings decide what may be used.
        clock_hz: the clock.
        known: layers and edges that were priced before; those of this graph are added.

    Raises:
        InputError: no hardware template makes one of the layers.
    """
    check_buildable(graph)
    problem = Problem(graph, board, clock_hz, board.budget, known)
    solver = Solver(problem, effort=GLANCE)
    if solver.verdict(solver.intervals[-1]) is Verdict.UNKNOWN:
        solver = Solver(problem)
    fits = solver.verdict(solver.intervals[-1]) is Verdict.FITS
    interval = bound = solver.intervals[-1]
    if fits:
        interval, bound = solver.shortest(solver.intervals)
    found = (solver.cheapest if fits else solver.closest)(interval, SKETCH)
    if found.items is None:
        raise ValueError(f"no design of {interval} cycles was found again")
    measure = Measure(problem)
    reached = measure.interval_of(found.items)
    usage = solver.costs(interval)[found.items].sum(axis=0) + problem.taken
    return Price(
        interval=reached,
        latency=measure.latency_of(found.items),
        energy_j=measure.energy_of(found.items, reached),
        usage={
            name: int(np.ceil(count - TOLERANCE))
            for name, count in zip(RESOURCES, usage, strict=True)
        },
        fits=fits,
        gap=(interval - bound) / interval,
        resource_gap=found.gap,
    )
