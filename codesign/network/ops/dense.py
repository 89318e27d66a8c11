"""Fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape, dot_range, extreme_weights
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Dense(Op):
    """Matrix times vector; weights `[outputs, inputs]`. A map is flattened in order C, H, W."""

    inputs: int
    outputs: int
    bits: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `(outputs,)`."""
        (shape,) = inputs
        if prod(shape) != self.inputs:
            raise ValueError(f"a dense layer of {self.inputs} inputs was given {shape}")
        return (self.outputs,)

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count one multiply-accumulate per weight."""
        self.output_shape(inputs)
        return self.inputs * self.outputs

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x outputs`."""
        assert weights is not None
        vectors = inputs[0].reshape(len(inputs[0]), -1).astype(dtype, copy=False)
        sums: Exact = vectors @ weights.T.astype(dtype)
        return sums

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of `inputs` products."""
        if weights is None:
            weights = extreme_weights(self.bits, self.inputs)
        return dot_range(inputs[0], weights)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x outputs`."""
        assert weights is not None
        return inputs[0].reshape(len(inputs[0]), -1) @ weights.T

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """One step of the input times one of each output's weights, `[outputs]`."""
        assert weights is not None
        return sources[0] * weights

    @property
    def weight_shape(self) -> Shape:
        """`[outputs, inputs]`."""
        return (self.outputs, self.inputs)

    @property
    def weight_bits(self) -> int:
        """Bits of one signed weight."""
        return self.bits

    @property
    def has_bias(self) -> bool:
        """It learns."""
        return True
