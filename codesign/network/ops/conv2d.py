"""Convolution over maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.network.op import Integers, Op, Shape, dot_range, exact_matmul, extreme_weights
from codesign.network.tensor import Tensor
from codesign.network.windows import Window


@dataclass(frozen=True, slots=True)
class Conv2d(Op):
    """Two-dimensional convolution; weights `[outputs, inputs, kernel rows, kernel columns]`."""

    inputs: int
    outputs: int
    window: Window
    bits: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `outputs x rows x columns`."""
        (shape,) = inputs
        if shape[0] != self.inputs:
            raise ValueError(f"a convolution of {self.inputs} channels was given {shape}")
        return (self.outputs, *self.window.output_size(shape))

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count one multiply-accumulate per weight and output pixel (padding included)."""
        _, rows, columns = self.output_shape(inputs)
        return rows * columns * self.outputs * self.inputs * self.window.positions

    def accumulate(self, inputs: Sequence[Integers], weights: Integers | None) -> Integers:
        """Return `N x outputs x rows x columns`."""
        assert weights is not None
        (maps,) = inputs
        patches = self.window.patches(maps)
        count, _, rows, columns = patches.shape[:4]
        left = patches.transpose(0, 2, 3, 1, 4, 5).reshape(count * rows * columns, -1)
        flat = weights.reshape(self.outputs, -1)
        largest = int(np.abs(maps).max(initial=0))
        bound = int(np.abs(flat.astype(np.int64)).sum(axis=1).max()) * largest
        sums = exact_matmul(left, flat.T, bound)
        return sums.reshape(count, rows, columns, self.outputs).transpose(0, 3, 1, 2)

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of `inputs x kernel` products."""
        if weights is None:
            weights = extreme_weights(self.bits, self.inputs * self.window.positions)
        return dot_range(inputs[0], weights.reshape(len(weights), -1))

    @property
    def weight_shape(self) -> Shape:
        """`[outputs, inputs, kernel rows, kernel columns]`."""
        return (self.outputs, self.inputs, *self.window.kernel)

    @property
    def weight_bits(self) -> int:
        """Bits of one signed weight."""
        return self.bits

    @property
    def has_bias(self) -> bool:
        """One integer per output channel."""
        return True
