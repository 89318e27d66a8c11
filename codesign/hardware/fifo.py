"""How a FIFO between two processes is built; printed as a pragma and priced alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.structure import Count

SHIFT_REGISTER_DEPTH = 32
"""Depth of one SRL32 look-up table. Source: AMD UG574, "Shift Registers"."""
SHIFT_REGISTER_BITS = 1024
"""Largest FIFO that HLS builds of shift registers by itself.

Source: FIFO rows of public C-synthesis reports, Vitis HLS 2020.1 to 2025.1.1."""


def is_shift_register(depth: Count, width: Count) -> NDArray[np.bool_]:
    """Return whether a FIFO of `depth` words of `width` bits lies in shift registers."""
    shallow = np.asarray(depth) <= SHIFT_REGISTER_DEPTH
    return shallow | (np.asarray(depth * width) <= SHIFT_REGISTER_BITS)
