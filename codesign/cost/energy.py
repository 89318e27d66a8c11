"""Energy of one image: what computing it moves, and what the board draws meanwhile.

Sources of power differ between boards by far more than this model can resolve, so the intervals
are wide. Measure the board, and put its figure into its file.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from codesign.design import Design
from codesign.hardware.interval import Interval
from codesign.hardware.structure import Role, Stream, Structure

Joules = float | NDArray[Any]
"""An energy, or one per point of a space."""

MULTIPLY_J_PER_BIT2 = 0.2e-12 / 64
ADD_J_PER_BIT = 0.03e-12 / 8
ON_CHIP_J_PER_BIT = 10e-12 / 64
DRAM_J_PER_BIT = 2e-9 / 64
"""Integer multiply and add of 8 bits, 64 bits from an 8 KB memory, 64 bits from DRAM.

Source: M. Horowitz, "Computing's energy problem", ISSCC 2014, figure 1.1.9 (45 nm, 0.9 V)."""

FABRIC_FACTOR = Interval(2.0, 5.0, 14.0)
"""Programmable logic over a standard-cell circuit of the same function.

Source: Kuon and Rose, "Measuring the gap between FPGAs and ASICs", TCAD 2007: dynamic power 14
times without hard blocks, 7 to 12 with them, at equal technology; today's 16 and 28 nm devices
against the 45 nm of the figures above take the lower half."""


def dynamic_energy_j(design: Design) -> Interval:
    """Return the energy that one image's operations and accesses take [J]."""
    on_chip = sum(float(process_energy_j(i.structure)) for i in design.instances)
    on_chip += sum(float(fifo_energy_j(fifo.stream)) for fifo in design.fifos)
    off_chip = DRAM_J_PER_BIT * 8 * transferred_bytes(design)
    return FABRIC_FACTOR * on_chip + Interval(off_chip / 2, off_chip, 2 * off_chip)


def process_energy_j(structure: Structure) -> Joules:
    """Return a process's energy per image as a standard-cell circuit [J], per engine."""
    energy: Joules = 0.0
    for group in structure.multipliers:
        each = MULTIPLY_J_PER_BIT2 * group.a_bits * group.b_bits
        energy = energy + each * group.count * group.uses
    for adders in structure.adders:
        energy = energy + ADD_J_PER_BIT * adders.bits * adders.count * adders.uses
    for buffer in structure.buffers:
        if buffer.role is not Role.REGISTER:
            accesses = structure.loop.trips * buffer.when
            energy = energy + ON_CHIP_J_PER_BIT * accesses * buffer.lanes * buffer.bits
    return energy


def fifo_energy_j(stream: Stream) -> Joules:
    """Return what one image's words take in and out of a FIFO, as a standard-cell circuit [J]."""
    return 2 * ON_CHIP_J_PER_BIT * stream.words * stream.lanes * stream.bits


def transferred_bytes(design: Design) -> int:
    """Return the bytes that one image moves over the accelerator's ports."""
    ports = [design.instances[0].structure.reads[0]]
    ports += [send.structure.writes[0] for send in design.sends]
    return sum(int(port.words) * int(port.bits) // 8 for port in ports)
