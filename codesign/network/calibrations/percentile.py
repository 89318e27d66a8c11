"""Clip a fixed share of the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.network.calibration import Calibration, covering_step
from codesign.network.histogram import Histogram
from codesign.network.tensor import Tensor


@dataclass(frozen=True)
class Percentile(Calibration):
    """The range between two percentiles, `percentile` and 100 less that.

    Source: Wu et al., arXiv 2004.09602, 2020, section 3.3, which also gives 99.9 to 99.9999.
    """

    percentile: float = 99.99

    def __post_init__(self) -> None:
        if not 50.0 < self.percentile <= 100.0:
            raise ValueError(f"percentile is above 50 and at most 100, got {self.percentile:g}")

    def step(self, seen: Histogram, tensor: Tensor, base: float | None) -> float:
        """Return the smallest step that reaches both percentiles."""
        low, high = self.limits(seen)
        if low == high == 0.0:
            low, high = seen.low, seen.high
        return covering_step(low, high, tensor, base)

    def limits(self, seen: Histogram) -> tuple[float, float]:
        """Return the least value that the given shares of all do not exceed, and zero."""
        values, counts = seen.held()
        ranks = np.cumsum(counts)
        upper = ranks[-1] * self.percentile / 100
        low, high = values[np.searchsorted(ranks, [ranks[-1] - upper, upper])]
        return min(float(low), 0.0), max(float(high), 0.0)
