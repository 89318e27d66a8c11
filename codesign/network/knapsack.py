"""One option for each of many parts, of least total error, within a budget: proven optimal.

The multiple-choice knapsack problem. Source: Kellerer, Pferschy and Pisinger, Knapsack Problems,
Springer 2004, chapter 11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from codesign.errors import InfeasibleError

Options = Mapping[str, Mapping[int, float]]
"""A number for every part and option; options are integers, of which larger ones are dearer."""

Picked = Mapping[str, int]
"""An option for every part."""

Cost = Callable[[Picked], float]
"""What all options together cost: never less if one of them is larger."""

_SCALE = 1e6


@dataclass(frozen=True, slots=True)
class Choice:
    """Options within the budget, and how good they are."""

    options: dict[str, int]
    error: float
    cost: float
    bound: float
    """No options within the budget have a smaller error; equal to `error` where that is proven
    to be the least."""


def choose(errors: Options, costs: Options, budget: float) -> Choice:
    """Choose the options of least total error whose total cost is within the budget.

    Args:
        errors: error by part and option.
        costs: cost by part and option.
        budget: the largest total cost.

    Raises:
        InfeasibleError: even the cheapest options cost more.
    """

    def total(picked: Picked) -> float:
        return _total(costs, picked)

    cheapest = {part: min(own, key=lambda o: own[o]) for part, own in costs.items()}
    _check_feasible(total(cheapest), budget)
    programme = _Programme(errors)
    programme.add([costs[part][option] for part, option in programme.columns], -np.inf, budget)
    while total(picked := programme.solved()) > budget:
        # the solver's tolerance let a hair too much pass
        programme.forbid(picked)
    error = _total(errors, picked)
    return Choice(picked, error, total(picked), error)


def choose_by(errors: Options, cost: Cost, budget: float, attempts: int = 200) -> Choice:
    """Choose the options of least total error that a cost of their whole permits.

    Options too dear rule out all that are nowhere smaller; the least such options are looked for
    before the next attempt (logic-based Benders cuts).
    Source: Hooker and Ottosson, Mathematical Programming 96, 2003, section 2.

    Args:
        errors: error by part and option.
        cost: called with an option for every part; infinite for what cannot be built.
        budget: the largest cost.
        attempts: optima to try; after that the best options found are returned.

    Raises:
        InfeasibleError: even the smallest options cost more.
    """
    search = _Search(errors, cost, budget)
    _check_feasible(search.price(search.smallest), budget)
    # a larger option of no smaller error is never needed
    programme = _Programme({part: _improving(own) for part, own in errors.items()})
    bound = -np.inf
    for _ in range(attempts):
        picked = programme.solved()
        bound = _total(errors, picked)
        if search.price(picked) <= budget or bound >= search.error:
            break
        programme.require_smaller(search.least_too_dear(picked))
    best = search.best
    return Choice(dict(best), search.error, search.price(best), min(bound, search.error))


@dataclass
class _Search:
    """Prices, asked for once, and the best options so far."""

    errors: Options
    cost: Cost
    budget: float
    prices: dict[tuple[int, ...], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.smallest = {part: min(own) for part, own in self.errors.items()}
        self.best = self.smallest

    @property
    def error(self) -> float:
        return _total(self.errors, self.best)

    def price(self, picked: Picked) -> float:
        key = tuple(picked[part] for part in self.errors)
        if key not in self.prices:
            self.prices[key] = self.cost(dict(picked))
            if self.prices[key] <= self.budget and _total(self.errors, picked) < self.error:
                self.best = dict(picked)
        return self.prices[key]

    def least_too_dear(self, picked: Picked) -> dict[str, int]:
        """Return options, nowhere larger, that are too dear, and are not if any gets smaller."""
        least = dict(picked)
        for part, own in self.errors.items():
            smaller = sorted(option for option in own if option <= least[part])
            first, last = 0, len(smaller) - 1
            while first < last:
                middle = (first + last) // 2
                if self.price(least | {part: smaller[middle]}) > self.budget:
                    last = middle
                else:
                    first = middle + 1
            least[part] = smaller[last]
        return least


class _Programme:
    """An integer programme with a column for every option of every part."""

    def __init__(self, errors: Options) -> None:
        self.columns = [(part, option) for part, own in errors.items() for option in own]
        values = np.array([errors[part][option] for part, option in self.columns])
        parts = np.array([part for part, _ in self.columns])
        for part in errors:
            values[parts == part] -= values[parts == part].min()
        self._excess = values
        self._rows: list[NDArray[np.float64]] = []
        self._limits: list[tuple[float, float]] = []
        for part in errors:
            self.add((parts == part).astype(np.float64), 1.0, 1.0)

    def add(self, row: Sequence[float] | NDArray[np.float64], low: float, high: float) -> None:
        """Keep the sum of some columns within limits."""
        self._rows.append(np.asarray(row, np.float64))
        self._limits.append((low, high))

    def forbid(self, picked: Picked) -> None:
        """Exclude one solution."""
        row = np.array([float(picked[part] == option) for part, option in self.columns])
        self.add(row, -np.inf, len(picked) - 1)

    def require_smaller(self, picked: Picked) -> None:
        """Have at least one part take an option below the picked one."""
        row = np.array([float(option < picked[part]) for part, option in self.columns])
        self.add(row, 1.0, np.inf)

    def solved(self) -> dict[str, int]:
        """Return the optimum.

        An option that alone is worse than a solution is in no better one. Without it the others
        can be told apart more finely.

        Raises:
            InfeasibleError: nothing is left.
        """
        open_ones = np.ones(len(self.columns), dtype=bool)
        while True:
            taken = self._taken(open_ones)
            better = open_ones & (self._excess <= self._excess[taken].sum())
            if better.sum() == open_ones.sum():
                return dict(
                    column for column, is_in in zip(self.columns, taken, strict=True) if is_in
                )
            open_ones = better

    def _taken(self, open_ones: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the columns of the optimum among those that are open."""
        low, high = np.array(self._limits).T
        # the solver stops at an absolute gap: what it minimises has to be large
        scale = _SCALE / (self._excess[open_ones].max() or 1.0)
        # with its presolve HiGHS may print to standard output, where only answers belong
        result = milp(
            c=self._excess * open_ones * scale,
            constraints=LinearConstraint(sparse.csr_matrix(np.array(self._rows)), low, high),
            integrality=np.ones(len(self.columns)),
            bounds=Bounds(0, open_ones.astype(np.float64)),
            options={"mip_rel_gap": 0.0, "presolve": False},
        )
        if result.x is None:
            raise InfeasibleError(f"no options within the budget are left ({result.message})")
        taken: NDArray[np.bool_] = result.x > 0.5
        return taken


def _improving(own: Mapping[int, float]) -> dict[int, float]:
    """Return the options that have a smaller error than all smaller ones."""
    kept: dict[int, float] = {}
    for option in sorted(own):
        if not kept or own[option] < min(kept.values()):
            kept[option] = own[option]
    return kept


def _total(numbers: Options, picked: Picked) -> float:
    return sum(numbers[part][option] for part, option in picked.items())


def _check_feasible(least: float, budget: float) -> None:
    if not least <= budget:
        raise InfeasibleError(
            f"the narrowest widths cost {least:g}, beyond the budget of {budget:g}"
        )
