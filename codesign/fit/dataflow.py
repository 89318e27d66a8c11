"""The best dataflow design of one network on one board, with proof.

The interval is found by bisection over the cycle counts that options can have; at each it is
decided whether the board holds a design of that interval (`codesign.fit.solver`). Latency,
energy and mixes are minimised over all intervals at once (`codesign.fit.mix`). Every answer says
how much better a design of these templates could be: a gap of zero is a proof that none is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.design import Design
from codesign.fit.goal import GOALS, MIX, OBJECTIVES, Goal, Measure, Shortest
from codesign.fit.mix import Mixed, Mixer
from codesign.fit.optimum import PRICES, QUICK, SPAN, THOROUGH, Effort
from codesign.fit.options import check_buildable
from codesign.fit.problem import Items, Problem
from codesign.fit.solver import Solver, Verdict
from codesign.fit.worth import TOLERANCE
from codesign.hardware.board import RESOURCES, Board
from codesign.network.graph import Graph

WORTHWHILE = 1.1
"""Gain for which the missing resources are named, where there is one."""
FULL = 0.9
"""A resource of which so much of the budget is used may keep a design from being better."""
RANKED = "ranks"
"""The objective of a design that a search named, and fit did not seek."""
MORE = 1.25
"""So many times its budget is tried then."""

_GAINS = {
    "interval": "give {:.2f} x the frames per second",
    "latency": "divide the latency by {:.2f}",
    "energy": "divide the energy by {:.2f}",
    "mix": "divide the weighted mix by {:.2f}",
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """What a better design would need and the board does not have."""

    interval: int
    """Cycles between images that more of the resources would give."""
    missing: Mapping[str, int]
    """Resources beyond the budget; a design that has them was found."""
    gain: float
    """How many times better than the answer that design is."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer of `fit`: a design, and how good it is.

    With `excess` empty the design fits, and no other of these templates on this board is better
    by more than `gap`. Otherwise nothing fits; the design is the one that comes closest, and
    `excess` says by how much it exceeds the budget.
    """

    design: Design
    interval: int
    """Cycles between images: the slowest process."""
    bound: int
    """No design of these templates has a shorter interval, whatever the board."""
    excess: Mapping[str, int]
    shortage: Shortage | None
    """What keeps the design from being better; None if nothing is known that would make it so."""
    programmes: int
    """Integer programmes that had to be solved."""
    objective: str
    gap: float
    """How much better a design could be in the objective, relative; 0 is a proof."""
    latency: float
    """Cycles of one image in closed form; the simulation of the pipeline has the last word."""
    energy_j: float
    """Energy of one image at full rate [J]."""
    resource_gap: float = 0.0
    """Of equal intervals, how much less of the board a design could take, relative."""

    @property
    def feasible(self) -> bool:
        """Whether the design fits."""
        return not self.excess

    @property
    def binding(self) -> tuple[str, ...]:
        """The resources that keep the design from being better."""
        return tuple(self.shortage.missing) if self.shortage else ()

    def advice(self) -> str:
        """Say in words what binds."""
        if self.excess:
            parts = [f"{count} {name.upper()} too many" for name, count in self.excess.items()]
            return "nothing fits; the closest design has " + ", ".join(parts)
        if self.shortage is not None:
            missing = self.shortage.missing.items()
            parts = [f"{count} more {name.upper()}" for name, count in missing]
            gain = _GAINS[self.objective].format(self.shortage.gain)
            return f"{' and '.join(parts)} would {gain}"
        if self.objective == RANKED:
            return "the search itself chose every engine; fit was not asked for better ones"
        if self.objective not in ("interval", "resources"):
            return "no resource keeps these templates from being better"
        if self.interval > self.bound:
            return "of the designs that keep the wish, this one takes least of the board"
        return "no other folding of these templates is faster on any board"


def fit(
    graph: Graph,
    board: Board,
    clock_hz: float,
    objective: str | Goal | Shortest = "interval",
    longest_interval: int | None = None,
    budget: Mapping[str, int] | None = None,
) -> Fit:
    """Find the best dataflow design.

    Args:
        graph: the network.
        board: the board; its ceilings decide what may be used.
        clock_hz: the clock.
        objective: "interval" (shortest interval, then least resources), "resources" (least
            resources that keep `longest_interval`), "latency" (of one image, in closed form),
            "energy" (of one image), or a mix of these; `Shortest` is "interval" with a slack, of
            which the answer's `gap` knows nothing.
        longest_interval: cycles between images that the wish permits at the most.
        budget: resources to use instead of the board's, per name.

    Raises:
        ValueError: the objective is unknown.
        InputError: no hardware template makes one of the layers.
    """
    name, goal = _asked(objective)
    check_buildable(graph)
    search = _Search(Problem(graph, board, clock_hz, {**board.budget, **(budget or {})}), name)
    limit = search.intervals[-1] if longest_interval is None else longest_interval
    within = [cycles for cycles in search.intervals if cycles <= limit]
    # even fully unrolled the network may be slower than the wish: show the fastest
    within = within or search.intervals[:1]
    if search.solver.verdict(within[-1]) is not Verdict.FITS:
        return search.closest(within[-1])
    if isinstance(goal, Goal):
        return search.best(within, goal)
    return search.fastest(within, goal.slack) if goal else search.smallest(within[-1])


def _asked(objective: str | Goal | Shortest) -> tuple[str, Goal | Shortest | None]:
    """Return the name of an objective, and what it asks for: None is the least resources.

    Raises:
        ValueError: it is unknown.
    """
    if isinstance(objective, Goal):
        return MIX, objective
    if isinstance(objective, Shortest):
        return "interval", objective
    if objective not in OBJECTIVES:
        raise ValueError(f"fit's objective is one of {OBJECTIVES}, not '{objective}'")
    return objective, Shortest() if objective == "interval" else GOALS.get(objective)


class _Search:
    """One problem, for one objective."""

    def __init__(self, problem: Problem, objective: str) -> None:
        self.problem, self.objective = problem, objective
        self.solver = Solver(problem)
        self.measure = Measure(problem)
        self.intervals = self.solver.intervals

    def fastest(self, within: Sequence[int], slack: float) -> Fit:
        """Return the design of the shortest interval; of several, one of least resources.

        Intervals that are longer by no more than `slack` count as well.
        """
        interval, bound = self.solver.shortest(within)
        taken = max(cycles for cycles in within if cycles <= (1 + slack) * interval)
        found = self.solver.cheapest(taken, QUICK)
        shorter = [cycles for cycles in within if cycles < interval]
        worthwhile = [cycles for cycles in shorter if cycles * WORTHWHILE <= interval]
        shortage = None
        if shorter:
            wanted = worthwhile[-1] if worthwhile else shorter[0]
            missing = self._excess(self._closest(wanted, PRICES), wanted)
            shortage = Shortage(wanted, missing, interval / wanted) if missing else None
        gap = (interval - bound) / interval
        answer = self._answer(found.items, taken, gap, shortage)
        return replace(answer, resource_gap=found.gap)

    def smallest(self, interval: int) -> Fit:
        """Return the design of least resources that keeps an interval."""
        found = self.solver.cheapest(interval)
        return self._answer(found.items, interval, found.gap, None)

    def best(self, within: Sequence[int], goal: Goal) -> Fit:
        """Return the best design for a goal."""
        found = self._mixer(self.solver, within, goal).search()
        shortage = self._relieved(found, within, goal) if found.gap == 0.0 else None
        return self._answer(found.items, found.interval, found.gap, shortage)

    def closest(self, interval: int) -> Fit:
        """Return the design that exceeds the budget least."""
        items = self._closest(interval, THOROUGH)
        return replace(
            self._answer(items, interval, 0.0, None), excess=self._excess(items, interval)
        )

    def _mixer(
        self, solver: Solver, within: Sequence[int], goal: Goal, effort: Effort = SPAN
    ) -> Mixer:
        witness = self.solver.witnesses[within[-1]]
        return Mixer(solver, self.measure, goal, within, witness, effort)

    def _relieved(self, found: Mixed, within: Sequence[int], goal: Goal) -> Shortage | None:
        """Return what more of the fullest resource would give, if it is worthwhile."""
        usage = self._usage(found.items, found.interval)
        available = self.problem.available
        shares = np.where(available > 0, usage / np.maximum(available, 1.0), 0.0)
        fullest = int(shares.argmax())
        if shares[fullest] < FULL:
            return None
        more = available.copy()
        more[fullest] = np.floor(MORE * more[fullest])
        better = self._mixer(Solver(self.problem, more), within, goal, PRICES).search()
        missing = self._excess(better.items, better.interval)
        gain = found.value / better.value
        return Shortage(better.interval, missing, gain) if missing and gain > 1.005 else None

    def _closest(self, interval: int, effort: Effort) -> Items:
        found = self.solver.closest(interval, effort)
        if found.items is None:
            raise ValueError(f"no design has an interval of {interval} cycles")
        return found.items

    def _usage(self, items: Items, interval: int) -> NDArray[np.float64]:
        """Return what a design takes of the board, the shell included."""
        usage: NDArray[np.float64] = self.solver.costs(interval)[items].sum(axis=0)
        return usage + self.problem.taken

    def _excess(self, items: Items, interval: int) -> dict[str, int]:
        """Return what a design takes beyond the budget."""
        over = self._usage(items, interval) - self.problem.available
        return {
            name: int(np.ceil(more - TOLERANCE))
            for name, more in zip(RESOURCES, over, strict=True)
            if more > TOLERANCE
        }

    def _answer(
        self, items: Items | None, interval: int, gap: float, shortage: Shortage | None
    ) -> Fit:
        if items is None:
            raise ValueError(f"no design of {interval} cycles was found again")
        reached = self.measure.interval_of(items)
        return Fit(
            design=self.problem.design(items, interval),
            interval=reached,
            bound=self.intervals[0],
            excess={},
            shortage=shortage,
            programmes=self.solver.programmes,
            objective=self.objective,
            gap=gap,
            latency=self.measure.latency_of(items),
            energy_j=self.measure.energy_of(items, reached),
        )
