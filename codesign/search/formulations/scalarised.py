"""One figure of merit for all objectives: a weighted product or a weighted sum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from codesign.errors import InputError, nearest
from codesign.search.formulation import Formulation, base, evaluated
from codesign.search.trial import Objective, Trial

MERIT = "merit"
"""What the strategy maximises."""

_PLACE = "search.formulation=scalarised"
_LARGEST = 10.0
"""Weight; larger ones take a product beyond what a number can hold."""
_MOST = 700.0
_MAY_BE_ZERO = frozenset({"dsp", "bram18", "uram"})


@dataclass(frozen=True)
class Scalarised(Formulation):
    """Trade objectives against each other at a fixed rate.

    With the ratio `r = value / target` of an objective, or its inverse where less is better, the
    product is `prod r ** w`: MnasNet's `accuracy * (latency / target) ** -w`. The sum is
    `sum w * (r - 1)` where more is better and `sum w * (1 - r)` with `r = value / target` where
    less is. In both, `w` may be another one once the target is reached: with `weights_within` of
    0, MnasNet's hard form, nothing is gained by staying below a target.

    Where bounds are violated, the merit loses `penalty * violation` (of a product: a factor of
    `exp(-penalty * violation)`); the penalty grows from zero to its full size over the first
    `anneal` trials, so that a search may begin beyond the bounds and has to end within. A trial
    keeps the penalty of its number, so this is for strategies that forget, like `evolution`; those
    that keep the best of all time, like `nsga2`, want an `anneal` of 0. What is chosen keeps every
    bound.

    Sources: Tan et al., "MnasNet", CVPR 2019 (arXiv 1807.11626), equations 2 and 3, and its
    exponent of 0.07; Joines and Houck, "On the use of non-stationary penalty functions", ICEC
    1994 (a penalty that grows).
    """

    scalarisation: Literal["product", "sum"] = "product"
    weights: Mapping[str, float] = field(default_factory=dict)
    """By objective; 1 for the first and 0.07 for every other one, where nothing is said."""
    weights_within: Mapping[str, float] = field(default_factory=dict)
    """By objective, once its target is reached; else as `weights`."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """By objective, in its unit; 1 for accuracy where nothing is said."""
    penalty: float = 10.0
    anneal: int = 32
    tolerated: float = 0.5
    """Violation, as the sum of relative ones, up to which a network is trained all the same."""

    def __post_init__(self) -> None:
        for option in ("weights", "weights_within"):
            if not all(0 <= weight <= _LARGEST for weight in getattr(self, option).values()):
                given = dict(getattr(self, option))
                raise ValueError(f"{option} lie in 0 .. {_LARGEST:g}, got {given}")
        if not all(0 < target < math.inf for target in self.targets.values()):
            raise ValueError(f"targets are above 0, got {dict(self.targets)}")
        for option in ("penalty", "anneal", "tolerated"):
            if not 0 <= getattr(self, option) < math.inf:
                raise ValueError(f"{option} is at least 0, got {getattr(self, option)}")

    @property
    def tolerance(self) -> float:
        """What is tolerated."""
        return self.tolerated

    def sought(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return the figure of merit.

        Raises:
            InputError: an option names no objective, a sum or a hard form lacks a target, or a
                product has a factor that may be zero.
        """
        names = [base(objective.name) for objective in objectives]
        for option in ("weights", "weights_within", "targets"):
            for name in getattr(self, option):
                if name not in names:
                    problem = f"{option} names '{name}', which is no objective"
                    raise InputError(_PLACE, problem, nearest(name, names))
        for name in names:
            if self.scalarisation == "product" and name in _MAY_BE_ZERO:
                problem = f"a design may take no {name} at all, which a product cannot weigh"
                raise InputError(_PLACE, problem, "write search.scalarisation=sum")
            relative = self.scalarisation == "sum" or name in self.weights_within
            if relative and name not in self.targets and name != "accuracy":
                problem = f"'{name}' needs a target to be compared with"
                raise InputError(_PLACE, problem, f"write e.g. 'search.targets={{{name}: 0.001}}'")
        return (Objective(MERIT, maximize=True),)

    def seen(self, trial: Trial, objectives: Sequence[Objective]) -> Trial:
        """Return the trial with its merit, and its violations as a penalty."""
        if not evaluated(trial, objectives):
            return trial
        share = min(1.0, trial.number / self.anneal) if self.anneal else 1.0
        loss = share * self.penalty * trial.violation
        merit = self.merit(trial.values, objectives, loss)
        return replace(trial, values={**trial.values, MERIT: merit}, violations={})

    def choose(self, trials: Iterable[Trial], objectives: Sequence[Objective]) -> Trial | None:
        """Return the feasible trial of the highest merit."""
        return max(
            self.candidates(trials, objectives),
            key=lambda trial: (self.merit(trial.values, objectives), -trial.number),
            default=None,
        )

    def merit(
        self, values: Mapping[str, float], objectives: Sequence[Objective], loss: float = 0.0
    ) -> float:
        """Return the weighted product or sum of some values, less a loss (see the class)."""
        total = -loss
        for place, objective in enumerate(objectives):
            gain = self._gain(objective, values[objective.name])
            weight = self._weight(objective, place, gain)
            if weight:  # else the gain may be infinite
                total += weight * gain
        return math.exp(min(total, _MOST)) if self.scalarisation == "product" else total

    def _gain(self, objective: Objective, value: float) -> float:
        """Return how much better than its target a value is; 0 where it is the target."""
        ratio = value / self.targets.get(base(objective.name), 1.0)
        if self.scalarisation == "sum":
            gain = ratio - 1
        else:
            gain = math.log(ratio) if ratio > 0 else -math.inf
        return gain if objective.maximize else -gain

    def _weight(self, objective: Objective, place: int, gain: float) -> float:
        name = base(objective.name)
        weight = self.weights.get(name, 0.07 if place else 1.0)
        return self.weights_within.get(name, weight) if gain > 0 else weight
