"""Transposed convolution: the map grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.convolution import convolve
from codesign.network.op import Exact, Integers, Op, Reals, Shape, dot_range, extreme_weights
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window


@dataclass(frozen=True, slots=True)
class ConvTranspose2d(Op):
    """The transpose of a convolution by `window`; weights as a convolution has them.

    Weights are `[outputs, inputs / groups, rows, columns]`: element `[o, i, r, c]` takes input
    channel `i` to output channel `o`, `(r, c)` steps of the dilation down and right of where the
    stride puts the input. `extra` rows and columns are appended at the bottom and at the right.

    Source: Dumoulin and Visin, arXiv 1603.07285, 2016, chapter 4.
    """

    inputs: int
    outputs: int
    window: Window
    bits: int
    groups: int = 1
    extra: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        if self.groups < 1 or self.inputs % self.groups or self.outputs % self.groups:
            raise ValueError(
                f"{self.groups} groups do not divide {self.inputs} inputs and "
                f"{self.outputs} outputs"
            )
        steps = map(max, self.window.stride, self.window.dilation)
        if min(self.extra) < 0 or any(e >= s for e, s in zip(self.extra, steps, strict=True)):
            raise ValueError(f"extra rows and columns {self.extra} are not below the stride")

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `outputs x rows x columns`."""
        (shape,) = inputs
        if shape[0] != self.inputs:
            raise ValueError(f"a convolution of {self.inputs} channels was given {shape}")
        _, height, width = map_shape(shape)
        top, left, bottom, right = self.window.padding
        rows = (height - 1) * self.window.stride[0] + self.window.extent[0] - top - bottom
        columns = (width - 1) * self.window.stride[1] + self.window.extent[1] - left - right
        size = (rows + self.extra[0], columns + self.extra[1])
        if min(size) < 1:
            raise ValueError(f"the padding leaves nothing of the map {shape}")
        return (self.outputs, *size)

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count one multiply-accumulate per weight and input pixel (cropped ones included)."""
        _, rows, columns = map_shape(inputs[0])
        return rows * columns * self.inputs // self.groups * self.outputs * self.window.positions

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x outputs x rows x columns`."""
        assert weights is not None
        return self._convolved(inputs[0].astype(dtype, copy=False), weights.astype(dtype))

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum over all inputs and the whole kernel; strides leave some of it out."""
        if weights is None:
            products = self.inputs // self.groups * self.window.positions
            weights = extreme_weights(self.bits, products)
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

    def _convolved(self, maps: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
        """Convolve the map, zeros between its pixels, with the turned kernel."""
        shape = map_shape(maps.shape[1:])
        (row_step, column_step), (rows, columns) = self.window.stride, self.window.extent
        _, height, width = self.output_shape([shape])
        top, left, _, _ = self.window.padding
        # place the map on a canvas from which every kernel position can be read
        canvas = np.zeros((len(maps), shape[0], height + rows - 1, width + columns - 1), maps.dtype)
        first = (rows - 1 - top, columns - 1 - left)
        spread = maps.reshape(len(maps), *shape)
        canvas[:, :, first[0] :: row_step, first[1] :: column_step][
            :, :, : shape[1], : shape[2]
        ] = spread[
            :,
            :,
            : _fitting(canvas.shape[2], first[0], row_step),
            : _fitting(canvas.shape[3], first[1], column_step),
        ]
        turned = weights[:, :, ::-1, ::-1]
        return convolve(
            canvas, turned, Window(self.window.kernel, dilation=self.window.dilation), self.groups
        )


def _fitting(extent: int, first: int, step: int) -> int:
    """Count the positions `first, first + step, ...` below `extent`."""
    return max(0, -(-(extent - first) // step))
