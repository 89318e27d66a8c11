"""What a quantised ONNX model says of its tensors: quantisers, and integers behind constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from codesign.network.op import Integers, Reals

DOMAIN = "codesign"
QUANTISED = "Quantised"
"""The operator that stands where a tensor was quantised: it changes no number."""

RANGES: Mapping[int, tuple[int, int]] = {
    TensorProto.UINT2: (0, 3),
    TensorProto.INT2: (-2, 1),
    TensorProto.UINT4: (0, 15),
    TensorProto.INT4: (-8, 7),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535),
    TensorProto.INT16: (-32768, 32767),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
}
"""Smallest and largest integer of each ONNX type that holds quantised numbers."""

DAMAGE = (ArithmeticError, LookupError, TypeError, ValueError)
"""What reading a node raises whose inputs or attributes are missing, or of another type."""

Kind = Literal["round", "sign", "truncate"]


@dataclass(frozen=True, slots=True)
class Quantiser:
    """How a tensor becomes integers `q` within `low .. high`; its reals are `scale * (q - zero)`.

    `round` divides by the scale and rounds half to even; `sign` keeps whether a number is
    negative, as -1 or 1; `truncate` drops the lowest `cut` bits of what are integers, of steps of
    `step`, already.
    """

    scale: float
    zero: int
    low: int
    high: int
    kind: Kind = "round"
    cut: int = 0
    step: float = 0.0

    @property
    def bounds(self) -> tuple[int, int]:
        """Range of `q - zero`."""
        return self.low - self.zero, self.high - self.zero

    def keeps(self, other: Quantiser) -> bool:
        """Whether what `other` made stays as it is."""
        same = (self.scale, self.zero, self.kind, self.cut)
        within = not self.cut and self.low <= other.low and other.high <= self.high
        return within and same == (other.scale, other.zero, other.kind, other.cut)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A constant that is exactly `integers * scale`, zero point taken off.

    `scale` is `[]`, or `[extent]` along `axis`.
    """

    integers: Integers
    scale: Reals
    axis: int

    @property
    def reals(self) -> Reals:
        """The constant."""
        extents = [1] * self.integers.ndim
        if self.scale.ndim:
            extents[self.axis] = len(self.scale)
        product: Reals = self.integers * self.scale.reshape(extents)
        return product

    def transposed(self, axes: Sequence[int]) -> Stored:
        """Return it with its axes in another order.

        Raises:
            ValueError: these are not its axes.
        """
        axes = [axis % max(1, self.integers.ndim) for axis in axes]
        return Stored(self.integers.transpose(axes), self.scale, axes.index(self.axis))

    def reshaped(self, shape: Sequence[int]) -> Stored:
        """Return it in another shape, an extent of 0 being the one it has.

        Raises:
            ValueError: it has other elements, or scales that no axis of the shape has.
        """
        kept = [*self.integers.shape, *(0 for _ in shape)]
        integers = self.integers.reshape([n or kept[axis] for axis, n in enumerate(shape)])
        if not self.scale.ndim:
            return Stored(integers, self.scale, 0)
        before = self.integers.shape[: self.axis + 1]
        if integers.shape[: self.axis + 1] != before:
            raise ValueError("its scales, one per channel, are torn apart")
        return Stored(integers, self.scale, self.axis)


@dataclass(frozen=True, slots=True)
class Stripped:
    """A float model, and what its quantised original said."""

    model: onnx.ModelProto
    quantisers: dict[str, Quantiser] = field(default_factory=dict)
    """By the name of the tensor that a `Quantised` node makes."""
    constants: dict[str, Stored] = field(default_factory=dict)
    """By the name of the float model's initializer."""


def rounded(
    values: NDArray[np.floating], scale: Reals, zero: Integers, bounds: tuple[int, int]
) -> Integers:
    """Return quantised integers as ONNX defines them: divide, round half to even, saturate."""
    steps = np.rint(values / scale) + zero
    clipped: Integers = np.clip(steps, *bounds).astype(np.int64)
    return clipped
