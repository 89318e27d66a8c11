"""The form of an operator: shape rule, counts, exact integer answer, and its real meaning.

An operator turns integer tensors into exact integer *accumulators*; the node that owns it may
then requantise them (`codesign.network.graph`). Members live in `codesign.network.ops`, one
file each, and are frozen dataclasses of hyper-parameters; weights are handed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.tensor import Tensor

Shape = tuple[int, ...]
Integers = NDArray[np.integer]
Reals = NDArray[np.float64]
Exact = NDArray[Any]
"""Integers in whatever type holds them exactly: floating-point ones are the fastest."""

MANTISSA_BITS = {np.float32: 24, np.float64: 53}
"""Integers of up to so many bits, sign apart, are exact (IEEE 754)."""


class Op(ABC):
    """One computing operator of an integer network."""

    __slots__ = ()

    rescales: ClassVar[bool] = False
    """Whether its weights `[inputs]` are positive factors that bring its inputs to one scale."""

    @abstractmethod
    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the shape of the answer.

        Raises:
            ValueError: the operator does not take inputs of these shapes.
        """

    @abstractmethod
    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count the multiply-accumulates of one image; only learned weights multiply."""

    @abstractmethod
    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return the exact sums of a batch.

        Args:
            inputs: `N x` its shape each.
            weights: `weight_shape`, or None.
            dtype: a type that holds every partial sum, in which to compute.
        """

    @abstractmethod
    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Return bounds that no partial sum leaves, in any order of summation, without bias.

        With `weights=None` the bound holds for every weight that `weight_bits` can hold.
        """

    @abstractmethod
    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return the answer in real numbers, without bias: what the integers stand for.

        `weights` are the learned ones; an operator that learns none is handed None.
        """

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """Return the real value of one step of the sums, `[channels]` or `[1]`.

        Args:
            sources: the real value of one step of each input.
            weights: that of one step of the weights, `[outputs]`, of an operator that learns
                them; the integer weights themselves of one that `rescales`.
        """
        return np.array([sources[0]])

    def typed(self, inputs: Sequence[Tensor], output: Tensor) -> Self:
        """Return the operator for tensors of these types; most do not depend on them."""
        return self

    @property
    def passes(self) -> bool:
        """Whether every integer of its answer is one of its input's, or zero."""
        return False

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
        """Whether it learns: its weights, and one number per output channel for its sums."""
        return False


def exact_type(bits: int) -> DTypeLike:
    """Return the fastest type in which signed integers of `bits` bits are exact.

    Floating-point BLAS is exact while every partial sum is an integer that the mantissa holds,
    whatever the order of summation.
    """
    for dtype, mantissa in MANTISSA_BITS.items():
        if bits <= mantissa + 1:
            return dtype
    return np.int64


def weight_low(bits: int) -> int:
    """Smallest signed weight of `bits` bits."""
    return -(1 << (bits - 1))


def dot_range(tensor: Tensor, weights: Integers) -> tuple[int, int]:
    """Bound every partial sum of `weights[i, :] . x` for x of `tensor`'s type.

    `weights` is `[outputs, products]`; each product is summed at its own extreme, or not at all.
    """
    positive = np.maximum(weights, 0).sum(axis=1, dtype=np.int64).astype(object)
    negative = np.minimum(weights, 0).sum(axis=1, dtype=np.int64).astype(object)
    least, most = min(tensor.low, 0), max(tensor.high, 0)
    low = (positive * least + negative * most).min()
    high = (positive * most + negative * least).max()
    return int(low), int(high)


def extreme_weights(bits: int, products: int) -> Integers:
    """Return weights `[2, products]` whose partial sums bound those of any weights of `bits`."""
    low = weight_low(bits)
    return np.stack([np.full(products, low), np.full(products, -low - 1)])


def joined_range(
    inputs: Sequence[Tensor], weights: Integers | None, bits: int
) -> list[tuple[int, int]]:
    """Return the range of each input times its positive factor, of `bits` bits if not given."""
    largest = -weight_low(bits) - 1
    factors = [largest] * len(inputs) if weights is None else [int(w) for w in weights]
    return [(t.low * w, t.high * w) for t, w in zip(inputs, factors, strict=True)]
