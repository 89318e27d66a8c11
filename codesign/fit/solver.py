"""What can be decided about one problem at one interval: does anything fit, and what is cheapest.

The FIFOs at the engines' inputs are laid out for the interval that is asked for. A longer
interval never needs deeper ones, so it never takes more, with one exception: a deeper FIFO may
move to block RAM and take fewer LUTs. Proofs that nothing fits take the cheaper of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.fit import worth
from codesign.fit.dual import Dual
from codesign.fit.optimum import ANY, THOROUGH, Effort, Optimum, minimise
from codesign.fit.problem import Items, Problem
from codesign.fit.worth import TOLERANCE
from codesign.hardware.board import RESOURCES

Values = NDArray[np.float64]


class Verdict(Enum):
    """Whether any design keeps an interval within the budget."""

    FITS = "fits"
    NONE_SHORTER = "neither this interval nor any shorter one"
    NONE_HERE = "not this interval; FIFOs of a shorter one might do"
    UNKNOWN = "not decided"


@dataclass(frozen=True, slots=True)
class Merit:
    """What counts beside the resources."""

    share: float
    """What a unit of the resources' cost counts."""
    greatest: Callable[[Items], Values]
    """As `Dual` takes it."""


class Solver:
    """One problem with its budget."""

    def __init__(
        self, problem: Problem, available: Values | None = None, effort: Effort = ANY
    ) -> None:
        """Price the budget.

        Args:
            problem: the problem.
            available: what a design may use instead of the problem's own, `[resources]`.
            effort: how much to try where prices leave open whether anything fits.
        """
        self.effort = effort
        self.problem = problem
        available = problem.available if available is None else available
        self.budget = available - problem.taken
        totals = np.array([getattr(problem.board.resources, n) for n in RESOURCES], float)
        self.worth = worth.cost(self.budget, available, problem.taken, totals)
        self.verdicts: dict[int, Verdict] = {}
        self.tries: dict[int, tuple[Verdict, bool]] = {}
        self.witnesses: dict[int, Items] = {}
        """A design for every interval that was found to fit."""
        self.programmes = 0
        self._prices: Values | None = None

    @cached_property
    def intervals(self) -> list[int]:
        """Every interval that a design can have, shortest first, whatever the budget."""
        problem = self.problem
        least = int(np.minimum.reduceat(problem.cycles, problem.starts[:-1]).max())
        least = max(least, problem.ends.cycles)
        counts = np.unique(problem.cycles)
        counted = [least, *(int(count) for count in counts if count > least)]
        low, high = 0, len(counted) - 1
        while low < high:
            middle = (low + high) // 2
            if self._joinable(counted[middle]):
                high = middle
            else:
                low = middle + 1
        return counted[low:]

    def _joinable(self, interval: int) -> bool:
        """Return whether engines of this speed can be joined, whatever the budget."""
        prices = np.where(self.problem.cycles <= interval, 0.0, np.inf)
        return self.problem.cheapest(prices)[1] is not None

    def verdict(self, interval: int) -> Verdict:
        """Return whether any design keeps an interval within the budget."""
        if interval not in self.verdicts:
            self.verdicts[interval] = self._verdict(interval)
        return self.verdicts[interval]

    def _verdict(self, interval: int) -> Verdict:
        verdict, by_prices = self._tried(interval)
        return self._whether_none_shorter(interval) if by_prices else verdict

    def _tried(self, interval: int) -> tuple[Verdict, bool]:
        """Return a verdict on one interval alone, and whether prices proved that none fits."""
        if interval not in self.tries:
            self.tries[interval] = self._try(interval)
        return self.tries[interval]

    def _try(self, interval: int) -> tuple[Verdict, bool]:
        costs = self.costs(interval)
        kept = self.affordable(costs, interval)
        if kept is None:
            return Verdict.NONE_HERE, True
        excess = self._excess(costs, kept)
        if excess.best is not None and excess.value <= 0.0:
            self.witnesses[interval] = excess.best
            return Verdict.FITS, False
        if excess.bound > TOLERANCE:
            return Verdict.NONE_HERE, True
        found = minimise(self.dual(costs, kept), self.effort, any_will_do=True)
        self.programmes += found.programmes
        if found.items is not None:
            self.witnesses[interval] = found.items
            return Verdict.FITS, False
        return (Verdict.NONE_HERE if found.bound == np.inf else Verdict.UNKNOWN), False

    def _whether_none_shorter(self, interval: int) -> Verdict:
        """Return whether the FIFOs of shorter intervals make no difference to a proof."""
        shorter = self.costs(interval, self.intervals[0])
        excluded = self.excluded(shorter, interval)
        return Verdict.NONE_SHORTER if excluded else Verdict.NONE_HERE

    def excluded(self, costs: Values, interval: int) -> bool:
        """Return whether prices prove that no design of these costs keeps an interval."""
        kept = self.affordable(costs, interval)
        return kept is None or self._excess(costs, kept).bound > TOLERANCE

    def _excess(self, costs: Values, kept: NDArray[np.bool_]) -> Dual:
        """Return what is known of the least excess over the budget, one way or the other."""
        excess = Dual(self.problem, costs, kept, worth.excess(self.budget))
        excess.tighten(lambda own: own.bound > TOLERANCE or own.value <= 0.0, self._prices)
        if excess.prices is not None:
            self._prices = excess.prices[0]
        return excess

    def shortest(self, among: Sequence[int]) -> tuple[int, int]:
        """Return the shortest interval that is known to fit, and the shortest that might.

        Args:
            among: intervals, rising; the last one is known to fit.
        """
        low, high = 0, len(among) - 1
        while low < high:
            middle = (low + high) // 2
            if self._tried(among[middle])[0] is Verdict.FITS:
                high = middle
            else:
                low = middle + 1
        # one proof, for the longest interval that does not fit, is enough for all shorter ones
        self.verdict(among[high])  # its witness is asked for
        if not high or self.verdict(among[high - 1]) is Verdict.NONE_SHORTER:
            return among[high], among[high]
        return self._shortest_of_some(among)

    def _shortest_of_some(self, among: Sequence[int]) -> tuple[int, int]:
        """Do the same where an interval may fit though a longer one does not."""
        low, high = 0, len(among) - 1
        open_from: int | None = None
        while low < high:
            middle = (low + high) // 2
            verdict = self.verdict(among[middle])
            if verdict is Verdict.FITS:
                high = middle
            elif verdict is Verdict.NONE_SHORTER:
                low = middle + 1
            else:
                fits = [n for n in range(low, middle) if self.verdict(among[n]) is Verdict.FITS]
                undecided = [
                    n for n in range(low, middle + 1) if self.verdict(among[n]) is Verdict.UNKNOWN
                ]
                if undecided and open_from is None:
                    open_from = undecided[0]
                if fits:
                    high = fits[0]
                    break
                low = middle + 1
        self.verdict(among[high])  # its witness is asked for
        bound = high if open_from is None else min(open_from, high)
        return among[high], among[bound]

    def cheapest(self, interval: int, effort: Effort = THOROUGH) -> Optimum:
        """Return the design of least resources whose every process keeps an interval."""
        costs = self.costs(interval)
        kept = self.affordable(costs, interval)
        if kept is None:
            return Optimum(None, np.inf, np.inf, 0)
        dual = self.dual(costs, kept)
        if interval in self.witnesses:
            dual.offer(self.witnesses[interval])
        return self._counted(minimise(dual, effort))

    def closest(self, interval: int, effort: Effort = THOROUGH) -> Optimum:
        """Return the design that exceeds the budget least, in budgets; of equals the cheapest."""
        kept = self.problem.cycles <= interval
        dual = Dual(self.problem, self.costs(interval), kept, replace(self.worth, hard=False))
        return self._counted(minimise(dual, effort))

    def dual(self, costs: Values, kept: NDArray[np.bool_], merit: Merit | None = None) -> Dual:
        """Return the problem of the best design: by its resources, or also by other merits."""
        if merit is None:
            return Dual(self.problem, costs, kept, self.worth)
        own = replace(self.worth, slopes=self.worth.slopes * merit.share)
        return Dual(self.problem, costs, kept, own, merit.greatest)

    def _counted(self, optimum: Optimum) -> Optimum:
        self.programmes += optimum.programmes
        return optimum

    def costs(self, interval: int, deepest: int | None = None) -> Values:
        """Return what every item takes, `[items, resources]`; see `Problem.fifo_costs`."""
        return self.problem.costs + self.problem.fifo_costs(interval, deepest)

    def affordable(self, costs: Values, interval: int) -> NDArray[np.bool_] | None:
        """Return the items that keep an interval and that the budget could pay for.

        Each beside the least that all other layers and edges need; None if one has none.
        """
        problem = self.problem
        starts = problem.starts[:-1]
        kept = problem.cycles <= interval
        # resource by resource: an order of magnitude faster than over the short rows
        masked = (np.where(kept, own, np.inf) for own in costs.T)
        least = np.array([np.minimum.reduceat(own, starts) for own in masked])
        room = self.budget - least.sum(axis=1) + TOLERANCE
        if not np.all(room >= 0):
            return None
        for own, most in zip(costs.T, least + room[:, None], strict=True):
            kept = kept & (own <= most[problem.table])
        return kept if np.all(np.logical_or.reduceat(kept, starts)) else None
