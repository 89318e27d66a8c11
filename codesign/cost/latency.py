"""Cycles of loops and processes by the rules that synthesis reports follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.structure import FUNCTION_CYCLES, Count, Part, Phase, Structure, ceil_div


def loop_cycles(trips: Count, ii: int, depth: Count) -> Count:
    """Return the latency of a pipelined loop [cycles].

    (trips - 1) * ii + depth - 1 for depth >= 2. Source: exact in 1,139 of 1,151 pipelined loops
    of public C-synthesis reports.
    """
    return (trips - 1) * ii + depth - 1


def process_cycles(structure: Structure) -> Count:
    """Return the latency of one process that never waits [cycles]."""
    loop = structure.loop
    return loop_cycles(loop.trips, loop.ii, loop.stages) + FUNCTION_CYCLES + loop.entry


def process_interval(structure: Structure) -> Count:
    """Return the cycles from one start of a process to the next: it restarts when it is done.

    One of a single iteration restarts at once.
    """
    loop = structure.loop
    return (loop.trips - 1) * loop.ii + loop.gap


def longest_silence(phases: tuple[Phase, ...]) -> Count:
    """Return the longest run of cycles in which a process reads nothing.

    Whether a part reads is decided by the operator, never by a knob; how long it lasts is not.
    """
    _, longest = _silence(phases, 0)
    return longest


def _silence(parts: Sequence[Part | Phase], run: Count) -> tuple[Count, Count]:
    """Return the silence at the end of `parts`, and the longest; `run` is that before them."""
    longest = run
    for part in parts:
        if part.is_silent:
            run = run + part.duration
        elif isinstance(part, Part):
            run = 0
        else:
            run, within = _silence(part.parts, run)
            longest = np.maximum(longest, within)
        longest = np.maximum(longest, run)
    return run, longest


@dataclass(frozen=True, slots=True)
class Flow:
    """How a process hands a map on: what it waits for, and what it adds itself.

    The first output leaves once `lags` of the inputs are there, and `head` iterations after the
    first input at the least; the last one `work` iterations later, if nothing holds them up.
    """

    lags: tuple[NDArray[np.float64], ...]
    """Share of each input that the first output needs, 0 .. 1."""
    fulls: tuple[NDArray[np.float64], ...]
    """Share of the output that is out when the last of each input comes in, 0 .. 1."""
    head: Count
    work: Count
    stages: Count
    """Cycles from the start of an iteration to its output."""


def flow(structure: Structure) -> Flow:
    """Return how a process hands a map on, for one engine or a whole space."""
    walk = _Walk(len(structure.reads))
    for phase in structure.phases:
        walk.through(phase)
    lags = tuple(
        needed / np.maximum(read, 1) for needed, read in zip(walk.needed, walk.read, strict=True)
    )
    fulls = tuple(out / np.maximum(walk.written, 1) for out in walk.out)
    return Flow(lags, fulls, walk.head, walk.last - walk.head, structure.loop.stages)


class _Walk:
    """The iterations of one image, counted up; where a phase repeats, by its first round."""

    def __init__(self, ports: int) -> None:
        self.elapsed: Count = 0
        self.written: Count = 0
        self.read: list[Count] = [0 for _ in range(ports)]
        self.head: Count = np.array(-1)
        """The iteration of the first write; -1 before there is one."""
        self.needed: list[Count] = [0 for _ in range(ports)]
        """Words read by then."""
        self.last: Count = 0
        """The iteration of the last write."""
        self.out: list[Count] = [0 for _ in range(ports)]
        """Words written when the last one is read."""

    def through(self, phase: Phase, later: Count = 0, more: Count = 0, happens: Count = 1) -> None:
        """Go through a phase.

        Args:
            phase: the phase.
            later: iterations from the first round of all around it to the last one.
            more: words written in between.
            happens: whether all around it does.
        """
        again = phase.times - 1
        happens = happens * np.greater(phase.times, 0)
        later = later + again * sum((part.duration for part in phase.parts), 0)
        more = more + again * _writes(phase.parts)
        for part in phase.parts:
            if isinstance(part, Part):
                self._step(part, later, more, happens)
            else:
                self.through(part, later, more, happens)
        self.elapsed = self.elapsed + again * sum((part.duration for part in phase.parts), 0)
        self.written = self.written + again * _writes(phase.parts)
        for port in range(len(self.read)):
            self.read[port] = self.read[port] + again * _reads(phase.parts, port)

    def _step(self, part: Part, later: Count, more: Count, happens: Count) -> None:
        writes = happens * np.greater(part.writes, 0)
        offset = ceil_div(part.cycles, np.maximum(part.writes, 1)) - 1
        first = np.logical_and(writes, np.less(self.head, 0))
        self.head = np.where(first, self.elapsed + offset, self.head)
        for port in range(len(self.read)):
            reads = part.reads_of(port)
            early = np.minimum(reads, offset * reads // np.maximum(part.cycles, 1) + 1)
            self.needed[port] = np.where(first, self.read[port] + early, self.needed[port])
            final = ceil_div((reads - 1) * part.cycles, np.maximum(reads, 1))
            by_then = self.written + (final + 1) * part.writes // np.maximum(part.cycles, 1)
            seen = np.logical_and(happens, np.greater(reads, 0))
            self.out[port] = np.where(seen, by_then + more, self.out[port])
            self.read[port] = self.read[port] + reads
        self.elapsed = self.elapsed + part.cycles
        self.written = self.written + part.writes
        self.last = np.where(writes, self.elapsed + later - 1, self.last)


def _writes(parts: Sequence[Part | Phase]) -> Count:
    """Return the words that parts write."""
    total: Count = 0
    for part in parts:
        own = part.writes if isinstance(part, Part) else part.times * _writes(part.parts)
        total = total + own
    return total


def _reads(parts: Sequence[Part | Phase], port: int) -> Count:
    """Return the words that parts read from a port."""
    total: Count = 0
    for part in parts:
        if isinstance(part, Part):
            total = total + part.reads_of(port)
        else:
            total = total + part.times * _reads(part.parts, port)
    return total
