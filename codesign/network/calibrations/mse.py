"""The least squared error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.network.calibration import Calibration, steps_to_try
from codesign.network.histogram import Histogram
from codesign.network.tensor import Tensor


@dataclass(frozen=True)
class Mse(Calibration):
    """The step whose rounding and clipping errors have the least mean square.

    Source: Sung, Shin and Hwang, arXiv 1511.06488, 2015.
    """

    def step(self, seen: Histogram, tensor: Tensor, base: float | None) -> float:
        """Return the best of many steps."""
        steps = steps_to_try(seen, tensor, base)
        values, counts = seen.held()
        grid = steps[:, None]
        rounded = np.clip(np.rint(values / grid), tensor.low, tensor.high) * grid
        return float(steps[((rounded - values) ** 2 @ counts).argmin()])
