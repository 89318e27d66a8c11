"""What one process is made of: loops, buffers, multipliers, adders and streams.

A process states its structure once. `codesign.cost` prices it and `templates/hls/processes`
prints it, so the two cannot drift. Every number that a knob decides is a `Count`: a plain
integer for one engine, or an array with one entry per point of a whole space, which prices
all points in one call. Structures therefore never branch on a knob's value; a part that exists
for some values only says so in `when`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.chain import Chain
from codesign.hardware.pace import REFERENCE, Pace

Count = int | NDArray[np.int64]


FUNCTION_CYCLES = 2
"""What a function adds to its only loop. Source: 397 of 447 single-loop modules in public Vitis
HLS reports; Vivado HLS adds 1 or 2."""


LOAD_ENTRY = 2
"""What further loops, which ran once, add to each call of a function: as much as its only loop
takes to be entered. A claim: no report at hand shows such a function."""


MAX_WORD_BITS = 4096
"""Widest stream or memory word.

Source: AMD UG1399, arbitrary precision integers of up to 4,096 bits."""


MAX_UNROLL = 4096
"""Most multipliers in one engine: the limit at which HLS tools stop unrolling a loop completely
(hls4ml documentation, `Strategy: Latency`)."""


class Storage(IntEnum):
    """Where a memory lies."""

    LUTRAM = 0
    BRAM = 1
    URAM = 2


class Role(IntEnum):
    """What a buffer is used for."""

    MEMORY = 0
    """written and read at run time"""
    CONSTANT = 1
    """holds learned numbers, read only; in URAM they are loaded, elsewhere it begins with them"""
    REGISTER = 2
    """flip-flops, every element accessible in every cycle"""


class Arithmetic(IntEnum):
    """What makes products; `hardware/packing.py` says how one slice makes two."""

    LUT = 0
    DSP = 1
    PACKED = 2
    """two products per DSP slice, in the 25 x 18 bits that every slice multiplies"""
    PACKED_WIDE = 3
    """the same in 27 x 18 bits, which UltraScale has: more products are added in the slice"""
    CONSTANT = 4
    """LUTs again, but every product has a constant of its own as a factor: shifts and adders"""


class Activation(IntEnum):
    """How sums become outputs of fewer bits; `hardware/requantise.py` says what each takes."""

    MULTIPLIER = 0
    """multiply, round, clip"""
    COMPARATOR = 1
    """count the thresholds that are reached"""


@dataclass(frozen=True, slots=True)
class Loop:
    """A perfect nest of named counters, pipelined as one loop.

    `ii` [cycles] is the initiation interval and `chain` what stands between the stream read and
    the stream write of one iteration: the clock decides in how many stages. Both are claims: only
    synthesis can confirm them.
    """

    name: str
    over: Mapping[str, Count]
    chain: Chain
    ii: int = 1
    entry: Count = 0
    """Cycles that the function takes longer to reach it: those to pass by loops that ran once."""
    pace: Pace = REFERENCE

    @property
    def stages(self) -> Count:
        """Cycles from the start of an iteration to its output."""
        return self.pace.stages(self.chain)

    def at(self, pace: Pace) -> Self:
        """Return it on another board or at another clock."""
        return replace(self, pace=pace)

    @property
    def trips(self) -> Count:
        """Iterations of the whole nest."""
        trips: Count = 1
        for bound in self.over.values():
            trips = trips * bound
        return trips

    @property
    def is_function(self) -> Count:
        """Whether an image is one iteration, and nothing else loops: 0 or 1.

        Then the whole function is the pipeline, which takes the next image while this one is in it.
        """
        alone = np.equal(self.trips, 1) & np.equal(self.entry, 0)
        return alone * 1 if np.ndim(alone) else int(alone)

    @property
    def drain(self) -> Count:
        """Cycles that the pipeline takes to empty itself before the next image."""
        return (1 - self.is_function) * (self.stages + FUNCTION_CYCLES + self.entry - self.ii)

    @property
    def gap(self) -> Count:
        """Cycles from the last iteration of one image to the first of the next.

        A loop drains, its function returns and starts again.
        """
        return self.ii + self.drain


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array `[words][lanes]` of `bits`-wide elements; one word is accessed per cycle."""

    name: str
    words: Count
    lanes: Count
    bits: int
    signed: bool
    role: Role
    storage: Count = Storage.LUTRAM
    when: Count = 1
    copies: Count = 0
    """Where lanes read different words in one cycle: so many copies, one element wide each."""

    @property
    def loaded(self) -> Count:
        """Whether it is a table in URAM, which has no initial content: 0 or 1."""
        if self.role is not Role.CONSTANT:
            return 0
        loaded = np.equal(self.storage, Storage.URAM) * 1
        return loaded if np.ndim(loaded) else int(loaded)

    @property
    def banks(self) -> Count:
        """Memories that stand side by side: several for constants too wide for one word.

        In LUTRAM each lane is one, which costs nothing, and single words are no memory at all;
        block RAMs would stand mostly empty, so of them there are as few as the limit allows.
        """
        if self.role is not Role.CONSTANT or not np.any(self.lanes * self.bits > MAX_WORD_BITS):
            return 1
        fewest = ceil_div(self.lanes, MAX_WORD_BITS // self.bits)
        apart = np.equal(self.storage, Storage.LUTRAM) | np.equal(self.words, 1)
        banks = np.where(apart & np.greater(fewest, 1), self.lanes, fewest)
        return banks if np.ndim(banks) else int(banks)

    @property
    def bank_lanes(self) -> Count:
        """Lanes of each bank; the last one may hold fewer."""
        return ceil_div(self.lanes, self.banks)


@dataclass(frozen=True, slots=True)
class Multipliers:
    """`count` products of `a_bits` x `b_bits` a cycle, in `uses` cycles of one image.

    `pairs` multipliers make two of them each, which share the factor of `a_bits`; every other
    product has a multiplier of its own.
    """

    name: str
    count: Count
    a_bits: int
    b_bits: int
    uses: Count
    arithmetic: Count = Arithmetic.DSP
    pairs: Count = 0

    @property
    def multiplications(self) -> Count:
        """Multipliers, each of which multiplies once in each of the `uses` cycles."""
        return self.count - self.pairs


@dataclass(frozen=True, slots=True)
class Adders:
    """`count` two-input adders (or comparators) of `bits`, busy in `uses` cycles of one image."""

    count: Count
    bits: Count
    uses: Count


@dataclass(frozen=True, slots=True)
class Stream:
    """A port: `words` of `lanes` elements of `bits` each per image."""

    name: str
    lanes: Count
    bits: Count
    signed: bool
    words: Count


@dataclass(frozen=True, slots=True)
class Part:
    """`cycles` consecutive iterations with evenly spread traffic on every port.

    `reads` is a count for all input ports, or a tuple with one for each. Reads come as early as
    an even spread allows (word j in iteration ceil(j * cycles / reads)), writes as late (word j
    in iteration ceil((j + 1) * cycles / writes) - 1).
    """

    cycles: Count
    reads: Count | tuple[Count, ...]
    writes: Count

    def reads_of(self, port: int) -> Count:
        """Return the words read from an input port."""
        return self.reads[port] if isinstance(self.reads, tuple) else self.reads

    @property
    def is_silent(self) -> bool:
        """Whether it reads nothing at all, which no knob decides."""
        counts = self.reads if isinstance(self.reads, tuple) else (self.reads,)
        return not any(np.any(count) for count in counts)

    @property
    def duration(self) -> Count:
        """Iterations."""
        return self.cycles


@dataclass(frozen=True, slots=True)
class Phase:
    """`times` repetitions of a sequence of parts, which may be phases themselves."""

    times: Count
    parts: tuple[Part | Phase, ...]

    @property
    def is_silent(self) -> bool:
        """Whether no part of it reads anything."""
        return all(part.is_silent for part in self.parts)

    @property
    def duration(self) -> Count:
        """Iterations of all repetitions."""
        return self.times * sum((part.duration for part in self.parts), 0)


@dataclass(frozen=True, slots=True)
class Load:
    """A stream that passes once, before the first image, and the loop that moves it.

    The loop stands before the process's own one, which is entered `LOAD_ENTRY` later for it.
    """

    stream: Stream
    loop: Loop
    when: Count = 1

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    def at(self, pace: Pace) -> Self:
        """Return it on another board or at another clock."""
        return replace(self, loop=self.loop.at(pace))


@dataclass(frozen=True, slots=True)
class Structure:
    """Everything that one process is made of, for one image."""

    reads: tuple[Stream, ...]
    writes: tuple[Stream, ...]
    loop: Loop
    phases: tuple[Phase, ...]
    buffers: tuple[Buffer, ...] = ()
    multipliers: tuple[Multipliers, ...] = ()
    adders: tuple[Adders, ...] = ()
    loads: tuple[Load, ...] = ()
    """What happens once, before the first image."""
    registers: Count = 0
    """Bits of state beside the buffers and the loop's own counters."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Further numbers that the C++ prints and nothing prices."""

    def at(self, pace: Pace) -> Self:
        """Return it on another board or at another clock, which only stages depend on."""
        return replace(
            self, loop=self.loop.at(pace), loads=tuple(load.at(pace) for load in self.loads)
        )

    def names(self) -> dict[str, object]:
        """Return what the C++ twin may use, by name; `part0`, `part1`, ... together as `part`."""
        named: tuple[Stream | Loop | Buffer | Multipliers | Load, ...] = (
            *self.reads,
            *self.loads,
            *self.writes,
            self.loop,
            *self.buffers,
            *self.multipliers,
        )
        alike: dict[str, list[object]] = {}
        for part in named:
            if part.name[-1].isdigit():
                alike.setdefault(part.name.rstrip("0123456789"), []).append(part)
        single = {part.name: part for part in named if not part.name[-1].isdigit()}
        return single | alike | dict(self.facts)


def ceil_div(numerator: Count, denominator: Count) -> Count:
    """Return the quotient rounded up, for integers and arrays."""
    return -(-numerator // denominator)


def ceil_log2(count: Count) -> Count:
    """Return the levels of a binary tree over `count` leaves, for integers and arrays."""
    levels = np.ceil(np.log2(count)).astype(np.int64)
    return int(levels) if levels.ndim == 0 else levels
