"""The form of an operator: shape rule, counts and exact integer answer.

An operator turns integer tensors into exact integer *accumulators*; the node that owns it may
then requantise them (`codesign.network.graph`). Members live in `codesign.network.ops`, one
file each, and are frozen dataclasses of hyper-parameters; weights are handed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.network.tensor import Tensor

Shape = tuple[int, ...]
Integers = NDArray[np.integer]


class Op(ABC):
    """One computing operator of an integer network."""

    __slots__ = ()

    @abstractmethod
    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the shape of the answer.

        Raises:
            ValueError: the operator does not take inputs of these shapes.
        """

    @abstractmethod
    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count the multiply-accumulates of one image (pooling and addition have none)."""

    @abstractmethod
    def accumulate(self, inputs: Sequence[Integers], weights: Integers | None) -> Integers:
        """Return the exact sums (int64) of a batch; every input is `N x` its shape."""

    @abstractmethod
    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Return bounds that no partial sum leaves, in any order of summation, without bias.

        With `weights=None` the bound holds for every weight that `weight_bits` can hold.
        """

    @property
    def weight_shape(self) -> Shape | None:
        """Shape of the integer weights, or None for an operator without any."""
        return None

    @property
    def weight_bits(self) -> int:
        """Bits of one (signed) weight; 0 for an operator without weights."""
        return 0

    @property
    def has_bias(self) -> bool:
        """Whether one integer per output channel is added to the sums."""
        return False


def weight_low(bits: int) -> int:
    """Smallest signed weight of `bits` bits."""
    return -(1 << (bits - 1))


def dot_range(tensor: Tensor, weights: Integers) -> tuple[int, int]:
    """Bound every partial sum of `weights[i, :] . x` for x of `tensor`'s type.

    `weights` is `[outputs, products]`; each product is summed at its own extreme.
    """
    products = np.stack([weights.astype(object) * tensor.low, weights.astype(object) * tensor.high])
    low = np.minimum(products.min(axis=0), 0).sum(axis=1).min()
    high = np.maximum(products.max(axis=0), 0).sum(axis=1).max()
    return int(low), int(high)


def extreme_weights(bits: int, products: int) -> Integers:
    """Return weights `[2, products]` whose partial sums bound those of any weights of `bits`."""
    low = weight_low(bits)
    return np.stack([np.full(products, low), np.full(products, -low - 1)])


def exact_matmul(left: Integers, right: Integers, bound: int) -> Integers:
    """Multiply integer matrices exactly; `bound` is the largest possible |partial sum|.

    Floating-point BLAS is exact while every partial sum is an integer that the mantissa holds
    (IEEE 754: 24 bits in single, 53 in double precision), whatever the order of summation.
    """
    if bound < 1 << 24:
        return (left.astype(np.float32) @ right.astype(np.float32)).astype(np.int64)
    if bound < 1 << 53:
        return (left.astype(np.float64) @ right.astype(np.float64)).astype(np.int64)
    return left.astype(np.int64) @ right.astype(np.int64)
