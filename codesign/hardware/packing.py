"""Two products that share a factor, made by one DSP slice.

A slice multiplies c by a * 2**shift + b, which is a * c * 2**shift + b * c: two products in one
number, `shift` bits apart. What several slices make may be added up before the two sums A and B
are separated, because A * 2**shift + B is again such a number. Separating is exact as long as B
stays within -2**(shift - 1) .. 2**(shift - 1) - 1:

- B is what the lowest `shift` bits say as a signed number: A * 2**shift has none of them.
- A is what remains above, plus one if B is negative, because then B borrowed one from it. The
  sign of B is bit shift - 1, so A = (sum >> shift) + bit shift - 1 of the sum.

The port for the wider factor takes 25 bits (DSP48E1) or 27 (DSP48E2), signed. With weights of
w bits, a * 2**shift + b lies within -2**(w - 1 + shift) - 2**(w - 1) and
2**(w - 1 + shift) + 2**(w - 1): that needs w + shift + 1 bits, so shift = port - w - 1. The
other port takes 18 bits and the accumulator 48, which 2 * shift never exceeds.

At 8-bit weights and activations: 27 bits give shift 18, and 7 products may be added of signed
activations (each at most 2**14), 4 of unsigned ones (255 * 2**7); 25 bits give shift 16, and
every product is separated at once.

Source: Fu et al., AMD white papers WP486 and WP487, 2016 and 2017 (shift 18, 7 products);
AMD UG479 and UG579, DSP48E1 and DSP48E2 (ports, pre-adder, accumulator).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.hardware.structure import MAX_UNROLL, Arithmetic, Count
from codesign.network.tensor import Tensor

NARROW_PORT, WIDE_PORT = 25, 27
"""Signed bits of the wider factor: DSP48E1, and UltraScale's DSP48E2."""

WIDEST_FACTOR, LEAST_FACTOR = 8, 4
"""Bits of the wider factor, weight or activation, between which products are packed: below, a
multiplier of LUTs takes no more of them than packing and separating do."""

UNPACKED = (Arithmetic.LUT, Arithmetic.DSP)
"""One product per multiplier, for engines whose products share no factor."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How far the two products of a slice lie apart, and how many are added before that ends."""

    shift: Count
    terms: Count

    @staticmethod
    def of(arithmetic: Count, element: Tensor, weight_bits: int) -> Packing:
        """Return the packing of weights of `weight_bits` that share one element as a factor."""
        wide = np.equal(arithmetic, Arithmetic.PACKED_WIDE)
        port = NARROW_PORT + (WIDE_PORT - NARROW_PORT) * wide
        # other arithmetic packs nothing, and may have wider weights
        shift = np.maximum(port - weight_bits - 1, 1)
        reach = 1 << (element.bits - 1) if element.signed else (1 << element.bits) - 1
        largest = reach << (weight_bits - 1)
        terms = np.maximum(((1 << (shift - 1)) - 1) // largest, 1)
        if np.ndim(arithmetic):
            return Packing(shift, terms)
        return Packing(int(shift), int(terms))


def is_packed(arithmetic: Count) -> Count:
    """Return 1 where products are made in pairs, else 0."""
    packed = np.isin(arithmetic, (Arithmetic.PACKED, Arithmetic.PACKED_WIDE)) * 1
    return packed if np.ndim(packed) else int(packed)


def arithmetics(
    inputs: int, outputs: int, element: Tensor, weight_bits: int
) -> tuple[Arithmetic, ...]:
    """Return what the products of `outputs` sums over `inputs` elements may be made of.

    The wider port is offered where it lets more of the products be added before separation;
    constants as factors where one engine may have a multiplier for each of them.
    """
    constant = (Arithmetic.CONSTANT,) if inputs * outputs <= MAX_UNROLL else ()
    if outputs < 2 or not LEAST_FACTOR <= max(element.bits, weight_bits) <= WIDEST_FACTOR:
        return (*UNPACKED, *constant)
    narrow = Packing.of(Arithmetic.PACKED, element, weight_bits).terms
    wide = (Arithmetic.PACKED_WIDE,) if np.less(narrow, inputs) else ()
    return (*UNPACKED, Arithmetic.PACKED, *wide, *constant)
