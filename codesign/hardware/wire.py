"""How elements travel on AXI4-Stream, between host memory and the accelerator."""

from __future__ import annotations

from codesign.network.tensor import Tensor

MAX_BEAT_BITS = 64


def element_bytes(bits: int) -> int:
    """Return the bytes of one element on the wire: 1, 2, 4 or 8."""
    return next(size for size in (1, 2, 4, 8) if 8 * size >= bits)


def beat_bits(lanes: int, bits: int) -> int:
    """Return the beat's width: a power of two of at least 8 bits that holds `lanes` elements."""
    used = 8 * element_bytes(bits) * lanes
    return max(8, 1 << (used - 1).bit_length())


def widest_lanes(tensor: Tensor) -> int:
    """Return the most lanes, a divisor of the channels, that one beat carries."""
    fits = MAX_BEAT_BITS // (8 * element_bytes(tensor.bits))
    return max(d for d in range(1, fits + 1) if tensor.channels % d == 0)
