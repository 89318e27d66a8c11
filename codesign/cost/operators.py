"""What single parts cost, as C-synthesis reports it: multipliers, adders, memories, FIFOs.

Every rule here was read off public synthesis reports: 2,116 C-synthesis and implementation
report rows of 45 repositories, Vivado HLS 2018.2 to Vitis HLS 2025.1.1, 22 parts. "Source:
reports" below means these; `docs/cost-model.md` says what they contain and how well each rule
holds. All functions take integers or arrays (`Count`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.fifo import SHIFT_REGISTER_DEPTH, is_shift_register
from codesign.hardware.structure import Count, ceil_div, ceil_log2
from codesign.network.op import Integers

Cost = float | NDArray[Any]

BRAM18_BITS_DEEP = 16384
_BRAM18_WIDTHS = np.array([36, 18, 9, 4, 2, 1])
"""Word width of one 18 Kb half at depths up to 512, 1 K, 2 K, 4 K, 8 K and 16 K.

Source: AMD UG473 and UG573, block RAM port aspect ratios (simple dual port)."""
_FIFO_WIDTHS = np.array([18, 18, 9, 4, 2, 1])
"""The same for FIFOs, which use both ports. Source: reports (3 x 512 bits takes 29 halves)."""

URAM_WIDTH, URAM_DEPTH = 72, 4096
"""Source: AMD UG573, UltraRAM."""


def bram18(words: Count, bits: Count) -> Count:
    """Return the 18 Kb halves of a memory of `words` x `bits`.

    Source: reports; exact on 85 % of 668 memories, and a factor of 97 %: the others are
    replicated for more ports.
    """
    return _halves(words, bits, _BRAM18_WIDTHS)


def uram(words: Count, bits: Count) -> Count:
    """Return the UltraRAM blocks of a memory. Source: AMD UG573, 4,096 x 72 bits each."""
    return ceil_div(bits, URAM_WIDTH) * ceil_div(words, URAM_DEPTH)


def lutram_luts(words: Count, bits: Count) -> Count:
    """Return the look-up tables of a distributed memory.

    Source: reports; exact on 97 % of 1,304 memories, the others being shift registers.
    """
    return ceil_div(words * bits, 64)


def built_lutram_luts(words: Count, bits: Count) -> Count:
    """Return the look-up tables of a distributed memory as it is built.

    A six-input table holds 64 x 1 or 32 x 2 bits, however few of its words are used; C-synthesis
    counts bits only and so understates shallow, wide memories.
    Source: AMD UG474 and UG574, distributed RAM and ROM.
    """
    shallow = np.less_equal(words, 32) * 1
    return shallow * ceil_div(bits, 2) + (1 - shallow) * bits * ceil_div(words, 64)


def multiplier_luts(a_bits: int, b_bits: int) -> float:
    """Return the look-up tables of one multiplier in fabric, as C-synthesis counts them.

    C-synthesis looks at the wider operand n only: 4: 13, 5: 17, 6: 23..26, 7: 33, 8: 41, 9: 51,
    10: 63, which 0.63 n**2 meets within 4 LUT. Source: reports; below 4 bits extrapolated.
    """
    if min(a_bits, b_bits) == 1:
        return max(a_bits, b_bits)  # an AND gate per bit
    return 0.63 * max(a_bits, b_bits) ** 2


def constant_multiplier_luts(a_bits: int, b_bits: int) -> float:
    """Return the look-up tables of a product of `a_bits` and a constant of `b_bits`, on average.

    A constant is a sum of signed powers of two, no two of them side by side: b / 3 + 1 / 9 of them
    in the mean of all constants of b signed bits, b / 2 rounded up at the most. Each but the first
    takes an adder as wide as the product. A single bit selects the constant, in the adder that
    follows.

    Uncalibrated: C-synthesis reports at hand show multipliers by constants as wide as any others
    (`mul_8s_5ns` and the like, 41 to 62 LUT each); logic synthesis shrinks them later.
    Source: Reitwiesner, Binary arithmetic, Advances in Computers 1, 1960 (digits, their number).
    """
    if a_bits == 1:
        return 0.0
    digits = b_bits / 3 + 1 / 9
    return min(max(digits - 1, 0.0) * (a_bits + b_bits), multiplier_luts(a_bits, b_bits))


def known_constants_luts(weights: Integers, a_bits: int, b_bits: int) -> float:
    """Return the look-up tables of products of `a_bits` and these very constants, all together.

    They are counted beside the adders that sum as many products; a weight of zero makes none, so
    that an adder less is needed. Uncalibrated, as the mean above.
    """
    size = np.abs(weights.astype(np.int64))
    digits = (3 * size) ^ size if a_bits > 1 else np.minimum(size, 1)
    count = int(np.bitwise_count(digits).sum())
    return float((count - weights.size) * (a_bits + b_bits))


def multiplier_dsps(a_bits: int, b_bits: int) -> int:
    """Return the DSP slices of one signed multiplier.

    One slice takes 25 x 18 bits on every family (27 x 18 on UltraScale+ is not relied on), so
    a partial product takes 24 x 17 bits beside the signs. Source: AMD UG479, UG579; reports.
    """
    a, b = max(a_bits - 1, 1), max(b_bits - 1, 1)
    return min(-(-a // 24) * -(-b // 17), -(-a // 17) * -(-b // 24))


def adder_luts(bits: Count) -> Count:
    """Return the look-up tables of an adder or comparator inside a datapath: one per bit.

    Source: reports (add and subtract in adder trees).
    """
    return bits


def counter_luts(bits: int) -> int:
    """Return the look-up tables of a loop counter: increment, compare and select.

    Source: reports (stand-alone add: bits + 7; icmp: bits + 7; select: bits).
    """
    return 3 * bits + 14


def control_luts(stages: Count) -> Count:
    """Return the look-up tables of a process's state machine and handshakes.

    Source: reports (`ap_NS_fsm` multiplexer of 4n + 17 for n states: 4 states; one block signal
    per stage).
    """
    return 33 + stages


def control_ffs(stages: Count) -> Count:
    """Return the flip-flops of a process's state machine: one-hot states and stage enables.

    Source: reports (`ap_CS_fsm`, `ap_enable_reg_pp0_iter*`, `ap_done_reg`).
    """
    return 6 + 2 * stages


def fifo_cost(depth: Count, width: Count) -> dict[str, Cost]:
    """Return LUT, FF and BRAM18 of a FIFO of `depth` words of `width` bits.

    Source: reports of Vivado HLS 2018.3 and 2019.1, which name LUT and FF (Vitis HLS leaves LUT
    out): shift registers 12 + width LUT and 7 FF; block RAM 32 + depth / 20 LUT and
    1.15 width + 3.3 log2(depth) - 3 FF.
    """
    shift = is_shift_register(depth, width)
    rows = ceil_div(depth, SHIFT_REGISTER_DEPTH)
    return {
        "lut": np.where(shift, 12 + width * rows, 32 + np.minimum(depth, 4096) / 20),
        "ff": np.where(shift, 7, 1.15 * width + 3.3 * np.log2(np.maximum(depth, 2)) - 3),
        "bram18": np.where(shift, 0, _halves(depth, width, _FIFO_WIDTHS)),
    }


def _halves(words: Count, bits: Count, widths: NDArray[np.int64]) -> Count:
    """Return 18 Kb halves: depth rounded up to a power of two, then side by side."""
    depth_class = np.clip(ceil_log2(words) - 9, 0, len(widths) - 1)
    return ceil_div(words, BRAM18_BITS_DEEP) * ceil_div(bits, widths[depth_class])
