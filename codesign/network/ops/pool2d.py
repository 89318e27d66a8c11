"""Pooling over maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import ADDED_LATER, Tensor, map_shape
from codesign.network.windows import Window

KINDS = ("max", "average")


@dataclass(frozen=True, slots=True)
class Pool2d(Op):
    """Maximum or average under a window; a window that covers the map is global pooling.

    The maximum passes one of its inputs on; padding never wins. The average's accumulator is an
    exact sum, and the node's requantisation divides it by `divisor`. Where padding is not
    counted, windows at the border hold fewer elements: their sums are multiplied, so that all
    are to be divided by the same number.
    """

    kind: str
    window: Window
    counts_padding: bool = field(default=True, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"pooling is one of {KINDS}, not '{self.kind}'")
        if not self.counts_padding and (self.kind == "max" or not any(self.window.padding)):
            object.__setattr__(self, "counts_padding", True)  # equal poolings are to be equal

    @property
    def passes(self) -> bool:
        """Whether it is the maximum."""
        return self.kind == "max"

    @property
    def divisor(self) -> int:
        """What the average's sums are to be divided by."""
        if self.counts_padding:
            return self.window.positions
        return self._common(0) * self._common(1)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `C x rows x columns`."""
        (shape,) = inputs
        return (shape[0], *self.window.output_size(shape))

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Pooling learns nothing."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x C x rows x columns`."""
        maps = _maps(inputs[0]).astype(dtype, copy=False)
        if self.kind == "max":
            return self._largest(maps)
        sums = self._sums(maps)
        if self.counts_padding:
            return sums
        multiples = np.multiply.outer(*self.multiples(maps.shape[1:])).astype(sums.dtype)
        balanced: Exact = sums * multiples
        return balanced

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The input's own range for the maximum, the sum's for the average."""
        low, high = inputs[0].low, inputs[0].high
        if self.kind == "max":
            return low, high
        return min(0, self.divisor * low), max(0, self.divisor * high)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x C x rows x columns`."""
        maps = _maps(inputs[0])
        if self.kind == "max":
            return self._largest(maps)
        if self.counts_padding:
            return self._sums(maps) / self.window.positions
        multiples = np.multiply.outer(*self.multiples(maps.shape[1:])).astype(maps.dtype)
        averages: Reals = self._sums(maps) * multiples / self.divisor
        return averages

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """One step of the input, divided as the average is."""
        return np.array([sources[0] / (1 if self.kind == "max" else self.divisor)])

    def multiples(self, shape: Shape) -> tuple[Integers, Integers]:
        """Return what the sums of each row, and of each column, of the output are multiplied by.

        That is `divisor` by the number of elements under the window, as a product.
        """
        rows, columns = (self._common(axis) // self._held(axis, shape) for axis in (0, 1))
        return rows, columns

    def _largest(self, maps: NDArray[Any]) -> NDArray[Any]:
        is_float = np.issubdtype(maps.dtype, np.floating)
        lowest = -np.inf if is_float else int(np.iinfo(maps.dtype).min)
        largest: NDArray[Any] = self._reduced(maps, np.maximum, lowest)
        return largest

    def _sums(self, maps: NDArray[Any]) -> NDArray[Any]:
        if self.window.covers(maps.shape[1:]):
            whole: NDArray[Any] = maps.sum(axis=(2, 3), keepdims=True, dtype=maps.dtype)
            return whole
        return self._reduced(maps, np.add, 0)

    def _reduced(self, maps: NDArray[Any], reduce: np.ufunc, pad_value: float) -> NDArray[Any]:
        """Combine columns, then rows: a window is the product of both."""
        window = self.window
        rows, columns = window.output_size(maps.shape[1:])
        across = _combined(window.padded(maps, pad_value), 3, columns, window, reduce)
        return _combined(across, 2, rows, window, reduce)

    def _held(self, axis: int, shape: Shape) -> Integers:
        """Return how many rows (0) or columns (1) of each window lie on the map; at least 1."""
        window = self.window
        first = np.arange(window.output_size(shape)[axis]) * window.stride[axis]
        places = first[:, None] - window.padding[axis]
        places = places + np.arange(window.kernel[axis]) * window.dilation[axis]
        inside = (places >= 0) & (places < map_shape(shape)[1 + axis])
        held: Integers = np.maximum(inside.sum(axis=1), 1)
        return held

    def _common(self, axis: int) -> int:
        """Return a multiple of every number of rows (0) or columns (1) within the map."""
        kernel, dilation = self.window.kernel[axis], self.window.dilation[axis]
        before, after = self.window.padding[axis], self.window.padding[axis + 2]
        outside = -(-before // dilation) + -(-after // dilation)
        return lcm(*range(max(1, kernel - outside), kernel + 1))


def _maps(maps: NDArray[Any]) -> NDArray[Any]:
    return maps.reshape(len(maps), *map_shape(maps.shape[1:]))


def _combined(
    maps: NDArray[Any], axis: int, extent: int, window: Window, reduce: np.ufunc
) -> NDArray[Any]:
    """Return `extent` windows along one axis, each position after the other."""
    step, distance = window.stride[axis - 2], window.dilation[axis - 2]
    end = (extent - 1) * step + 1
    parts = []
    for position in range(window.kernel[axis - 2]):
        first = position * distance
        cut = [slice(None)] * maps.ndim
        cut[axis] = slice(first, first + end, step)
        parts.append(maps[tuple(cut)])
    result = parts[0].copy()
    for part in parts[1:]:
        reduce(result, part, out=result)
    return result
