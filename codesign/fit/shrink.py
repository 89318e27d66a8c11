"""FIFOs that cost less and still keep the pace.

A FIFO's memory costs in steps: shift registers by rows of 32 words, block RAM by whole halves.
Within a step nothing is gained, so depths move from the top of one step to the top of a lower
one, and the simulated pipeline is the judge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from codesign.cost import resources
from codesign.cost.pipeline import Deadlock, Pipeline
from codesign.cost.timing import Timing
from codesign.design import MIN_FIFO_DEPTH, Fifo
from codesign.hardware.fifo import is_shift_register


def shrink(
    pipeline: Pipeline,
    fifos: Mapping[str, Fifo],
    depths: Mapping[str, int],
    goal: Timing,
    slack: float,
) -> dict[str, int]:
    """Return depths [words] of which no single one can go down a step of its memory's cost.

    The dearest FIFOs come first. A deeper FIFO never makes a pipeline slower, so what one FIFO
    cannot give up it cannot give up after others have shrunk either: one pass is enough.

    Args:
        pipeline: the processes.
        fifos: all FIFOs, by name.
        depths: depths that reach the goal.
        goal: what a run with these depths showed; its interval is kept.
        slack: share by which the latency of an image may grow.
    """
    lean = dict(depths)
    for name in sorted(depths, key=lambda n: _price(fifos[n], depths[n]), reverse=True):
        lower = cheaper_depths(fifos[name], depths[name])
        # the least of them that keeps the pace, if one does
        first, last = 0, len(lower)
        while first < last:
            middle = (first + last) // 2
            if keeps(pipeline, lean | {name: lower[middle]}, goal, slack):
                last = middle
            else:
                first = middle + 1
        if first < len(lower):
            lean[name] = lower[first]
    return lean


def keeps(pipeline: Pipeline, depths: Mapping[str, int], goal: Timing, slack: float) -> bool:
    """Return whether a pipeline with these depths is as good as `goal`, within `slack`."""
    try:
        timing = pipeline.run(len(goal.ends), depths, pace=pipeline.slowest)
    except Deadlock:
        return False
    if timing.latency > (1 + slack) * goal.latency or timing.interval > goal.interval:
        return False
    return timing.period is not None or goal.period is None


def cheaper_depths(fifo: Fifo, depth: int) -> list[int]:
    """Return the tops of the steps of memory cost below a FIFO's depth, ascending [words]."""
    every = np.arange(MIN_FIFO_DEPTH, depth + 1)
    width = int(fifo.stream.lanes) * fifo.stream.bits
    usage = resources.fifo_usage(every, width)
    in_registers = is_shift_register(every, width)
    # the pointers of a block RAM's FIFO grow with every bit, its memory does not
    memory = np.where(in_registers, usage["lut"], 0.0), np.asarray(usage["bram18"], np.float64)
    changes = np.any([np.diff(part) != 0 for part in memory], axis=0)
    return [int(top) for top in every[:-1][changes]]


def _price(fifo: Fifo, depth: int) -> tuple[float, float]:
    usage = resources.fifo_usage(depth, int(fifo.stream.lanes) * fifo.stream.bits)
    return float(usage["bram18"]), float(usage["lut"])
