"""The best design for a mix of interval, latency, energy and resources, over all intervals.

At a given interval, what a cycle of it counts is a constant and the rest is a programme
(`codesign.fit.optimum`). What may be chosen at an interval may be chosen at any longer one, so
the optimum at the longest of some intervals, with the cycles of the shortest, bounds them all. A
span of intervals whose bound is no better than a known design is out; else it is cut in two.

Source: Land and Doig, "An automatic method of solving discrete programming problems", 1960.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from codesign.fit.dual import Dual
from codesign.fit.goal import Goal, Measure
from codesign.fit.optimum import PRICES, SAME, SPAN, Effort, Optimum, minimise
from codesign.fit.problem import Items
from codesign.fit.solver import Merit, Solver

SPANS = 64
"""How many spans are tried before the gap that is left is accepted."""
NARROW = 0.25
"""Prices alone judge a span whose cycles count for more than this share of what is open in it."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """The best design found, and what no design can beat."""

    items: Items
    interval: int
    """For which its FIFOs are laid out."""
    value: float
    bound: float

    @property
    def gap(self) -> float:
        """How much better a design could be, relative; 0 where it is proven."""
        if self.bound >= self.value * (1 - SAME):
            return 0.0
        return (self.value - self.bound) / self.value


_Span = tuple[float, int, int]
"""What no design of some intervals can beat, and the first and the last of them."""


class Mixer:
    """Searches the intervals of one problem for one goal."""

    def __init__(
        self,
        solver: Solver,
        measure: Measure,
        goal: Goal,
        among: Sequence[int],
        witness: Items,
        effort: Effort = SPAN,
    ) -> None:
        """Prepare a search.

        Args:
            solver: the problem and its budget.
            measure: its figures.
            goal: what they count.
            among: the intervals that a design may have, rising.
            witness: a design that keeps the last of them within the budget.
            effort: how much to try at each interval.
        """
        self.solver, self.measure, self.among = solver, measure, among
        self.effort = effort
        self.merit = Merit(goal.resources, partial(measure.merit, goal))
        self.per_cycle = measure.per_cycle(goal)
        self.best = self._priced(witness, len(among) - 1)
        self.left_open = np.inf
        """What intervals that were searched in vain might still hold."""

    def search(self) -> Mixed:
        """Return the best design."""
        if self.per_cycle == 0.0:
            return self._at_once()
        spans: list[_Span] = [(-np.inf, 0, len(self.among) - 1)]
        for _ in range(SPANS):
            if not spans or self._beaten(spans[0][0]):
                break
            _, first, last = heapq.heappop(spans)
            for span in self._explored(first, last):
                heapq.heappush(spans, span)
        rest = min((bound for bound, _, _ in spans), default=np.inf)
        return replace(self.best, bound=min(self.best.value, rest, self.left_open))

    def _at_once(self) -> Mixed:
        """Return the best design where the interval does not count.

        Its FIFOs are laid out for the shortest interval that fits, so that nothing waits. Good
        designs are mostly among those of that interval, which are few: they come first.
        """
        interval, _ = self.solver.shortest(self.among)
        costs = self.solver.costs(interval)
        witness = self.solver.witnesses[interval]
        known: Dual | None = None
        for slowest, effort in ((interval, PRICES), (self.among[-1], self.effort)):
            kept = self.solver.affordable(costs, slowest)
            if kept is None:
                raise ValueError(f"no design of {interval} cycles was found again")
            dual = self.solver.dual(costs, kept, self.merit)
            if known is not None:
                dual.learn(known)
            dual.offer(witness)
            found = minimise(dual, effort)
            self.solver.programmes += found.programmes
            known = dual
        if found.items is None:
            raise ValueError(f"no design of {interval} cycles was found again")
        return Mixed(found.items, interval, found.value, found.bound)

    def _beaten(self, bound: float) -> bool:
        """Return whether a design is known that is as good as a bound."""
        return bound >= self.best.value * (1 - SAME)

    def _explored(self, first: int, last: int) -> list[_Span]:
        """Solve a span's most permissive problem; return the spans that are left of it."""
        among, alone = self.among, first == last
        costs = self.solver.costs(among[last], None if alone else among[first])
        kept = self.solver.affordable(costs, among[last])
        if kept is None:
            return []
        dual = self.solver.dual(costs, kept, self.merit)
        first_cycles = self.per_cycle * among[first]
        limit = self.best.value - first_cycles
        found = minimise(dual, PRICES, limit=limit)
        longest = last
        place = self._offered(found, longest)
        last = self._last_open(found.bound, first, last)
        span = self.per_cycle * among[last] - first_cycles
        narrow = not first < place <= last and span < NARROW * (limit - found.bound)
        if last >= first and self.effort.cores and (alone or narrow):
            found = minimise(dual, self.effort, limit=limit)
            self.solver.programmes += found.programmes
            place = self._offered(found, longest)
            last = self._last_open(found.bound, first, last)
        if alone:
            self.left_open = min(self.left_open, first_cycles + found.bound)
        if alone or last < first:
            return []
        cut = place if first < place <= last else (first + last + 1) // 2
        halves = [(first, cut - 1), (cut, last)]
        return [(self.per_cycle * among[a] + found.bound, a, b) for a, b in halves if a <= b]

    def _offered(self, found: Optimum, last: int) -> int:
        """Take a design, and return the place of its interval, or that of the last one."""
        if found.items is None:
            return last
        place = int(np.searchsorted(self.among, self.measure.interval_of(found.items)))
        self._offer(found.items, place)
        self._offer(found.items, last)
        return place

    def _last_open(self, bound: float, first: int, last: int) -> int:
        """Return the last interval of a span that its cycles alone do not rule out."""
        cycles = np.array(self.among[first : last + 1])
        still_open = self.per_cycle * cycles + bound < self.best.value * (1 - SAME)
        return first + int(np.count_nonzero(still_open)) - 1

    def _offer(self, items: Items, place: int) -> None:
        """Take a design, with FIFOs for one of the intervals, if it is the best so far."""
        found = self._priced(items, place)
        if found.value < self.best.value * (1 - SAME):
            self.best = found

    def _priced(self, items: Items, place: int) -> Mixed:
        interval = self.among[place]
        usage = self.solver.costs(interval)[items].sum(axis=0)
        value = self.per_cycle * interval + float(self.merit.greatest(items)[items].sum())
        value += self.merit.share * float(self.solver.worth.of(usage))
        return Mixed(items, interval, value, -np.inf)
