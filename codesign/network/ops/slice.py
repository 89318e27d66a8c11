"""Some neighbouring channels of a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Slice(Op):
    """Channels `start` up to, not including, `stop`: one part of a split."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(f"channels {self.start} to {self.stop} are none")

    @property
    def passes(self) -> bool:
        """It computes nothing."""
        return True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the chosen channels, over the same rows and columns."""
        (shape,) = inputs
        if self.stop > shape[0]:
            raise ValueError(f"channels {self.start} to {self.stop} were asked of {shape}")
        return (self.stop - self.start, *shape[1:])

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Nothing is computed."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the chosen channels."""
        return inputs[0][:, self.start : self.stop].astype(dtype, copy=False)

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The input's own."""
        return inputs[0].low, inputs[0].high

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the chosen channels."""
        return inputs[0][:, self.start : self.stop]
