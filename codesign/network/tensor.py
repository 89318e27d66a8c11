"""The type of an integer tensor."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAX_BITS = 64


@dataclass(frozen=True, slots=True)
class Tensor:
    """An integer tensor of one image: shape without the batch, width and signedness.

    `shape` is `C x H x W` for maps and `(features,)` for vectors. Zero point is always 0; the
    real value of an element is its integer times the scale that a `Network` records for it.
    """

    shape: tuple[int, ...]
    bits: int
    signed: bool

    def __post_init__(self) -> None:
        if len(self.shape) not in (1, 3) or any(extent < 1 for extent in self.shape):
            raise ValueError(f"a tensor is C x H x W or (features,), not {self.shape}")
        if not 1 <= self.bits <= MAX_BITS:
            raise ValueError(f"a tensor has 1 to {MAX_BITS} bits, not {self.bits}")

    @property
    def low(self) -> int:
        """Smallest value an element can hold."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest value an element can hold."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

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


def signed_bits(low: int, high: int) -> int:
    """Return the fewest two's complement bits that hold every integer of `low .. high`."""
    return 1 + max(_magnitude_bits(int(low)), _magnitude_bits(int(high)))


def _magnitude_bits(value: int) -> int:
    """Return the bits beside the sign bit: -8 needs as many as 7."""
    return (value if value >= 0 else ~value).bit_length()
