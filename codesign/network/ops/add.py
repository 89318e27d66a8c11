"""Element-wise sum of two tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.network.op import Integers, Op, Shape, dot_range, weight_low
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Add(Op):
    """Residual sum; weights `[2]` bring both inputs to one scale before they are added.

    The weights are positive; `bits` counts their (unused) sign bit.
    """

    bits: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the common shape."""
        left, right = inputs
        if left != right:
            raise ValueError(f"an addition was given {left} and {right}")
        return left

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Rescaling is requantisation, which MACs do not count."""
        return 0

    def accumulate(self, inputs: Sequence[Integers], weights: Integers | None) -> Integers:
        """Return `N x` the shape."""
        assert weights is not None
        left, right = (maps.astype(np.int64) for maps in inputs)
        return left * int(weights[0]) + right * int(weights[1])

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of both rescaled inputs."""
        largest = -weight_low(self.bits) - 1
        factors = np.array([largest, largest]) if weights is None else weights
        bounds = [dot_range(t, np.array([[w]])) for t, w in zip(inputs, factors, strict=True)]
        return sum(low for low, _ in bounds), sum(high for _, high in bounds)

    @property
    def weight_shape(self) -> Shape:
        """One multiplier per input."""
        return (2,)

    @property
    def weight_bits(self) -> int:
        """Bits of one multiplier, its sign included."""
        return self.bits
