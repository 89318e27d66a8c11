"""What can be decided about one problem at one interval: does anything fit, and what is cheapest.

The FIFOs at the engines' inputs are laid out for the interval that is asked for. A longer
interval never needs deeper ones, so it never takes more, with one exception: a deeper FIFO may
move to block RAM and take fewer LUTs. Proofs that nothing fits take the cheaper of both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.fit import worth
from codesign.fit.dual import Dual
from codesign.fit.optimum import ANY, BRIEF, PRICES, THOROUGH, Effort, Optimum, minimise
from codesign.fit.problem import Items, Problem
from codesign.fit.worth import TOLERANCE
from codesign.hardware.board import RESOURCES

Values = NDArray[np.float64]

RECALLED = 40
"""Choices that are remembered from interval to interval."""
GROWTH = 4
"""A span of intervals has so many times as many as one that was ruled out before it."""


class Verdict(Enum):
    """Whether any design keeps an interval within the budget."""

    FITS = "fits"
    NONE = "nothing of this interval fits"
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
        self.witnesses: dict[int, Items] = {}
        """A design for every interval that was found to fit."""
        self.programmes = 0
        self._prices: Values | None = None
        self._seen: deque[Items] = deque(maxlen=RECALLED)
        """The last choices that prices made: they tell about similar problems."""

    @cached_property
    def intervals(self) -> list[int]:
        """Every interval that a design can have, shortest first, whatever the budget."""
        problem = self.problem
        least = int(np.minimum.reduceat(problem.cycles, problem.starts[:-1]).max())
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

    def verdict(self, interval: int, effort: Effort | None = None) -> Verdict:
        """Return whether any design keeps an interval within the budget.

        Args:
            interval: the cycles that no process may exceed.
            effort: how much to try instead of the solver's own effort.
        """
        if interval not in self.verdicts:
            self.verdicts[interval] = self._verdict(interval, effort or self.effort)
        return self.verdicts[interval]

    def _verdict(self, interval: int, effort: Effort) -> Verdict:
        costs = self.costs(interval)
        kept = self.affordable(costs, interval)
        if kept is None:
            return Verdict.NONE
        excess = self._excess(costs, kept)
        if excess.best is not None and excess.value <= 0.0:
            self.witnesses[interval] = excess.best
            return Verdict.FITS
        if excess.bound > TOLERANCE:
            return Verdict.NONE
        dual = self.dual(costs, kept)
        dual.recall(self._seen)
        found = minimise(dual, PRICES, any_will_do=True)
        self._note(dual)
        if found.items is None and effort.cores:
            dual.close(self._impossible(costs, kept))
            found = minimise(dual, effort, any_will_do=True)
            self.programmes += found.programmes
        if found.items is not None:
            self.witnesses[interval] = found.items
            return Verdict.FITS
        return Verdict.NONE if found.bound == np.inf else Verdict.UNKNOWN

    def excluded(self, costs: Values, interval: int) -> bool:
        """Return whether prices prove that no design of these costs keeps an interval."""
        kept = self.affordable(costs, interval)
        return kept is None or self._excess(costs, kept).bound > TOLERANCE

    def _excess(self, costs: Values, kept: NDArray[np.bool_]) -> Dual:
        """Return what is known of the least excess over the budget, one way or the other."""
        excess = Dual(self.problem, costs, kept, worth.excess(self.budget))
        excess.recall(self._seen)
        excess.tighten(lambda own: own.bound > TOLERANCE or own.value <= 0.0, self._prices)
        if excess.prices is not None:
            self._prices = excess.prices[0]
        self._note(excess)
        return excess

    def _note(self, dual: Dual) -> None:
        """Remember the choices of a dual that are new."""
        known = {items.tobytes() for items in self._seen}
        self._seen.extend(items for items in dual.seen if items.tobytes() not in known)

    def _impossible(self, costs: Values, kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the items whose every design takes more than the budget, as prices prove.

        The prices are those of the least load: the share that the fullest resource has of its
        budget. Nearly full boards leave little that is possible.
        """
        loads = costs / np.maximum(self.budget, 1.0)
        load = Dual(
            self.problem,
            costs,
            kept,
            worth.nothing(self.budget),
            lambda items: loads[:, int(loads[items].sum(axis=0).argmax())],
        )
        load.tighten(lambda own: own.bound > 1 + TOLERANCE, 1 / np.maximum(self.budget, 1.0))
        return kept & (load.least() > 1 + TOLERANCE)

    def shortest(self, among: Sequence[int]) -> tuple[int, int]:
        """Return the shortest interval that is known to fit, and the shortest that might.

        Args:
            among: intervals, rising; the last one is known to fit.
        """
        low, high = 0, len(among) - 1
        while low < high:
            middle = (low + high) // 2
            if self._briefly(among[middle]) is Verdict.FITS:
                high = middle
            else:
                low = middle + 1
        self.verdict(among[high])  # its witness is asked for
        # shorter intervals need deeper FIFOs, which may suit the budget better
        bound = high
        for place in self._left_open(among[:high]):
            verdict = self._briefly(among[place])
            if verdict is Verdict.FITS:
                high = place
            if verdict is not Verdict.NONE:
                bound = place
        return among[high], among[bound]

    def _briefly(self, interval: int) -> Verdict:
        """Return a verdict that takes no long programme: a neighbour is nearly as good."""
        return self.verdict(interval, BRIEF if self.effort is ANY else self.effort)

    def _left_open(self, among: Sequence[int]) -> Iterator[int]:
        """Yield the places, falling, of intervals that no proof for a whole span rules out."""
        if not among or self._none_of(among):
            return
        stop, size = len(among), 1
        while stop:
            start = max(stop - size, 0)
            if size == 1:
                yield start
            elif not self._none_of(among[start:stop]):
                size //= GROWTH
                continue
            stop, size = start, size * GROWTH

    def _none_of(self, among: Sequence[int]) -> bool:
        """Return whether prices prove that nothing fits at any interval of a span."""
        return self.excluded(self.costs(among[-1], among[0]), among[-1])

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
