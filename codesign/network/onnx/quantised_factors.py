"""Ratios of foreign scales as integers, as precisely as a runtime's single precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.network.graph import MAX_MULTIPLIER_BITS, MAX_PRODUCT_BITS
from codesign.network.op import Integers, Reals

Singles = NDArray[np.float32]

SIGNIFICANT_BITS = 24
"""Bits of a single-precision number (IEEE 754)."""
MAX_SHIFT = 62
RANGE = np.array([2.0**-40, 2.0**20], np.float32)
"""Smallest and largest ratio of scales that is taken seriously."""


def multipliers(ratio: Singles, sum_bits: int) -> tuple[Integers, int]:
    """Return integers and one shift with `integer / 2**shift` equal to each positive ratio.

    They are as small as that allows; powers of two are 1. Where ratios are so far apart that the
    integers would take more bits than a requantisation has, the largest ratios keep all theirs.

    Raises:
        ValueError: a ratio is not positive, or beyond reason.
    """
    exact = _positive(ratio)
    exponents = np.frexp(exact)[1]
    room = min(MAX_MULTIPLIER_BITS, MAX_PRODUCT_BITS - sum_bits)
    shift = SIGNIFICANT_BITS - int(exponents.min())
    shift = min(shift, room - int(exponents.max()), MAX_SHIFT)
    integers = np.maximum(np.rint(np.ldexp(exact, shift)), 1).astype(np.int64)
    return _reduced(integers, shift)


def joining_factors(ratio: Singles) -> tuple[Integers, int]:
    """Return one integer of up to 24 bits per input of a join, and the shift of its sums.

    Raises:
        ValueError: a ratio is not positive, or beyond reason.
    """
    exact = _positive(ratio)
    shift = min(SIGNIFICANT_BITS - int(np.frexp(exact)[1].max()), MAX_SHIFT)
    integers = np.maximum(np.rint(np.ldexp(exact, shift)), 1).astype(np.int64)
    return _reduced(integers, shift)


def _positive(ratio: Singles) -> Reals:
    if not (np.isfinite(ratio) & (ratio >= RANGE[0]) & (ratio <= RANGE[1])).all():
        raise ValueError(f"is requantised by a ratio of {ratio.min()} to {ratio.max()}")
    return ratio.astype(np.float64)


def _reduced(integers: Integers, shift: int) -> tuple[Integers, int]:
    """Leave common factors of two to the shift."""
    ones = int(np.bitwise_or.reduce(integers, axis=None))
    common = min((ones & -ones).bit_length() - 1, shift)
    reduced: Integers = integers >> common
    return reduced, shift - common
