"""Budgets by prices: what can be decided without an integer programme.

Every resource gets a price per share of its budget. The cheapest choice at given prices is exact
(`codesign.fit.elimination`). If it keeps all budgets, a design exists. If even it costs more than
all budgets are worth, none exists: weak Lagrangian duality. Prices rise where budgets are exceeded.

Source: Fisher, "The Lagrangian relaxation method for solving integer programming problems",
Management Science 1981; prices by multiplicative weights (Arora, Hazan, Kale 2012).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.fit.elimination import Elimination
from codesign.fit.programme import Choice, Edge, Layer

ROUNDS = 24
STEP = 2.0
_TOLERANCE = 1e-9


class Relaxation:
    """One problem with positive budgets, its budgets replaced by prices."""

    def __init__(
        self, layers: Sequence[Layer], edges: Sequence[Edge], budget: NDArray[np.float64]
    ) -> None:
        self.elimination = Elimination(layers, edges)
        self.budget = budget
        self.unit = np.where(budget > 0, budget, 1.0)

    def cheapest(self, weights: NDArray[np.float64]) -> Choice | None:
        """Return the choice of least weighted cost if it keeps the budgets; then it is optimal."""
        picked = self.elimination.cheapest(weights)
        if picked is None:
            return None
        options, pairs = picked
        usage = self.elimination.usage(options, pairs)
        if np.any(usage > self.budget + _TOLERANCE):
            return None
        return Choice(options, usage, np.zeros_like(usage), float(weights @ usage))

    def feasible(self) -> bool | None:
        """Return whether any choice keeps the budgets, or None where prices cannot tell."""
        scarce = self.budget > 0
        prices = scarce / scarce.sum()
        for _ in range(ROUNDS):
            picked = self.elimination.cheapest(prices / self.unit)
            if picked is None:
                return False
            shares = self.elimination.usage(*picked) / self.unit
            if np.all(shares <= self.budget / self.unit + _TOLERANCE):
                return True
            if prices @ shares > prices.sum() + _TOLERANCE:
                return False
            prices = prices * np.exp(STEP * np.clip(shares - 1.0, -1.0, 1.0))
            prices /= prices.sum()
        return None
