"""Element-wise product of two tensors, or of a map with one factor per channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Multiply(Op):
    """Product of two computed tensors; the second may have one element per channel instead.

    The latter is how squeeze-and-excitation weighs channels (Hu et al., CVPR 2018).
    """

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the first input's shape."""
        left, right = inputs
        per_channel = len(left) == 3 and right in ((left[0],), (left[0], 1, 1))
        if left != right and not per_channel:
            raise ValueError(f"a product was given {left} and {right}")
        return left

    def macs(self, inputs: Sequence[Shape]) -> int:
        """No learned weights."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the first input's shape."""
        return _product(*(values.astype(dtype, copy=False) for values in inputs))

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The extreme products."""
        left, right = inputs
        products = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return min(products), max(products)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the first input's shape."""
        return _product(*inputs)

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """The product of both steps."""
        return np.array([prod(sources)])


def _product(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    product: NDArray[Any] = left * right.reshape(*right.shape, *(1,) * (left.ndim - right.ndim))
    return product
