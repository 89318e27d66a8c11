"""What resources cost, as a convex function: what fits, what is crowded, what is too much.

Per resource it is piecewise linear: a price up to a comfortable share of the budget, tenfold up
to the budget, and beyond it either nothing at all (`hard`) or an excess that outweighs everything
else. Beside the resources stand merits: figures of which the greatest counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

COMFORT = 0.5
CROWDING = 10.0
"""Beyond this share of its budget a resource is crowded, and what is beyond counts so many times:
a design that fills one resource to the brim while others lie idle is hard to route."""
EXCESS = 1e4
"""What a whole budget of excess costs, where excess is permitted."""
TOLERANCE = 1e-6
"""Of a resource, this much more than the budget is a rounding error."""


@dataclass(frozen=True)
class Worth:
    """The cost of usages `[..., resources]`; the arrays have an entry per resource.

    `slopes` `[resources, 3]` are the prices of one unit below the first knot, between both, and
    beyond the second, which is the budget.
    """

    knots: Values
    """`[resources, 2]`, rising; below 0 if even the shell takes more."""
    slopes: Values
    hard: bool
    """Whether more than the budget is impossible."""

    @property
    def budget(self) -> Values:
        """What may be used."""
        budget: Values = self.knots[:, 1]
        return budget

    @property
    def least(self) -> float:
        """What nothing costs: what the shell alone crowds."""
        return float((np.maximum(-self.knots, 0.0) * np.diff(self.slopes)).sum())

    def of(self, usage: Values) -> Values:
        """Return the cost of usages, infinite for what is impossible."""
        total = usage @ self.slopes[:, 0]
        for knots, steeper in self._bends:
            total = total + np.maximum(usage - knots, 0.0) @ steeper
        if self.hard:
            # a product is faster than a maximum over the short rows
            over = np.maximum(usage - (self.budget + TOLERANCE), 0.0) @ np.ones(len(self.knots))
            return np.where(over > 0, np.inf, total)
        return np.asarray(total)

    @cached_property
    def _bends(self) -> list[tuple[Values, Values]]:
        """Knots, and how much steeper it is beyond them, where any of that can be."""
        bends = zip(self.knots.T.copy(), np.diff(self.slopes).T.copy(), strict=True)
        possible = list(bends)[: 1 if self.hard else 2]
        return [(knots, steeper) for knots, steeper in possible if steeper.any()]

    def worst_loss(self, prices: Values) -> float:
        """Return the most by which a usage at these prices may exceed its own cost.

        It is the convex conjugate: a bound on prices * usage - cost over all usages.
        """
        points = np.maximum(np.column_stack([np.zeros(len(self.knots)), self.knots]), 0.0)
        more = np.maximum(points[:, :, None] - self.knots[:, None, :], 0.0)
        costs = points * self.slopes[:, :1] + (more * np.diff(self.slopes)[:, None, :]).sum(axis=-1)
        if not self.hard and np.any(prices > self.slopes[:, 2] * (1 + 1e-9)):
            return float(np.inf)
        return float((prices[:, None] * points - costs).max(axis=1).sum())


def cost(budget: Values, available: Values, taken: Values, totals: Values) -> Worth:
    """Return the usual cost: shares of the board, those beyond comfort counting tenfold.

    Args:
        budget: what engines and edges may use.
        available: what the whole design may use.
        taken: what any design takes, whatever is chosen.
        totals: what the board has.
    """
    weights = np.where(totals > 0, 1 / np.maximum(totals, 1), 0.0)
    excess = np.maximum(EXCESS / np.maximum(budget, 1.0), CROWDING * weights)
    slopes = np.column_stack([weights, CROWDING * weights, excess])
    return Worth(np.column_stack([COMFORT * available - taken, budget]), slopes, hard=True)


def excess(budget: Values) -> Worth:
    """Return what exceeds the budget, in budgets."""
    slopes = np.zeros((len(budget), 3))
    slopes[:, 2] = 1 / np.maximum(budget, 1.0)
    return Worth(np.column_stack([budget, budget]), slopes, hard=False)


def nothing(budget: Values) -> Worth:
    """Return no cost at all: where only merits count."""
    return Worth(np.column_stack([budget, budget]), np.zeros((len(budget), 3)), hard=False)
