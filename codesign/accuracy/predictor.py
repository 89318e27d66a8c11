"""The form of an accuracy predictor: from what was trained to what need not be.

Members live in `codesign.accuracy.predictors`, one file each: frozen dataclasses of options.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.space import Point, Space

Reals = NDArray[np.float64]

FOLDS = 5
CONFIDENCE = 0.9
"""Share of the trained networks whose accuracy their ceiling must not have missed."""
FLOOR = 1e-3
"""Shares of wrong answers are told apart from about here on."""


@dataclass(frozen=True)
class Predictor(ABC):
    """Learns scores, which stand for accuracies, from features of points."""

    @abstractmethod
    def predicted(self, known: Reals, scores: Reals, wanted: Reals, seed: int) -> Reals:
        """Return the expected score of every wanted point, `[wanted]`.

        The answer depends on the arguments and options alone.

        Args:
            known: features of trained points, `[known, features]`, 0 to 1.
            scores: of these, `[known]`; more is better.
            wanted: features of others, `[wanted, features]`.
            seed: of whatever is random.
        """


def features(space: Space, points: Sequence[Point]) -> Reals:
    """Return points as numbers within 0..1, `[points, features]`.

    A choice has a column for each of its values, and one for the value's place in their order.
    An idle choice has zeros.
    """
    rows = []
    for point in points:
        indices = space.encode(point)
        row: list[float] = []
        for choice, index, counts in zip(
            space.choices, indices, space.counts(indices), strict=True
        ):
            last = len(choice.values) - 1
            row += [float(counts and place == index) for place in range(last + 1)]
            row.append(index / last if counts and last else 0.0)
        rows.append(row)
    return np.array(rows)


def ceilings(
    predictor: Predictor, known: Reals, accuracies: Reals, wanted: Reals, seed: int
) -> Reals:
    """Return what the accuracies of wanted points will hardly exceed, `[wanted]`.

    It is the prediction and what predictions fell short by: each trained point is predicted from
    four fifths of the others, and 9 in 10 of them did not exceed theirs by more. Predicted are
    logarithms of the errors: good networks differ by little, bad ones by much.

    Source: Vovk, Annals of Mathematics and AI 2015 (cross-conformal prediction), one-sided.
    """
    scores = -np.log(1 - accuracies + FLOOR)
    folds = np.arange(len(known)) % FOLDS
    short = np.empty(len(known))
    for fold in range(FOLDS):
        out = folds == fold
        mean = predictor.predicted(known[~out], scores[~out], known[out], seed)
        short[out] = scores[out] - mean
    margin = max(float(np.quantile(short, CONFIDENCE, method="higher")), 0.0)
    ceiling = predictor.predicted(known, scores, wanted, seed) + margin
    return 1 + FLOOR - np.exp(-ceiling)
