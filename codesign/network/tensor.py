"""The type of an integer tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MAX_BITS = 64

ADDED_LATER: Mapping[str, Any] = MappingProxyType({"added later": True})
"""Marks a field that files of older versions lack: it is written only where it says something."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An integer tensor of one image: shape without the batch, width and signedness.

    `shape` is `C x H x W` for maps (one-dimensional ones have a single row) and `(features,)`
    for vectors. Zero point is always 0; the real value of an element is its integer times the
    scale that a `Network` records for it. `bounds` narrow the range that the width would allow:
    a tensor that saturates at 192 still has 8 bits.
    """

    shape: tuple[int, ...]
    bits: int
    signed: bool
    bounds: tuple[int, int] | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if len(self.shape) not in (1, 3) or any(extent < 1 for extent in self.shape):
            raise ValueError(f"a tensor is C x H x W or (features,), not {self.shape}")
        if not 1 <= self.bits <= MAX_BITS:
            raise ValueError(f"a tensor has 1 to {MAX_BITS} bits, not {self.bits}")
        widest = self._widest()
        if self.bounds == widest:
            object.__setattr__(self, "bounds", None)
        elif self.bounds and not widest[0] <= self.bounds[0] <= self.bounds[1] <= widest[1]:
            raise ValueError(f"the range {self.bounds} is not within that of {self.bits} bits")

    @property
    def low(self) -> int:
        """Smallest value an element can hold."""
        return self.bounds[0] if self.bounds else self._widest()[0]

    @property
    def high(self) -> int:
        """Largest value an element can hold."""
        return self.bounds[1] if self.bounds else self._widest()[1]

    @property
    def elements(self) -> int:
        """Number of elements of one image."""
        return math.prod(self.shape)

    @property
    def channels(self) -> int:
        """Extent of the first axis: what a stream carries side by side."""
        return self.shape[0]

    @property
    def pixels(self) -> int:
        """Positions per channel: `H x W`, or 1 for a vector."""
        return self.elements // self.shape[0]

    def _widest(self) -> tuple[int, int]:
        """Return the range of the width alone."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


def signed_bits(low: int, high: int) -> int:
    """Return the fewest two's complement bits that hold every integer of `low .. high`."""
    return 1 + max(_magnitude_bits(int(low)), _magnitude_bits(int(high)))


def map_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape of a tensor as a map: a vector is a map of one pixel."""
    channels, rows, columns = shape if len(shape) == 3 else (shape[0], 1, 1)
    return channels, rows, columns


def _magnitude_bits(value: int) -> int:
    """Return the bits beside the sign bit: -8 needs as many as 7."""
    return (value if value >= 0 else ~value).bit_length()
