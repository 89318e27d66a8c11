"""What each value of each choice multiplies a figure by: a price list of a space.

The figure of a point is taken for a product: a base, and a factor for the value of every choice
that counts. So its logarithm is a sum, whose addends come nearest to a sample of points, by least
squares. For choices that are drawn independently, the sum's expectation is then exact.

Source: additive tables by block as in Wu et al., CVPR 2019 (arXiv 1812.03443), section 3.3. They
measure blocks one by one, which run one after the other. Here all layers run at once and share a
device, so a block is worth what it changes in the figure of whole networks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.space import Space

Reals = NDArray[np.float64]

_HELD_OUT = 5
"""One in so many points is not fitted to, and tells how good the fit is."""
_SHRINKING = 3.0
"""As if so many more points had each value, all with an addend of nothing: few points mislead."""
BASE = "base"


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Addends to the natural logarithm of one figure.

    Attributes:
        space: whose choices they belong to.
        quantity: the figure.
        base: what every point has.
        addends: for each choice, one number per value; they count where the choice does.
        points: how many points they were fitted to.
        explained: the share of the variance of other points' logarithms that the sum explains, 1
            at best.
    """

    space: Space
    quantity: str
    base: float
    addends: tuple[Reals, ...]
    points: int
    explained: float

    @classmethod
    def fitted(
        cls, space: Space, quantity: str, points: Sequence[Sequence[int]], figures: Sequence[float]
    ) -> Effects:
        """Return the addends that come nearest to the figures of some points, given as indices.

        Raises:
            ValueError: a figure is not positive, or there are too few points to judge the fit by.
        """
        values = np.asarray(figures, np.float64)
        held = np.arange(len(values)) % _HELD_OUT == _HELD_OUT - 1
        if held.sum() < 2 or values.min() <= 0:
            raise ValueError(f"{quantity}: needs 10 points with positive figures, or more")
        columns, values = _columns(space, points), np.log(values)
        solution = _ridge(columns[~held], values[~held])
        missed = values[held] - columns[held] @ solution
        variance = float(values[held].var())
        explained = 1 - float((missed**2).mean()) / variance if variance > 0 else 1.0
        ends = np.cumsum([1, *space.shape])
        addends = [solution[start:end] for start, end in pairwise(ends)]
        # what all values of a choice have in common belongs to the base, if it always counts
        common = [
            0.0 if c.when else own.mean() for c, own in zip(space.choices, addends, strict=True)
        ]
        centred = tuple(own - mean for own, mean in zip(addends, common, strict=True))
        base = float(solution[0] + sum(common))
        return cls(space, quantity, base, centred, int((~held).sum()), explained)

    def figure(self, indices: Sequence[int]) -> float:
        """Return the figure of a point, in its unit."""
        counts = self.space.counts(indices)
        own = zip(self.addends, indices, counts, strict=True)
        return exp(self.base + sum(addends[index] for addends, index, count in own if count))

    def expected(self, shares: Sequence[Reals]) -> float:
        """Return the mean logarithm over points whose choices are drawn by `shares` of values."""
        counting = activity(self.space, shares)
        own = zip(self.addends, shares, counting, strict=True)
        return self.base + float(sum(often * (share @ addend) for addend, share, often in own))

    def csv(self) -> str:
        """Return the base, in the figure's unit, and the factors as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("choice", "value", self.quantity))
        writer.writerow((BASE, "", repr(exp(self.base))))
        for choice, addends in zip(self.space.choices, self.addends, strict=True):
            for value, addend in zip(choice.values, addends, strict=True):
                writer.writerow((choice.name, value, repr(exp(addend))))
        return text.getvalue()


def activity(space: Space, shares: Sequence[Any]) -> list[Any]:
    """Return how often each choice counts if values are drawn by `shares`: arrays, or tensors."""
    names = [choice.name for choice in space.choices]
    found: list[Any] = []
    for choice in space.choices:
        often: Any = 1.0
        if choice.when is not None:
            parent = names.index(choice.when.name)
            values = space.choices[parent].values
            waking = [i for i, value in enumerate(values) if value in choice.when.values]
            often = found[parent] * shares[parent][waking].sum()
        found.append(often)
    return found


def _ridge(columns: Reals, values: Reals) -> Reals:
    """Return the coefficients of least squares; all but the first are drawn towards 0."""
    shrinking = np.sqrt(_SHRINKING) * np.eye(columns.shape[1])[1:]
    mean = values.mean()
    rows = np.concatenate([columns, shrinking])
    aims = np.concatenate([values - mean, np.zeros(len(shrinking))])
    solution: Reals = np.linalg.lstsq(rows, aims, rcond=None)[0]
    solution[0] += mean
    return solution


def _columns(space: Space, points: Sequence[Sequence[int]]) -> Reals:
    """Return 1, then for each value of each choice whether a point has it, `[points, columns]`."""
    starts = np.cumsum([1, *space.shape])[:-1]
    columns = np.zeros((len(points), 1 + sum(space.shape)))
    columns[:, 0] = 1.0
    for row, point in enumerate(points):
        counts = np.flatnonzero(space.counts(point))
        columns[row, starts[counts] + np.asarray(point)[counts]] = 1.0
    return columns
