"""Pooling over maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from codesign.network.op import Integers, Op, Shape
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

KINDS = ("max", "average")


@dataclass(frozen=True, slots=True)
class Pool2d(Op):
    """Maximum or average under a window; a window that covers the map is global pooling.

    The average's accumulator is the plain sum (padding counts as zeros): the node's
    requantisation divides. The maximum passes one of its inputs on; padding never wins.
    """

    kind: str
    window: Window

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"pooling is one of {KINDS}, not '{self.kind}'")

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `C x rows x columns`."""
        (shape,) = inputs
        return (shape[0], *self.window.output_size(shape))

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Pooling multiplies nothing."""
        return 0

    def accumulate(self, inputs: Sequence[Integers], weights: Integers | None) -> Integers:
        """Return `N x C x rows x columns`."""
        maps = inputs[0].astype(np.int64)
        if self.kind == "max":
            lowest = int(np.iinfo(np.int64).min)
            largest: Integers = self.window.patches(maps, pad_value=lowest).max(axis=(4, 5))
            return largest
        sums: Integers = self.window.patches(maps).sum(axis=(4, 5))
        return sums

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The input's own range for the maximum, the sum's for the average."""
        terms = 1 if self.kind == "max" else self.window.positions
        return min(0, terms * inputs[0].low), terms * inputs[0].high
