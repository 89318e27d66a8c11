"""Convolution over maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.convolution import convolve
from codesign.network.op import (
    Exact,
    Integers,
    Op,
    Reals,
    Shape,
    dot_range,
    extreme_weights,
)
from codesign.network.tensor import ADDED_LATER, Tensor, map_shape
from codesign.network.windows import Window


@dataclass(frozen=True, slots=True)
class Conv2d(Op):
    """Two-dimensional convolution; weights `[outputs, inputs / groups, rows, columns]`.

    Each of `groups` equal parts of the outputs sees its own part of the inputs; with as many
    groups as inputs the convolution is depthwise. A vector is a map of one pixel.
    """

    inputs: int
    outputs: int
    window: Window
    bits: int
    groups: int = field(default=1, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if self.groups < 1 or self.inputs % self.groups or self.outputs % self.groups:
            raise ValueError(
                f"{self.groups} groups do not divide {self.inputs} inputs and "
                f"{self.outputs} outputs"
            )

    @property
    def is_depthwise(self) -> bool:
        """Whether every output channel sees one input channel."""
        return self.groups == self.inputs > 1

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `outputs x rows x columns`."""
        (shape,) = inputs
        if shape[0] != self.inputs:
            raise ValueError(f"a convolution of {self.inputs} channels was given {shape}")
        return (self.outputs, *self.window.output_size(shape))

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count one multiply-accumulate per weight and output pixel (padding included)."""
        _, rows, columns = self.output_shape(inputs)
        return rows * columns * self.outputs * self._products

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x outputs x rows x columns`."""
        assert weights is not None
        return self._convolved(inputs[0].astype(dtype, copy=False), weights.astype(dtype))

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of `inputs / groups x kernel` products."""
        if weights is None:
            weights = extreme_weights(self.bits, self._products)
        return dot_range(inputs[0], weights.reshape(len(weights), -1))

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x outputs x rows x columns`."""
        assert weights is not None
        return self._convolved(inputs[0], weights)

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """One step of the input times one of each output's weights, `[outputs]`."""
        assert weights is not None
        return sources[0] * weights

    @property
    def weight_shape(self) -> Shape:
        """`[outputs, inputs / groups, kernel rows, kernel columns]`."""
        return (self.outputs, self.inputs // self.groups, *self.window.kernel)

    @property
    def weight_bits(self) -> int:
        """Bits of one signed weight."""
        return self.bits

    @property
    def has_bias(self) -> bool:
        """It learns."""
        return True

    @property
    def _products(self) -> int:
        """Products that make one output element."""
        return self.inputs // self.groups * self.window.positions

    def _convolved(self, maps: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        maps = maps.reshape(len(maps), *map_shape(maps.shape[1:]))
        return convolve(maps, weights, self.window, self.groups)
