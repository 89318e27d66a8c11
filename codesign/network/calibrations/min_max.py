"""Clip nothing."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.network.calibration import Calibration, covering_step
from codesign.network.histogram import Histogram
from codesign.network.tensor import Tensor


@dataclass(frozen=True)
class MinMax(Calibration):
    """The whole range that was seen. Source: Jacob et al., CVPR 2018, section 3."""

    def step(self, seen: Histogram, tensor: Tensor, base: float | None) -> float:
        """Return the smallest step that reaches both extremes."""
        return covering_step(seen.low, seen.high, tensor, base)
