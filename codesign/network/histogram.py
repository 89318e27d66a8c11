"""How the values of every tensor are distributed over some images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.errors import InputError
from codesign.network.floats import Floats, batches, walk_floats
from codesign.network.network import FloatNetwork

BINS = 4080
"""Bins on either side of zero: 16 x 255, so that grey levels lie in the middle of theirs."""

_SMALLEST_SINGLE = 1e-30
_LARGEST_SINGLE = 1e30
_SMALLEST = 1e-200
"""Largest magnitudes below it count as zero: their reciprocals are no numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Counts `[2 BINS + 1]` of values; bin `BINS + i` lies around `i * width`.

    Zero and the largest magnitude lie in the middle of their bins. `low` and `high` are the
    exact extremes.
    """

    width: float
    counts: NDArray[np.int64]
    low: float
    high: float

    @property
    def is_zero(self) -> bool:
        """Whether nothing but zero was seen."""
        return self.low == self.high == 0.0

    def held(self) -> tuple[Floats, NDArray[np.int64]]:
        """Return the values that occur, in order, and how often they do."""
        places = np.flatnonzero(self.counts)
        values = np.clip((places - BINS) * self.width, self.low, self.high)
        return values, self.counts[places]

    def within(self, low: float, high: float) -> Histogram:
        """Return the histogram of the values clipped to `low .. high`, which hold zero."""
        values, counts = self.held()
        clipped = np.clip(values, low, high)
        extremes = max(self.low, low), min(self.high, high)
        return replace(_empty(*extremes), counts=_counted(clipped, _empty(*extremes).width, counts))


def observe(network: FloatNetwork, images: NDArray[np.floating]) -> dict[str, Histogram]:
    """Return the histogram of the input and of every node over `images`, `N x` their shape.

    Single precision is enough but where a network's numbers leave its range.

    Raises:
        InputError: there are no images, or a value is not finite.
    """
    if not len(images):
        raise InputError(network.graph.name, "was given no images to calibrate on")
    ranges = _ranges(network, images, np.float32)
    dtype = _enough(max(-low, high) for low, high in ranges.values())
    if dtype is np.float64:
        ranges = _ranges(network, images, dtype)
    for name, extremes in ranges.items():
        if not np.isfinite(extremes).all():
            remedy = "check the weights and the images"
            raise InputError(network.graph.name, f"'{name}' takes values {extremes}", remedy)
    seen = {name: _empty(*extremes) for name, extremes in ranges.items()}
    for batch in batches(network.graph, images):
        for name, values in walk_floats(network, batch, dtype):
            np.add(seen[name].counts, _counted(values, seen[name].width), out=seen[name].counts)
    return seen


def float_type(seen: Iterable[Histogram]) -> DTypeLike:
    """Return the narrowest type in which such values can be computed."""
    return _enough(max(-histogram.low, histogram.high) for histogram in seen)


def _enough(reaches: Iterable[float]) -> DTypeLike:
    is_single = all(_SMALLEST_SINGLE < reach < _LARGEST_SINGLE for reach in reaches)
    return np.float32 if is_single else np.float64


def _ranges(
    network: FloatNetwork, images: NDArray[np.floating], dtype: DTypeLike
) -> dict[str, tuple[float, float]]:
    ranges: dict[str, tuple[float, float]] = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for batch in batches(network.graph, images):
            for name, values in walk_floats(network, batch, dtype):
                low, high = float(values.min()), float(values.max())
                if name in ranges:
                    low, high = min(low, ranges[name][0]), max(high, ranges[name][1])
                ranges[name] = low, high
    return ranges


def _empty(low: float, high: float) -> Histogram:
    counts, reach = np.zeros(2 * BINS + 1, np.int64), max(-low, high)
    if reach < _SMALLEST:
        return Histogram(1.0, counts, 0.0, 0.0)
    return Histogram(reach / BINS, counts, low, high)


def _counted(
    values: Floats, width: float, counts: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return how many values, or how many `counts` of them, lie in each bin."""
    scaled = values.ravel() * values.dtype.type(1 / width) + values.dtype.type(BINS + 0.5)
    places = np.clip(scaled.astype(np.int32), 0, 2 * BINS)
    return np.bincount(places, weights=counts, minlength=2 * BINS + 1).astype(np.int64)
