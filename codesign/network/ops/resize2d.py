"""Nearest-neighbour enlargement of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import Tensor, map_shape


@dataclass(frozen=True, slots=True)
class Resize2d(Op):
    """Every pixel `factors` (rows, columns) times over."""

    factors: tuple[int, int]

    def __post_init__(self) -> None:
        if min(self.factors) < 1:
            raise ValueError(f"a map grows by whole factors, not by {self.factors}")

    @property
    def passes(self) -> bool:
        """It computes nothing."""
        return True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the grown map."""
        channels, rows, columns = map_shape(inputs[0])
        return (channels, rows * self.factors[0], columns * self.factors[1])

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Nothing is computed."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the grown map."""
        return self._repeated(inputs[0].astype(dtype, copy=False))

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The input's own."""
        return inputs[0].low, inputs[0].high

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the grown map."""
        return self._repeated(inputs[0])

    def _repeated(self, maps: NDArray[Any]) -> NDArray[Any]:
        maps = maps.reshape(len(maps), *map_shape(maps.shape[1:]))
        return maps.repeat(self.factors[0], axis=2).repeat(self.factors[1], axis=3)
