"""LUT, FF, DSP, BRAM18 and URAM, on two levels: C-synthesis and implementation.

C-synthesis overstates logic. What fits is decided on the implementation level; the C-synthesis
level is for comparison with a tool's own report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np

from codesign.cost import operators
from codesign.cost.operators import Cost
from codesign.hardware.board import RESOURCES
from codesign.hardware.structure import (
    Arithmetic,
    Buffer,
    Count,
    Load,
    Loop,
    Multipliers,
    Role,
    Storage,
    Structure,
    ceil_div,
)
from codesign.network.op import Integers

Usage = dict[str, Cost]
"""An amount per resource. Before `synthesised` or `implemented` have decided the level, LUTs of
memories stand apart from those of logic, which implementation shrinks."""

MEMORY_LUT = "memory_lut"
"""LUTs of distributed memories, as they are built."""
MEMORY_LUT_CSYNTH = "memory_lut_csynth"
"""The same as C-synthesis counts them."""
CONSTANT_LUT: Mapping[str, str] = {
    kind: f"constant_lut_{kind}" for kind in ("low", "value", "high")
}
"""LUTs of products by constants: if every weight is a power of two, of average weights, and if
constants save nothing. Where the weights are known, the three are equal."""
_PARTS = (*RESOURCES, MEMORY_LUT, MEMORY_LUT_CSYNTH, *CONSTANT_LUT.values())

INDEX_BITS = 16
"""Width at which loop counters are priced: the widest bound that streams of images reach."""

SYNTHESIS_FACTOR: Mapping[str, tuple[float, float, float]] = {
    "lut": (1.0, 1.0, 1.67),
    "ff": (1.0, 1.0, 1.67),
    "dsp": (1.0, 1.0, 1.0),
    "bram18": (1.0, 1.0, 2.0),
    "uram": (1.0, 1.0, 1.0),
    MEMORY_LUT_CSYNTH: (1.0, 1.0, 1.0),
}
"""What C-synthesis reports over the rules: low, typical, high.

Source: the 10th, 50th and 90th percentile of 352,222 reported additions, subtractions,
comparisons, selections and multiplications in logic, and of 668 memories in block RAM, which tools
may replicate. Registers are not reported one by one; they follow the logic that fills them."""

IMPLEMENTATION_FACTOR: Mapping[str, tuple[float, float, float]] = {
    "lut": (0.40, 0.51, 0.75),
    "ff": (0.56, 0.75, 0.79),
    "dsp": (1.0, 1.0, 1.0),
    "bram18": (0.9, 1.0, 1.1),
    "uram": (1.0, 1.0, 1.0),
    MEMORY_LUT: (0.5, 1.0, 1.1),
}
"""Implementation over C-synthesis: low, typical, high.

Source: 21 public pairs of reports; LUT median 0.51 with quartiles 0.40 and 0.75, FF 0.75 with
0.56 and 0.79, BRAM18 0.98, DSP 1.00 where the multiplier's kind is pinned, as it is here.
LUTs of memories are taken as built; a constant table may shrink, by half at the very most."""

SHELL: Mapping[str, tuple[float, float, float]] = {
    "lut": (1600, 2600, 3300),
    "ff": (2200, 3300, 4200),
    "dsp": (0, 0, 0),
    "bram18": (4, 8, 10),
    "uram": (0, 0, 0),
}
"""AXI DMA, interconnect and reset around the accelerator after implementation.

Source: Vivado utilisation reports of hls4ml's and m_axi-only shells on Zynq (DMA 1,725 LUT,
2,271 FF, 5 RAMB36 with both directions; whole shell about 2,600 LUT, 3,300 FF, 3..5 RAMB36)."""


def process_usage(structure: Structure, weights: Integers | None = None) -> Usage:
    """Return what one process is made of, for one engine or a whole space.

    `synthesised` or `implemented` turn it into resources. `weights` are those of one engine, where
    they are known: what it multiplies by, if its factors are constants.
    """
    return total(_parts(structure, weights))


def total(usages: Iterable[Usage]) -> Usage:
    """Return the sum of several usages."""
    amounts: dict[str, list[Cost]] = {name: [] for name in _PARTS}
    for usage in usages:
        for name, amount in usage.items():
            amounts[name].append(amount)
    return {name: _sum(several) for name, several in amounts.items()}


def _sum(amounts: Sequence[Cost]) -> Cost:
    """Return a sum of arrays that broadcast: the small ones first, and those of equal shape.

    So the largest, which have an entry for every point of a space, are added only once.
    """
    alike: dict[tuple[int, ...], Cost] = {}
    for amount in amounts:
        shape = np.shape(amount)
        alike[shape] = alike[shape] + amount if shape in alike else amount
    result: Cost = 0
    for shape in sorted(alike, key=prod):
        result = result + alike[shape]
    return result


def synthesised(usage: Usage, kind: str = "value") -> Usage:
    """Return the resources ("low", "value" or "high") that C-synthesis reports for a usage."""
    return _levelled(usage, SYNTHESIS_FACTOR, MEMORY_LUT_CSYNTH, kind)


def implemented(usage: Usage, kind: str = "value") -> Usage:
    """Return the resources ("low", "value" or "high") of a usage after implementation."""
    return _levelled(usage, IMPLEMENTATION_FACTOR, MEMORY_LUT, kind)


def _levelled(
    usage: Usage, factors: Mapping[str, tuple[float, float, float]], memory_lut: str, kind: str
) -> Usage:
    """Return the resources of one level; `memory_lut` is the part that counts its memories."""
    index = ("low", "value", "high").index(kind)
    factor = {name: several[index] for name, several in factors.items()}
    logic = usage["lut"] + usage[CONSTANT_LUT[kind]]
    luts = logic * factor["lut"] + usage[memory_lut] * factor[memory_lut]
    return {name: usage[name] * factor[name] for name in RESOURCES} | {"lut": luts}


def fifo_usage(depth: Count, width: Count) -> Usage:
    """Return what a FIFO takes after implementation (C-synthesis leaves its LUTs out)."""
    usage: Usage = dict.fromkeys(RESOURCES, 0)
    return usage | operators.fifo_cost(depth, width)


def _parts(structure: Structure, weights: Integers | None) -> Iterable[Usage]:
    yield _control(structure.loop)
    yield {"ff": structure.registers}
    yield from (_memory(buffer) for buffer in structure.buffers)
    yield from (load_usage(load) for load in structure.loads)
    yield from (_multipliers(group, weights) for group in structure.multipliers)
    for group in structure.adders:
        # every result is registered once: HLS starts a new stage after about one addition
        bits = operators.adder_luts(group.bits)
        yield {"lut": group.count * bits, "ff": group.count * group.bits}


def load_usage(load: Load) -> Usage:
    """Return what a loop takes that runs once, at either end of its stream."""
    return {name: load.when * amount for name, amount in _control(load.loop).items()}


def _control(loop: Loop) -> Usage:
    counters = len(loop.over)
    return {
        "lut": operators.control_luts(loop.stages) + counters * operators.counter_luts(INDEX_BITS),
        "ff": operators.control_ffs(loop.stages) + counters * INDEX_BITS,
    }


def _memory(buffer: Buffer) -> Usage:
    bits = buffer.lanes * buffer.bits
    if buffer.role is Role.REGISTER:
        return {"ff": bits * buffer.words * buffer.when}
    banks = buffer.banks
    word = ceil_div(buffer.lanes, banks) * buffer.bits
    every = buffer.when * np.maximum(buffer.copies, 1) * banks
    # a single word lies in flip-flops if it is written, and in nothing if it is constant
    single = np.equal(buffer.words, 1) * every
    times = every - single
    usage: Usage = {"ff": single * word} if buffer.role is Role.MEMORY else {}
    for kind in Storage if np.ndim(buffer.storage) else (Storage(int(buffer.storage)),):
        own = times * np.equal(buffer.storage, kind)
        for name, amount in _memory_of(kind, buffer.words, word).items():
            usage[name] = usage.get(name, 0) + own * amount
    return usage


def _memory_of(kind: Storage, words: Count, bits: Count) -> Usage:
    """Return one memory of a kind."""
    if kind is Storage.LUTRAM:
        return {
            MEMORY_LUT: operators.built_lutram_luts(words, bits),
            MEMORY_LUT_CSYNTH: operators.lutram_luts(words, bits),
            "ff": bits,
        }
    if kind is Storage.BRAM:
        return {"bram18": operators.bram18(words, bits)}
    return {"uram": operators.uram(words, bits)}


def _multipliers(group: Multipliers, weights: Integers | None) -> Usage:
    variable = np.equal(group.arithmetic, Arithmetic.LUT) * 1
    constant = np.equal(group.arithmetic, Arithmetic.CONSTANT) * 1
    in_fabric = variable + constant
    luts = operators.multiplier_luts(group.a_bits, group.b_bits)
    dsps = operators.multiplier_dsps(group.a_bits, group.b_bits)
    # a multiplier that makes a pair of products is one slice, whatever the board
    singles = group.count - 2 * group.pairs
    usage: Usage = {
        "dsp": (1 - in_fabric) * singles * dsps + group.pairs,
        "lut": variable * group.count * luts,
        "ff": in_fabric * group.count * (group.a_bits + group.b_bits),
    }
    if not np.any(constant):
        return usage
    if weights is not None:
        # each weight has a multiplier for every pixel that comes beside others
        beside = int(group.count) // weights.size
        known = beside * operators.known_constants_luts(weights, group.a_bits, group.b_bits)
        return usage | dict.fromkeys(CONSTANT_LUT.values(), known)
    mean = operators.constant_multiplier_luts(group.a_bits, group.b_bits)
    usage[CONSTANT_LUT["value"]] = constant * group.count * mean
    usage[CONSTANT_LUT["high"]] = constant * group.count * luts
    return usage
