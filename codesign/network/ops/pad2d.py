"""Zeros around a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import Tensor, map_shape


@dataclass(frozen=True, slots=True)
class Pad2d(Op):
    """`padding` zeros (top, left, bottom, right), where no window can take them in."""

    padding: tuple[int, int, int, int]

    def __post_init__(self) -> None:
        if min(self.padding) < 0:
            raise ValueError(f"a padding of {self.padding} would crop")

    @property
    def passes(self) -> bool:
        """It computes nothing."""
        return True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the grown map."""
        channels, rows, columns = map_shape(inputs[0])
        top, left, bottom, right = self.padding
        return (channels, rows + top + bottom, columns + left + right)

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Nothing is computed."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the grown map."""
        return self._padded(inputs[0].astype(dtype, copy=False))

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The input's own, and zero."""
        return min(0, inputs[0].low), max(0, inputs[0].high)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the grown map."""
        return self._padded(inputs[0])

    def _padded(self, maps: NDArray[Any]) -> NDArray[Any]:
        top, left, bottom, right = self.padding
        maps = maps.reshape(len(maps), *map_shape(maps.shape[1:]))
        return np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
