"""Where a search stands after each trial, in numbers: what screens and logs show."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from codesign.errors import InputError, nearest
from codesign.search.study import Budget, Progress
from codesign.search.trial import Constraint, Objective, Trial

SETTLED = 10
"""Feasible trials after which a reference that nobody gave stays what it is."""

_WORSE = 1.1
"""How far beyond the worst value such a reference lies: extreme points then have volume, too."""

_MOST_SLICES = 20_000
"""Slices of the front that a hypervolume may take: about half a second of one core."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a search stands after a trial."""

    trial: Trial
    replayed: bool  # the journal had it
    total: int  # trials that there will be at the most
    seconds: float  # of evaluation, summed over trials
    trainings: int  # trials whose accuracy is known: the others were turned away before
    feasible: int
    best: Mapping[str, float]  # by objective, among feasible trials; empty without any
    front: int
    reference: Mapping[str, float]  # by objective; empty where it is not known yet
    hypervolume: float | None  # against it; None without it, or where it would take too long
    left_s: float | None  # wall time; None where there is nothing to judge it by

    @property
    def last(self) -> bool:
        """Whether it is the last trial that there can be."""
        return self.trial.number + 1 >= self.total


@dataclass(slots=True)
class Following:
    """Follows one run of a study: give it each `Progress`, and it returns the `Standing`.

    The hypervolume needs a reference: of each objective the value that the user gave; else the
    bound that a constraint puts on it; else a tenth worse than the worst of the first feasible
    trials, `SETTLED` of them, so that it is the same for the rest of the search.
    """

    budget: Budget
    different: int  # points of the space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    given: Mapping[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _seconds: float = field(init=False, default=0.0)
    _made: int = field(init=False, default=0)
    _made_seconds: float = field(init=False, default=0.0)
    _trainings: int = field(init=False, default=0)
    _worst: dict[str, float] = field(init=False, default_factory=dict)
    _front: tuple[Trial, ...] = field(init=False, default=())
    _reference: dict[str, float] = field(init=False, default_factory=dict)
    _hypervolume: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.given = given_reference(self.given, self.objectives)
        self._began = self.clock()

    def __call__(self, progress: Progress) -> Standing:
        """Return where the search stands after one more trial."""
        trial = progress.trial
        self._count(progress)
        if trial.feasible and progress.feasible <= SETTLED:
            self._worsen(trial)
        reference = self._referred()
        if (progress.front, reference) != (self._front, self._reference):
            self._front, self._reference = progress.front, reference
            self._hypervolume = _affordable(progress, reference)
        return Standing(
            trial=trial,
            replayed=progress.replayed,
            total=self._total,
            seconds=self._seconds,
            trainings=self._trainings,
            feasible=progress.feasible,
            best=progress.best,
            front=len(progress.front),
            reference=reference,
            hypervolume=self._hypervolume,
            left_s=self._left(trial.number + 1),
        )

    @property
    def _total(self) -> int:
        return min(self.budget.trials, self.different)

    def _count(self, progress: Progress) -> None:
        self._seconds += progress.trial.seconds
        self._trainings += "accuracy" in progress.trial.values
        if progress.replayed:
            self._began = self.clock()  # replaying takes no time to speak of, but for strategies
        else:
            self._made += 1
            self._made_seconds += progress.trial.seconds

    def _worsen(self, trial: Trial) -> None:
        for objective in self.objectives:
            value = trial.values[objective.name]
            worst = min if objective.maximize else max
            self._worst[objective.name] = worst(self._worst.get(objective.name, value), value)

    def _referred(self) -> dict[str, float]:
        """Return the reference, or nothing while some objective has none."""
        known: dict[str, float] = {}
        for objective in self.objectives:
            name = objective.name
            value = self.given.get(name, _bound(objective, self.constraints))
            if value is None and name in self._worst:
                value = self._worst[name] * (1 / _WORSE if objective.maximize else _WORSE)
            if value is None:
                return {}
            known[name] = value
        return known

    def _left(self, done: int) -> float | None:
        """Return the seconds left, as fast as trials came since those of the journal."""
        if done >= self._total or self._seconds >= self.budget.seconds:
            return 0.0
        if not self._made:
            return None
        elapsed = self.clock() - self._began
        left = elapsed / self._made * (self._total - done)
        if math.isinf(self.budget.seconds) or not self._made_seconds:
            return left
        side_by_side = self._made_seconds / max(elapsed, 1e-9)
        return min(left, (self.budget.seconds - self._seconds) / side_by_side)


def given_reference(
    given: Mapping[str, float], objectives: Iterable[Objective], place: str = "search.reference"
) -> dict[str, float]:
    """Return a reference by objective; "latency_s" also stands for that of every board.

    Raises:
        InputError: it names no objective.
    """
    names = [objective.name for objective in objectives]
    plain = {name: name.partition("@")[0] for name in names}
    for name in given:
        if name not in (*names, *plain.values()):
            remedy = nearest(name, {*names, *plain.values()})
            raise InputError(place, f"there is no objective '{name}'", remedy)
    found = {name: given.get(name, given.get(plain[name])) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _bound(objective: Objective, constraints: Iterable[Constraint]) -> float | None:
    """Return the worst value of an objective that is feasible, where a constraint says so."""
    operator = ">=" if objective.maximize else "<="
    bounds = [c.bound for c in constraints if (c.name, c.operator) == (objective.name, operator)]
    return (max if objective.maximize else min)(bounds, default=None)


def _affordable(progress: Progress, reference: Mapping[str, float]) -> float | None:
    """Return the hypervolume where it is quick to find."""
    slices = len(progress.front) ** max(len(progress.objectives) - 2, 0)
    return progress.hypervolume(reference) if reference and slices <= _MOST_SLICES else None
