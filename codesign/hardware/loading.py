"""Weights in URAM: memories without initial content, filled once before the first image.

They travel ahead of the first image, over the port by which images come: element by element, the
words of one memory after those of another, in the low bits of a beat, of as many as the narrowest
port has. So what they take does not depend on the port's width. `Receive` deals them out, and every
process that keeps some puts its words together in a register.
"""

from __future__ import annotations

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.structure import (
    LOAD_ENTRY,
    Buffer,
    Count,
    Load,
    Loop,
    Role,
    Stream,
    ceil_div,
)
from codesign.hardware.wire import element_bytes

LOAD_CHAIN = streamed(Step(Operator.SELECT))
"""What a loop does that moves one element a cycle."""
URAM_LATENCY = 3
"""Cycles from address to word: blocks in a column are chained, and need registers on the way.

Source: AMD UG573, "UltraRAM", pipelining of cascades; printed as `latency=` of BIND_STORAGE."""
URAM_WORDS = 1024
"""Fewest words for which `fit` thinks of weights in URAM.

Fewer fit four halves of block RAM for each block of 4,096 x 72 bits, and need no loading there."""
CONSTANT_LATENCY = 1
"""The same of tables in BRAM and LUTRAM, which the chain of a loop counts already."""


def extra_stages(table: Buffer) -> Count:
    """Return the stages that reading a table adds where it lies in URAM."""
    return (URAM_LATENCY - CONSTANT_LATENCY) * table.loaded


def load_entry(table: Buffer) -> Count:
    """Return the cycles that every image costs the process for having filled a table."""
    return LOAD_ENTRY * table.loaded


def filling(table: Buffer) -> Buffer:
    """Return the register in which the words of a table are put together."""
    own = (table.lanes, table.bits, table.signed, Role.REGISTER)
    return Buffer("filling", 1, *own, when=table.loaded)


def load(table: Buffer) -> Load:
    """Return what a process does to fill a table."""
    stream = Stream("loading", 1, table.bits, table.signed, table.words * table.lanes)
    counters = {"word": table.words, "lane": table.lanes}
    return Load(stream, Loop("load", counters, LOAD_CHAIN), table.loaded)


def deal(wanted: Load, narrowest: int, number: int = 0) -> Load:
    """Return what `Receive` does for it: an element a beat, or over several beats if it is wider.

    Args:
        wanted: the other end of the stream.
        narrowest: bits of a beat that carries one element of an image.
        number: which of several streams it is.
    """
    parts = int(ceil_div(8 * element_bytes(int(wanted.stream.bits)), narrowest))
    own = wanted.stream
    stream = Stream(f"loading{number}", own.lanes, own.bits, own.signed, own.words)
    counters: dict[str, Count] = {"element": own.words}
    if parts > 1:
        counters["part"] = parts
    return Load(stream, Loop(f"deal{number}", counters, LOAD_CHAIN), wanted.when)
