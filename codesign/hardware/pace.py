"""How many cycles a chain of operators takes at a clock, on the devices of a family.

High-level synthesis puts operators into one cycle until its period, less a margin, is used up, and
a register where the next one does not fit (Coussy et al., An introduction to high-level synthesis,
IEEE Design & Test 26(4), 2009: operator chaining). `Pace` does the same with the delays that the
tools themselves print.

Source of the delays: public verbose schedule reports (`*.verbose.sched.rpt`) of Vivado HLS 2019.2
and Vitis HLS 2022.2 to 2024.2, for xc7z020-1 (windy07/PDS_YOLO, XLSMALL/Scripts and
DMDung2k3/FPGA-based-Accelerator-for-CNN-Lenet-5), and for xczu7ev-2 and xck26-2LV
(Arun-66/LENET_5, CNStanLee/LSTM_HLS, CNStanLee/EF-US-Engine-*, Risamp/ELEN90096-Group-2). Other
speed grades differ: xc7vx690t-2 adds 16 bits in 1.3 ns, xc7z020-1 in 2.1. No report at hand has a
FIFO on UltraScale+: what is said of one there is half of what it is on 7 series, a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from codesign.hardware.board import Family
from codesign.hardware.chain import Chain, Operator, Step, Times

MARGIN = 0.27
"""Share of the period that is kept for routing. Source: AMD UG1399, `set_clock_uncertainty`, the
default of Vitis HLS; all reports of it at hand (10.00 ns less 2.70, 3.33 less 0.90)."""

_CLOSE_NS = 1e-6
_Delay = tuple[tuple[float, ...], float]
"""Delay in each of the cycles that an operator takes [ns], and what each bit adds to the first."""

_SERIES_7: Mapping[Operator, _Delay] = {
    Operator.READ: ((3.6,), 0.0),
    Operator.MEMORY: ((3.25, 3.25), 0.0),
    Operator.MULTIPLY: ((1.05, 1.05, 2.1, 2.1), 0.0),
    Operator.ADD: ((1.59,), 0.03),
    Operator.COMPARE: ((2.45,), 0.0),
    Operator.SELECT: ((0.8,), 0.0),
    Operator.WRITE: ((3.6,), 0.0),
}
_ULTRASCALE_PLUS: Mapping[Operator, _Delay] = {
    Operator.READ: ((1.8,), 0.0),
    Operator.MEMORY: ((1.23, 1.23), 0.0),
    Operator.MULTIPLY: ((0.99, 0.99, 0.64, 0.64), 0.0),
    Operator.ADD: ((0.69,), 0.01),
    Operator.COMPARE: ((1.0,), 0.0),
    Operator.SELECT: ((0.4,), 0.0),
    Operator.WRITE: ((1.8,), 0.0),
}
_DELAYS: Mapping[Family, Mapping[Operator, _Delay]] = {
    "zynq_7000": _SERIES_7,
    "artix_7": _SERIES_7,
    "zynq_ultrascale_plus": _ULTRASCALE_PLUS,
    "virtex_ultrascale_plus": _ULTRASCALE_PLUS,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """A family of devices at a clock [Hz]."""

    family: Family
    clock_hz: float

    @property
    def budget_ns(self) -> float:
        """What operators may take between two registers [ns]."""
        return 1e9 / self.clock_hz * (1 - MARGIN)

    def stages(self, chain: Chain) -> Times:
        """Return the cycles from the start of an iteration to its output."""
        varying = [number for number, step in enumerate(chain.steps) if np.ndim(step.times)]
        if not varying:
            return _stages(self, chain.steps) + chain.extra
        (number,) = varying
        times = np.asarray(chain.steps[number].times)
        table = _table(self, _without(chain.steps, number), number, int(times.max()))
        return np.asarray(table[times] + chain.extra)


REFERENCE = Pace("zynq_ultrascale_plus", 200e6)
"""What stages are counted for outside of a design, which has a board and a clock of its own."""


def _without(steps: tuple[Step, ...], number: int) -> tuple[Step, ...]:
    """Return the steps, one of them none at all: what can be looked up."""
    return (*steps[:number], steps[number]._replace(times=0), *steps[number + 1 :])


@lru_cache(maxsize=4096)
def _table(
    pace: Pace, steps: tuple[Step, ...], number: int, most: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return the cycles where a step happens 0 .. `most` times."""
    every = (
        (*steps[:number], steps[number]._replace(times=times), *steps[number + 1 :])
        for times in range(most + 1)
    )
    return np.array([_stages(pace, one) for one in every], np.int64)


@lru_cache(maxsize=4096)
def _stages(pace: Pace, steps: tuple[Step, ...]) -> int:
    """Return the cycles of a chain: operators share one until the next does not fit."""
    budget, delays = pace.budget_ns, _DELAYS[pace.family]
    stage, taken = 0, 0.0
    for operator, bits, times in steps:
        (first, *later), per_bit = delays.get(operator, ((budget,), 0.0))
        # what takes longer than a cycle is taken to be pipelined inside
        first = min(first + bits * per_bit, budget)
        for _ in range(int(times)):
            if taken + first > budget + _CLOSE_NS:
                stage, taken = stage + 1, 0.0
            taken += first
            for own in later:
                stage, taken = stage + 1, min(own, budget)
    return stage + 1
