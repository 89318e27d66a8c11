"""Bounds and good designs by prices on what is scarce.

Every resource gets a price, and every merit a weight. At given prices the cheapest choice is
exact (`Problem.cheapest`), and what it costs less the worst loss of the prices is a bound that no
design can beat: weak duality. The best prices are found by cutting planes: a small linear
programme over the choices seen so far names the next prices. Its bound is that of the linear
relaxation of the whole integer programme, at the cost of a few cheapest choices.

Source: Kelley, "The cutting-plane method for solving convex programs", SIAM 1960; Fisher, "The
Lagrangian relaxation method for solving integer programming problems", Management Science 1981;
Wentges, "Weighted Dantzig-Wolfe decomposition for linear mixed-integer programming",
International Transactions in Operational Research 1997 (the smoothing).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from codesign.fit.problem import Items, Problem
from codesign.fit.worth import Worth

Values = NDArray[np.float64]

ROUNDS = 80
STRIDE = 3
"""Of so many rounds in which the bound does not rise, one takes the new prices as they are."""
OFFERED = 4
"""Of the choices that are recalled, so many are made better by exchanges."""
CLOSE = 1e-9
"""Relative gap at which nothing is left to find."""
_STEEP = 1e3
"""What may be paid at most for a resource, in its dearest price below the budget."""


class Dual:
    """One problem at one interval: choices seen, the best bound, and the best design."""

    def __init__(
        self,
        problem: Problem,
        costs: Values,
        open_items: NDArray[np.bool_],
        worth: Worth,
        greatest: Callable[[Items], Values] | None = None,
    ) -> None:
        """Start with no bound and no design.

        Args:
            problem: the tables.
            costs: `[items, resources]`, FIFOs included.
            open_items: `[items]`, what may be chosen.
            worth: what resources cost.
            greatest: returns the merit `[items]` whose sum over a design's items is the greatest
                of all merits; it counts as that design's.
        """
        self.problem, self.worth = problem, worth
        self.merits: list[Values] = []
        self.greatest = greatest
        self.costs = costs
        self._columns = costs.copy()
        """Resources, then merits, with room for more."""
        self.closed = np.where(open_items, 0.0, np.inf)
        self.open = open_items
        self.unit = np.maximum(worth.budget, 1.0)
        self.soft = self._softened()
        """What resources cost where too much of them is possible, but dear."""
        self.seen: list[Items] = []
        self.bound, self.value = -np.inf, np.inf
        self.best: Items | None = None
        self.prices: tuple[Values, Values] | None = None
        """Those of the best bound: of resources, and of merits."""

    @property
    def solved(self) -> bool:
        """Whether the best design is proven to be the best."""
        return self.bound >= self.value - CLOSE * max(abs(self.value), 1e-9)

    def total(self, items: Items) -> float:
        """Return what a design costs."""
        return float(self.worth.of(self.costs[items].sum(axis=0))) + self._merit(items)

    def tighten(
        self, enough: Callable[[Dual], bool], first: Values | None = None, close: float = CLOSE
    ) -> None:
        """Raise the bound and look for designs until it is enough, or prices can do no more.

        Args:
            enough: whether what is known suffices.
            first: prices of the resources to begin with, e.g. from a similar problem.
            close: how far from the best bound prices may stay, relative.
        """
        prices, weights = self.worth.slopes[:, 1] if first is None else first, np.zeros(0)
        if self.seen and self.prices is None:  # they were recalled
            if enough(self):
                return
            _, prices, weights = self._master()
        for number in range(ROUNDS):
            before = self.bound
            items = self._price(prices, weights)
            if items is None:
                self.bound = np.inf
                return
            if enough(self) or self.solved:
                return
            relaxed, prices, weights = self._master()
            if self.bound >= relaxed - close * max(abs(relaxed), 1e-9):
                return
            # weights of many merits swing; those halfway to the best so far converge sooner
            halfway = self.bound > before or number % STRIDE
            if len(self.merits) > 1 and self.prices is not None and halfway:
                best = np.zeros(len(weights))
                best[: len(self.prices[1])] = self.prices[1]
                prices, weights = (self.prices[0] + prices) / 2, (best + weights) / 2

    def offer(self, items: Items) -> None:
        """Take a design, made better by exchanges, if it is the best so far."""
        items = self._exchanged(items)
        self._reveal(items)
        if self.best is not None:
            self.value = self.total(self.best)
        value = self.total(items)
        if value < self.value:
            self.value, self.best = value, items

    def promising(self, most: int) -> list[Items]:
        """Return the best design and the best of the choices seen, though they need too much."""
        starts = {items.tobytes(): items for items in self.seen}
        if self.best is not None:
            starts[self.best.tobytes()] = self.best
        return sorted(starts.values(), key=lambda items: float(self.price(self.sums(items))))[:most]

    @property
    def columns(self) -> Values:
        """What is summed over a design's items: resources, then merits, `[items, columns]`."""
        return self._columns[:, : self.costs.shape[1] + len(self.merits)]

    def sums(self, items: Items) -> Values:
        """Return the sums of designs `[..., tables]`, as `[..., columns]`."""
        sums: Values = self.columns[items].sum(axis=-2)
        return sums

    def price(self, sums: Values) -> Values:
        """Return what sums `[..., columns]` cost where too much of a resource is possible."""
        return self._value(sums, self.soft)

    def close(self, items: NDArray[np.bool_]) -> None:
        """Leave out items `[items]` that no design of interest contains."""
        self.open = self.open & ~items
        self.closed = np.where(self.open, 0.0, np.inf)

    def recall(self, choices: Iterable[Items]) -> None:
        """Take choices of similar problems as seen, where they are open; offer the best."""
        recalled = [items for items in choices if np.all(self.open[items])]
        if not recalled:
            return
        for items in recalled:
            self._reveal(items)
        self.seen += recalled
        values = self.price(self.sums(np.array(recalled)))
        for place in np.argsort(values, kind="stable")[:OFFERED]:
            self.offer(recalled[int(place)])

    def learn(self, other: Dual) -> None:
        """Take the merits and the best design of a dual of the same problem, if they are open."""
        for merit in other.merits:
            self._add(merit)
        if other.best is not None and np.all(self.open[other.best]):
            self.offer(other.best)

    def _reveal(self, items: Items) -> None:
        """Add the merit that is greatest for a design, if it is a new one."""
        if self.greatest is None:
            return
        merit = self.greatest(items)
        if float(merit[items].sum()) > self._merit(items) * (1 + CLOSE) or not self.merits:
            self._add(merit)

    def least(self) -> Values:
        """Return for every item a bound on the cost of any design that contains it."""
        if self.prices is None:
            return np.where(self.open, -np.inf, np.inf)
        prices, weights = self.prices
        least = self.problem.least(self._priced(prices, weights))
        return np.where(self.open, least - self.worth.worst_loss(prices), np.inf)

    def greatest_of(self, items: Items) -> int | None:
        """Return the number of the merit that is a design's; None where there are none."""
        self._reveal(items)
        return int(self.sums(items)[self.costs.shape[1] :].argmax()) if self.merits else None

    def _add(self, merit: Values) -> None:
        resources, count = self.costs.shape[1], len(self.merits)
        if resources + count == self._columns.shape[1]:
            more = np.zeros((len(merit), max(4, count)))
            self._columns = np.concatenate([self._columns, more], axis=1)
        self._columns[:, resources + count] = merit
        self.merits.append(merit)

    def _priced(self, prices: Values, weights: Values) -> Values:
        # a merit that was revealed later has no weight yet
        resources = self.costs.shape[1]
        merits = self._columns[:, resources : resources + len(weights)]
        priced: Values = self.costs @ prices + merits @ weights + self.closed
        return priced

    def _price(self, prices: Values, weights: Values) -> Items | None:
        """Find the cheapest choice at some prices, and the bound that follows."""
        least, items = self.problem.cheapest(self._priced(prices, weights))
        if items is None:
            return None
        bound = least - self.worth.worst_loss(prices)
        if bound > self.bound:
            self.bound, self.prices = bound, (prices, weights)
        self.seen.append(items)
        self._reveal(items)
        self.offer(items)
        return items

    def _master(self) -> tuple[float, Values, Values]:
        """Mix the choices seen; return what the best mixture costs, and the prices it pays.

        Columns: a share per choice, three segments of usage per resource, the greatest merit.
        """
        sums = self.sums(np.array(self.seen))
        choices, resources = len(sums), self.costs.shape[1]
        usages, merits = sums[:, :resources] / self.unit, sums[:, resources:]
        scale = max(1.0, np.abs(merits).max(initial=0.0))
        slopes, widths = self._segments()
        segments = -np.kron(np.eye(resources), np.ones(3))
        used = np.hstack([usages.T, segments, np.zeros((resources, 1))])
        greatest = np.hstack(
            [
                merits.T / scale,
                np.zeros((len(self.merits), 3 * resources)),
                -np.ones((len(self.merits), 1)),
            ]
        )
        whole = np.concatenate([np.ones(choices), np.zeros(3 * resources + 1)])
        upper = np.concatenate([np.ones(choices), widths, [np.inf]])
        lower = np.concatenate(
            [np.zeros(choices + 3 * resources), [-np.inf if self.merits else 0.0]]
        )
        found = linprog(
            np.concatenate([np.zeros(choices), slopes, [scale]]),
            A_ub=np.vstack([used, greatest]),
            b_ub=np.zeros(resources + len(self.merits)),
            A_eq=whole[None, :],
            b_eq=[1.0],
            bounds=np.column_stack([lower, upper]),
            method="highs-ds",
            options={"presolve": False},  # it takes longer than so small a programme
        )
        paid = -found.ineqlin.marginals
        relaxed = float(found.fun) + self.worth.least
        return relaxed, paid[:resources] / self.unit, paid[resources:] / scale

    def _segments(self) -> tuple[Values, Values]:
        """Return price and width of the three segments of every resource's usage, in budgets."""
        knots = np.maximum(self.worth.knots / self.unit[:, None], 0.0)
        slopes = self.soft.slopes * self.unit[:, None]
        endless = np.full(len(knots), np.inf)
        widths = np.column_stack([knots[:, 0], knots[:, 1] - knots[:, 0], endless])
        return slopes.ravel(), widths.ravel()

    def _softened(self) -> Worth:
        if not self.worth.hard:
            return self.worth
        slopes = self.worth.slopes.copy()
        dearest = (slopes[:, 1] * self.unit).max() + (1.0 if self.greatest else 0.0)
        slopes[:, 2] = _STEEP * dearest / self.unit
        return replace(self.worth, slopes=slopes, hard=False)

    def _merit(self, items: Items) -> float:
        if not self.merits:
            return 0.0
        return float(self.sums(items)[self.costs.shape[1] :].max())

    def _exchanged(self, items: Items) -> Items:
        """Exchange options for others of the same widths, the best one each time."""
        place = self.problem.place
        starts, stops = (np.searchsorted(place, place[items], side=s) for s in ("left", "right"))
        counts = stops - starts
        others = np.arange(counts.sum()) + np.repeat(stops - np.cumsum(counts), counts)
        others = others[self.open[others]]
        table = self.problem.table[others]
        columns = self.columns[others]
        items, total = items.copy(), self.sums(items)
        value = self._value(total, self.worth)
        gains = columns - self.columns[items[table]]
        while True:
            totals = total + gains
            values = self._value(totals, self.worth)
            number = int(values.argmin())
            if not values[number] < value - (CLOSE * abs(value) if value < np.inf else 0.0):
                return items
            own = slice(*np.searchsorted(table, table[number] + np.arange(2)))
            items[table[number]], total, value = others[number], totals[number], values[number]
            gains[own] = columns[own] - columns[number]

    def _value(self, sums: Values, worth: Worth) -> Values:
        resources = self.costs.shape[1]
        value = worth.of(sums[..., :resources])
        return value + sums[..., resources:].max(axis=-1) if self.merits else value
