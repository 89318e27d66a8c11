"""The vocabulary of structures."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.hardware.chain import Chain, Operator, Step
from codesign.hardware.structure import (
    MAX_WORD_BITS,
    Buffer,
    Loop,
    Multipliers,
    Part,
    Phase,
    Role,
    Storage,
    Stream,
    Structure,
    ceil_div,
    ceil_log2,
)

TWO = Chain((Step(Operator.CONTROL, times=2),))
"""Two stages at any clock."""


def test_trips_are_the_product_of_the_bounds() -> None:
    assert Loop("nest", {"row": 3, "column": 4, "step": 5}, TWO).trips == 60
    assert Loop("once", {}, TWO).trips == 1
    folds = np.array([1, 2, 4])
    assert np.array_equal(Loop("nest", {"pixel": 5, "fold": folds}, TWO).trips, 5 * folds)


def test_names_are_those_of_the_parts() -> None:
    source = Stream("source", 2, 8, False, 10)
    results = Stream("results", 1, 4, True, 5)
    loop = Loop("nest", {"t": 10}, TWO)
    table = Buffer("table", 4, 2, 8, True, Role.CONSTANT)
    products = Multipliers("products", 2, 8, 8, 10)
    structure = Structure(
        reads=(source,),
        writes=(results,),
        loop=loop,
        phases=(Phase(1, (Part(10, 10, 5),)),),
        buffers=(table,),
        multipliers=(products,),
        facts={"pad_value": -8},
    )
    assert structure.names() == {
        "source": source,
        "results": results,
        "nest": loop,
        "table": table,
        "products": products,
        "pad_value": -8,
    }


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_ceil_div_rounds_up(numerator: int, denominator: int) -> None:
    quotient = ceil_div(numerator, denominator)
    assert (quotient - 1) * denominator < numerator <= quotient * denominator
    assert np.array_equal(ceil_div(np.array([numerator]), denominator), [quotient])


@given(st.integers(1, 1 << 40))
def test_ceil_log2_counts_the_levels_of_a_tree(leaves: int) -> None:
    levels = ceil_log2(leaves)
    assert isinstance(levels, int)
    assert leaves <= 1 << levels
    assert levels == 0 or leaves > 1 << (levels - 1)


def test_ceil_log2_takes_arrays() -> None:
    leaves = np.array([1, 2, 3, 4, 5, 1024, 1025])
    assert ceil_log2(leaves).tolist() == [ceil(log2(n)) for n in leaves.tolist()]


@pytest.mark.parametrize(("leaves", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (9, 4)])
def test_ceil_log2_by_hand(leaves: int, levels: int) -> None:
    assert ceil_log2(leaves) == levels


@pytest.mark.parametrize(
    ("role", "storage", "words", "bits", "banks"),
    [
        (Role.CONSTANT, Storage.LUTRAM, 4, 8, [1, 1, 513, 2048]),
        (Role.CONSTANT, Storage.BRAM, 4, 8, [1, 1, 2, 4]),
        (Role.CONSTANT, Storage.BRAM, 4, 3, [1, 1, 1, 2]),  # 1,365 lanes a word
        (Role.CONSTANT, Storage.BRAM, 1, 8, [1, 1, 513, 2048]),
        (Role.MEMORY, Storage.LUTRAM, 4, 8, [1, 1, 1, 1]),
    ],
)
def test_constants_too_wide_for_a_word_lie_in_several_banks(
    role: Role, storage: Storage, words: int, bits: int, banks: list[int]
) -> None:
    lanes = np.array([1, 512, 513, 2048])
    every = Buffer("weights", words, lanes, bits, True, role, storage)
    assert np.array_equal(np.broadcast_to(every.banks, 4), banks)
    for count, number in zip(lanes.tolist(), banks, strict=True):
        one = Buffer("weights", words, count, bits, True, role, storage)
        assert one.banks == number
        assert one.bank_lanes == -(-count // number)
        if role is Role.CONSTANT:
            assert one.bank_lanes * bits <= MAX_WORD_BITS
