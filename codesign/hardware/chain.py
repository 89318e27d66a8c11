"""What an iteration does from its stream read to its stream write: operators, one after the other.

A process says which they are; how many clock cycles they take is a matter of the clock and of the
device's family (`codesign.hardware.pace`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Times = int | NDArray[np.int64]
"""How often: a `Count` (`codesign.hardware.structure`)."""


class Operator(IntEnum):
    """What takes time between two registers."""

    CONTROL = 0
    """the counters, and whether this is the last iteration: a cycle of its own"""
    READ = 1
    """a word out of a FIFO"""
    MEMORY = 2
    """a word out of BRAM or LUTRAM, from its address on"""
    MULTIPLY = 3
    """a product, and one sum with another, in the registers of a DSP slice"""
    ADD = 4
    COMPARE = 5
    SELECT = 6
    """one of two words"""
    WRITE = 7
    """a word into a FIFO"""


class Step(NamedTuple):
    """`times` operators of `bits` each, which wait for one another."""

    operator: Operator
    bits: int = 0
    times: Times = 1


@dataclass(frozen=True, slots=True)
class Chain:
    """The longest way from the start of an iteration to its output.

    Of one step at the most, knobs decide how often it happens. `extra` [cycles] is what it takes
    beside, whatever the clock: registers that a pragma asks for.
    """

    steps: tuple[Step, ...]
    extra: Times = 0


def streamed(*steps: Step, extra: Times = 0) -> Chain:
    """Return the chain of a loop that reads a word, does some steps and writes a word."""
    return Chain((*_BEGINNING, *steps, Step(Operator.WRITE)), extra)


def summed(levels: Times, product_bits: int, sum_bits: int) -> tuple[Step, ...]:
    """Return the steps from weights to running sums: a tree of so many levels adds products.

    A slice does the first level of it.
    """
    return (
        Step(Operator.MEMORY),
        Step(Operator.MULTIPLY),
        Step(Operator.ADD, product_bits, np.maximum(levels - 1, 0)),
        Step(Operator.SELECT),
        Step(Operator.ADD, sum_bits),
    )


_BEGINNING = (Step(Operator.CONTROL), Step(Operator.READ))
