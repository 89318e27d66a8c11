"""Fewer and shorter trainings: what a search lets its later trainings know of its earlier ones.

Between two batches a `Guide` reads the trials so far and writes a `Hint` for every point of the
next one. So a decision depends on what came before the batch, never on who computes it or when:
a search stays the same with any number of processes, and after an interruption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from codesign.accuracy.predictor import Predictor, ceilings, features
from codesign.accuracy.sieve import Row, Sieve, row_of
from codesign.search.trial import Constraint, Objective, Trial
from codesign.space import Point, Space

Fidelity = Literal["full", "halving", "hyperband"]

ETA = 3
"""One in so many goes on at a rung."""
ACCURACY = "accuracy"
ENDED_EARLY = "ended_early"
"""The quantity that is 1 where a training was ended, 0 where it might have been."""


@dataclass(frozen=True, slots=True)
class Thrift:
    """What may be saved, beside the options of an evaluator; by default nothing is."""

    proxy: str = ""
    """A zero-cost proxy that decides what is trained; a member of `codesign.accuracy.proxies`."""
    keep: float = 0.5
    """Share of networks that pass the proxy."""
    predictor: str = ""
    """What predicts accuracies, to leave out clearly worse networks; a member of
    `codesign.accuracy.predictors`."""
    learn_after: int = 16
    """Trained networks before the first prediction."""
    patience: int = 0
    """Epochs without a gain after which a training ends; 0: none ends for that."""
    gain: float = 0.0
    """Share of validation images that is less than a gain."""
    fidelity: Fidelity = "full"
    """Whether networks that fall behind the best third at a rung end there."""
    inherit: bool = False
    """Whether weights begin as those of the nearest network that is already trained."""
    finish: bool = False
    """Whether networks of the front whose training ended early are trained in full at the end."""

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is a share above 0, at most 1, got {self.keep}")
        if self.learn_after < 10:
            raise ValueError(f"learn_after is at least 10, got {self.learn_after}")
        if self.patience < 0:
            raise ValueError(f"patience is at least 0, got {self.patience}")
        if not 0 <= self.gain < 1:
            raise ValueError(f"gain is a share of images, got {self.gain}")

    @property
    def saves(self) -> bool:
        """Whether anything is asked for."""
        asked = self.proxy or self.predictor or self.patience or self.inherit
        return bool(asked) or self.fidelity != "full"


@dataclass(frozen=True, slots=True)
class Hint:
    """What one evaluation may know of those before."""

    objectives: tuple[Objective, ...]
    """Those beside the accuracy; a row holds their costs."""
    promises: Sieve
    """Of the proxy."""
    rungs: Mapping[int, Sieve] = field(default_factory=dict)
    ceiling: float = math.inf
    """Accuracy that the point will hardly exceed."""
    least: float = 0.0
    """Accuracy that is wished for."""
    trained: tuple[Row, ...] = ()
    """Of the feasible networks."""
    parent: bytes | None = None
    """The nearest trained network, packed."""

    def costs(self, values: Mapping[str, float]) -> Row:
        """Return what a network costs in all objectives but the accuracy."""
        return tuple(objective.cost(values) for objective in self.objectives)

    def shortfall(self, costs: Row) -> float:
        """Return by how much the accuracy's ceiling is too low to be of use; 0 if it is not.

        It is, where a trained network that costs no more is more accurate, or below the wish.
        """
        cheaper = [row for row in self.trained if all(np.less_equal(row[:-1], costs))]
        best = max((-row[-1] for row in cheaper), default=0.0)
        return max(best, self.least) - self.ceiling if self.ceiling < max(best, self.least) else 0.0


def rung_epochs(fidelity: Fidelity, epochs: int) -> tuple[tuple[int, ...], ...]:
    """Return the brackets of a search, each the numbers of epochs after which to compare.

    Successive halving has one: a ninth and a third of all epochs. Hyperband also has some with
    later or no comparison, against networks that learn slowly; earlier brackets have more members.

    Source: Li et al., JMLR 2018 (arXiv 1603.06560), algorithm 1, with eta 3; Li et al., MLSys 2020
    (arXiv 1810.05934): a comparison with those that came before waits for nobody.
    """
    if fidelity == "full":
        return ((),)
    rungs = tuple(r for r in sorted({max(epochs // ETA**2, 1), epochs // ETA}) if 0 < r < epochs)
    if fidelity == "halving":
        return (rungs,)
    most = len(rungs)
    shares = [math.ceil((most + 1) / (s + 1) * ETA**s) for s in range(most, -1, -1)]
    return tuple(rungs[skipped:] for skipped, share in enumerate(shares) for _ in range(share))


def ended_early(trial: Trial) -> bool:
    """Return whether the training of a trial was ended before it was over."""
    return trial.values.get(ENDED_EARLY, 0.0) > 0


def after(epochs: int) -> str:
    """Return the name of the accuracy in real numbers after some epochs."""
    return f"accuracy_after_{epochs}"


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """Writes the hints of a search."""

    thrift: Thrift
    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    seed: int
    epochs: int
    """Of a full training in real numbers."""
    predictor: Predictor | None = None

    def __call__(
        self,
        trials: Sequence[Trial],
        points: Sequence[Point],
        artifact: Callable[[int], bytes | None],
    ) -> list[Hint]:
        """Return a hint for each of `points`, given all trials before them."""
        costly = tuple(o for o in self.objectives if o.name != ACCURACY)
        trained = [trial for trial in trials if "epochs" in trial.values]
        good = [trial for trial in trained if trial.feasible]
        brackets = rung_epochs(self.thrift.fidelity, self.epochs)
        rungs = {
            epoch: Sieve(_rows(trained, costly, after(epoch)), 1 / ETA)
            for bracket in brackets
            for epoch in bracket
        }
        common = Hint(
            costly,
            Sieve(_rows(trials, costly, self.thrift.proxy), self.thrift.keep),
            least=self._least(),
            trained=_rows(good, costly, ACCURACY),
        )
        return [
            replace(
                common,
                rungs={e: rungs[e] for e in brackets[(len(trials) + place) % len(brackets)]},
                ceiling=limit,
                parent=self._parent(trained, point, artifact),
            )
            for place, (point, limit) in enumerate(
                zip(points, self._ceilings(trained, points), strict=True)
            )
        ]

    def _ceilings(self, trained: Sequence[Trial], points: Sequence[Point]) -> list[float]:
        if self.predictor is None or len(trained) < self.thrift.learn_after or not points:
            return [math.inf] * len(points)
        known = features(self.space, [trial.point for trial in trained])
        accuracies = np.array([trial.values[ACCURACY] for trial in trained])
        wanted = features(self.space, points)
        limits = ceilings(self.predictor, known, accuracies, wanted, self.seed)
        return [float(limit) for limit in limits]

    def _least(self) -> float:
        bounds = [c.bound for c in self.constraints if (c.name, c.operator) == (ACCURACY, ">=")]
        return max(bounds, default=0.0)

    def _parent(
        self,
        trained: Sequence[Trial],
        point: Point,
        artifact: Callable[[int], bytes | None],
    ) -> bytes | None:
        """Return the trained network whose point differs in the fewest choices that count."""
        if not self.thrift.inherit or not trained:
            return None
        own = self._settled(point)

        def distance(trial: Trial) -> tuple[int, float]:
            other = self._settled(trial.point)
            differing = sum(a != b for a, b in zip(own, other, strict=True))
            return differing, -trial.values[ACCURACY]

        return artifact(min(trained, key=distance).number)

    def _settled(self, point: Point) -> tuple[int, ...]:
        return self.space.settled(self.space.encode(point))


def _rows(trials: Sequence[Trial], costly: Sequence[Objective], promise: str) -> tuple[Row, ...]:
    """Return the rows of those trials that have the promise."""
    having = [trial for trial in trials if promise in trial.values]
    return tuple(
        row_of([o.cost(trial.values) for o in costly], trial.values[promise]) for trial in having
    )
