"""How elements travel on AXI4-Stream, between host memory and the accelerator."""

from __future__ import annotations

from codesign.hardware.structure import Count, ceil_log2
from codesign.network.tensor import Tensor, map_shape

MAX_BEAT_BITS = 512
"""Source: AMD PG021 (AXI DMA: streams of 8 to 1,024 bits, no wider than its memory port) and UG1399
(memory ports of generated kernels: up to 512 bits)."""
EARLIER_BEAT_BITS = 64
"""Widest beat of designs whose files say nothing of their ports."""


def element_bytes(bits: int) -> int:
    """Return the bytes of one element on the wire: 1, 2, 4 or 8."""
    return next(size for size in (1, 2, 4, 8) if 8 * size >= bits)


def wire_bits(bits: int) -> int:
    """Return the bits of one element on the wire."""
    return 8 * element_bytes(bits)


def beat_bits(lanes: Count, bits: int) -> Count:
    """Return the beat's width: the least power of two that holds `lanes` elements."""
    width: Count = 1 << ceil_log2(wire_bits(bits) * lanes)
    return width


def port_registers(beat: Count) -> Count:
    """Return the flip-flops of a port: two words of data, byte enables and TLAST.

    Source: AMD UG1399, pragma HLS interface, `register_mode=both`, the default of axis ports.
    """
    return 2 * (beat + 2 * (beat // 8) + 1)


def legal_lanes(tensor: Tensor, most_bits: int = MAX_BEAT_BITS) -> tuple[int, ...]:
    """Return the numbers of elements that a beat may carry, rising.

    They are a divisor of a pixel's channels, or whole neighbouring pixels of which a row has a
    multiple, and fill no more than `most_bits`; a single element always does.
    """
    channels, _, columns = map_shape(tensor.shape)
    most = max(1, most_bits // wire_bits(tensor.bits))
    within = [lanes for lanes in range(1, min(channels, most) + 1) if channels % lanes == 0]
    pixels = range(2, min(columns, most // channels) + 1)
    return (*within, *(channels * several for several in pixels if columns % several == 0))


def earlier_lanes(tensor: Tensor) -> int:
    """Return the lanes of an input whose design file says nothing: at most a pixel, 64 bits."""
    fits = EARLIER_BEAT_BITS // wire_bits(tensor.bits)
    return max(d for d in range(1, fits + 1) if tensor.channels % d == 0)
