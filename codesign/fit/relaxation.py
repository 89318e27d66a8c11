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
from codesign.fit.programme import Choice, Edge, Layer, Limits

ROUNDS = 24
FIRST_STEP = 2.0
_TOLERANCE = 1e-9


class Relaxation:
    """One problem with positive budgets, its budgets replaced by prices."""

    def __init__(self, layers: Sequence[Layer], edges: Sequence[Edge], limits: Limits) -> None:
        self.elimination = Elimination(layers, edges)
        self.limits = limits
        self.budget = limits.budget
        self.unit = np.where(self.budget > 0, self.budget, 1.0)

    def cheapest(self) -> Choice | None:
        """Return the choice of least weighted cost if nothing is crowded; then it is optimal."""
        picked = self.elimination.cheapest(self.limits.weights)
        if picked is None:
            return None
        options, pairs = picked
        usage = self.elimination.usage(options, pairs)
        if np.any(usage > np.minimum(self.limits.comfort, self.budget) + _TOLERANCE):
            return None
        return Choice(options, usage, np.zeros_like(usage), self.limits.objective(usage))

    def feasible(self) -> bool | None:
        """Return whether any choice keeps the budgets, or None where prices cannot tell."""
        scarce = self.budget > 0
        prices = scarce / scarce.sum()
        for number in range(ROUNDS):
            picked = self.elimination.cheapest(prices / self.unit)
            if picked is None:
                return False
            shares = self.elimination.usage(*picked) / self.unit
            if prices @ shares > prices.sum() + _TOLERANCE:
                return False
            if self._repairable(picked[0], shares):
                return True
            step = FIRST_STEP / (1 + number / 4)
            prices = prices * np.exp(step * np.clip(shares - 1.0, -1.0, 1.0))
            prices /= prices.sum()
        return None

    def _repairable(self, options: Sequence[int], shares: NDArray[np.float64]) -> bool:
        """Return whether exchanging options of equal widths, one by one, keeps the budgets.

        The cheapest choice tends to overspend one resource; the exchange that lowers the excess
        most is made until none is left.
        """
        current = list(options)
        limit = self.budget / self.unit + _TOLERANCE
        excess = float(_excess(shares, limit))
        while excess > 0:
            best = excess
            for layer in range(len(current)):
                alternatives, totals = self._exchanges(layer, current[layer], shares)
                left = _excess(totals, limit)
                number = int(np.argmin(left))
                if left[number] < best - _TOLERANCE:
                    best = float(left[number])
                    exchange = layer, int(alternatives[number]), totals[number]
            if best == excess:
                return False
            layer, current[layer], shares = exchange
            excess = best
        return True

    def _exchanges(
        self, layer: int, option: int, shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return a layer's options of the same widths, and the total shares with each."""
        own = self.elimination.layers[layer]
        same = (own.input_lanes == own.input_lanes[option]) & (
            own.output_lanes == own.output_lanes[option]
        )
        alternatives = np.flatnonzero(same)
        change = (own.costs[alternatives] - own.costs[option]) / self.unit
        return alternatives, shares + change


def _excess(shares: NDArray[np.float64], limit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much shares pass their limits, summed over resources (the last axis)."""
    total: NDArray[np.float64] = np.maximum(shares - limit, 0.0).sum(axis=-1)
    return total
