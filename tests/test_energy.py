"""Energy per image, by hand from the cited figures."""

from __future__ import annotations

import pytest
from cases import single, unsigned
from contract import whole_design

from codesign.cost import energy
from codesign.hardware.structure import (
    Adders,
    Buffer,
    Loop,
    Multipliers,
    Part,
    Phase,
    Role,
    Stream,
    Structure,
)
from codesign.network.ops.dense import Dense

PICOJOULE = 1e-12


def structure(**parts: object) -> Structure:
    words = Stream("words", 1, 8, False, 100)
    phases = (Phase(1, (Part(100, 100, 100),)),)
    return Structure((words,), (words,), Loop("nest", {"t": 100}, 2), phases, **parts)  # type: ignore[arg-type]


def test_operations_cost_what_the_source_says() -> None:
    """An 8-bit multiplication takes 0.2 pJ and an 8-bit addition 0.03 pJ (ISSCC 2014)."""
    multiplying = structure(multipliers=(Multipliers("products", 4, 8, 8, 100),))
    assert energy.process_energy_j(multiplying) == pytest.approx(400 * 0.2 * PICOJOULE)
    adding = structure(adders=(Adders(3, 16, 50),))
    assert energy.process_energy_j(adding) == pytest.approx(150 * 2 * 0.03 * PICOJOULE)


def test_memories_are_accessed_once_an_iteration_and_registers_cost_nothing() -> None:
    """64 bits from an 8 KB memory take 10 pJ (ISSCC 2014)."""
    table = Buffer("table", 32, 8, 8, True, Role.CONSTANT)
    assert energy.process_energy_j(structure(buffers=(table,))) == pytest.approx(1000 * PICOJOULE)
    absent = Buffer("kept", 32, 8, 8, True, Role.MEMORY, when=0)
    register = Buffer("sums", 1, 8, 8, True, Role.REGISTER)
    assert energy.process_energy_j(structure(buffers=(absent, register))) == 0


@pytest.mark.parametrize(
    ("inputs", "bits", "outputs", "transferred"),
    [
        (128, 8, 7, 128 + 7 * 4),  # beats of 8 bytes in, one 32-bit output a beat
        (128, 4, 7, 128 + 7 * 4),  # an element takes whole bytes
        (128, 12, 7, 256 + 7 * 4),
        (10, 8, 2, 2 * 8 + 2 * 4),  # 5 elements fit a beat, which is as wide as a power of two
    ],
)
def test_bytes_over_the_ports(inputs: int, bits: int, outputs: int, transferred: int) -> None:
    graph = single(Dense(inputs, outputs, 8), unsigned(inputs, bits=bits), 32, True, 0)
    assert energy.transferred_bytes(whole_design(graph)) == transferred


def test_an_image_costs_at_least_its_products_and_its_transfer() -> None:
    graph = single(Dense(64, 8, 8), unsigned(64, bits=8), 32, True, 0)
    dynamic = energy.dynamic_energy_j(whole_design(graph))
    products = 64 * 8 * 0.2 * PICOJOULE
    transfer = (64 + 8 * 4) * 8 * 2e-9 / 64
    assert dynamic.low < dynamic.value < dynamic.high
    assert dynamic.value > products * energy.FABRIC_FACTOR.value + transfer
