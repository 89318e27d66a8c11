"""The least loss of information."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.network.calibration import Calibration, steps_to_try
from codesign.network.floats import Floats
from codesign.network.histogram import Histogram
from codesign.network.tensor import Tensor


@dataclass(frozen=True)
class Entropy(Calibration):
    """The step of least Kullback-Leibler divergence between values and their rounded ones.

    Values that would be clipped count in the outermost bin within reach; each integer's share is
    spread evenly over its bins that hold anything, without the clipped ones. Zero is exact at any
    step and is left out.

    Source: Migacz, 8-bit inference with TensorRT, GPU Technology Conference 2017, slides 26-38.
    """

    def step(self, seen: Histogram, tensor: Tensor, base: float | None) -> float:
        """Return the best of many steps."""
        steps = steps_to_try(seen, tensor, base)
        values, counts = seen.held()
        values, counts = values[values != 0], counts[values != 0]
        return float(min(steps, key=lambda step: divergence(values, counts, step, tensor)))


def divergence(values: Floats, counts: NDArray[np.int64], step: float, tensor: Tensor) -> float:
    """Return the divergence [nat] that a step causes; infinite if it reaches nothing.

    Args:
        values: middles of the bins that hold anything, in order.
        counts: what they hold.
        step: the real value of one integer step.
        tensor: the integer type.
    """
    integers = np.rint(values / step).astype(np.int64)
    first = int(np.searchsorted(integers, tensor.low))
    last = int(np.searchsorted(integers, tensor.high, side="right"))
    if first == last:
        return float("inf")
    levels, kept = integers[first:last] - integers[first], counts[first:last]
    shares = np.bincount(levels, weights=kept) / np.maximum(np.bincount(levels), 1)
    after = shares[levels]
    before = kept.astype(np.float64)
    before[0] += counts[:first].sum()
    before[-1] += counts[last:].sum()
    before, after = before / before.sum(), after / after.sum()
    return float((before * np.log(before / after)).sum())
