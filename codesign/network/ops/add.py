"""Element-wise sum of two tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape, joined_range
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Add(Op):
    """Residual sum; weights `[2]` bring both inputs to one scale before they are added.

    The weights are positive; `bits` counts their (unused) sign bit.
    """

    rescales: ClassVar[bool] = True

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

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the shape."""
        assert weights is not None
        left, right = (maps.astype(dtype, copy=False) for maps in inputs)
        sums: Exact = left * int(weights[0]) + right * int(weights[1])
        return sums

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of both rescaled inputs, and each of them."""
        ranges = joined_range(inputs, weights, self.bits)
        low = sum(min(0, low) for low, _ in ranges)
        return low, sum(max(0, high) for _, high in ranges)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the shape."""
        return inputs[0] + inputs[1]

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """One step of an input, divided by its weight; the coarsest one's is the most exact."""
        assert weights is not None
        coarsest = int(np.argmax(sources))
        return np.array([sources[coarsest] / int(weights[coarsest])])

    @property
    def weight_shape(self) -> Shape:
        """One factor per input."""
        return (2,)

    @property
    def weight_bits(self) -> int:
        """Bits of one factor, its sign included."""
        return self.bits
