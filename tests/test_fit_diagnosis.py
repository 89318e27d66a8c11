"""Why nothing fits: conflicts of which nothing can be left out, and ways out that were tried."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from brute_force import CLOCK_HZ, Brute, small_problems

from codesign.cost.estimate import estimate
from codesign.fit.dataflow import fit
from codesign.fit.diagnosis import Diagnosis, _Case, _narrowed, diagnose
from codesign.hardware.board import RESOURCES, Board, boards
from codesign.network.graph import Graph
from codesign.network.model import reference

PLENTY = 10**7
LENET = reference("lenet5").graph()
FASTEST = 1100


def pynq_z2(lut: float) -> Board:
    """A board of which less may be used."""
    board = Board.load("pynq_z2")
    return replace(board, ceilings=replace(board.ceilings, lut=lut))


@cache
def small(lut: float) -> Diagnosis:
    return diagnose(LENET, pynq_z2(lut), CLOCK_HZ, FASTEST)


@pytest.mark.parametrize("number", range(4))
def test_nothing_can_be_left_out_of_a_conflict(number: int) -> None:
    """Brute force agrees: without one of its resources there is a design."""
    seed, graph, board = list(small_problems(12))[number]
    brute = Brute(graph, board)
    random = np.random.default_rng(seed)
    target = int(random.choice(brute.intervals))
    needs = np.array([brute.needed(n, target) for n in np.flatnonzero(brute.slowest <= target)])
    tight = {
        name: int(np.floor(least * share))
        for name, least, share in zip(
            RESOURCES, needs.min(axis=0), random.uniform(0.85, 1.3, len(RESOURCES)), strict=True
        )
    }
    while brute.fitting(target, amounts := brute.amounts(tight)):
        tight = {name: int(0.95 * amount) for name, amount in tight.items()}
    found = diagnose(graph, board, CLOCK_HZ, target, tight).conflict
    assert found.interval == target
    chosen = [name in found.resources for name in RESOURCES]
    alone = np.where(chosen, amounts, PLENTY)
    assert not brute.fitting(target, alone)
    for name in found.resources:
        lifted = np.where([other == name for other in RESOURCES], PLENTY, alone)
        assert brute.fitting(target, lifted)


def test_a_single_scarce_resource_is_named_with_what_is_needed() -> None:
    found, board = small(0.15), pynq_z2(0.15)
    assert found.wished
    assert found.conflict.resources == ("lut",)
    needed, available = found.conflict.needed["lut"], found.conflict.available["lut"]
    assert needed > available == board.budget["lut"]
    layers = found.conflict.layers
    assert set(layers) < {node.name for node in LENET}
    case = _Case(LENET, board, CLOCK_HZ, FASTEST, board.budget)
    for name in layers:
        assert not case.stuck(("lut",), [other for other in layers if other != name])
    assert found.reason().startswith("LUT alone is too scarce at ")
    assert f"need {needed:,} at the least, {available:,} may be used" in found.reason()
    lifted = fit(LENET, board, CLOCK_HZ, "resources", FASTEST, {"lut": PLENTY})
    assert lifted.feasible
    assert estimate(lifted.design).resources["lut"].value >= needed


def test_two_resources_that_stand_for_each_other_are_named_together() -> None:
    found = small(0.25)
    assert set(found.conflict.resources) == {"lut", "dsp"}
    assert "are too scarce together" in found.reason()
    for name in found.conflict.resources:
        alone = {other: PLENTY for other in RESOURCES if other != name}
        assert fit(LENET, pynq_z2(0.25), CLOCK_HZ, "resources", FASTEST, alone).feasible


def test_every_way_out_works() -> None:
    found, board = small(0.25), pynq_z2(0.25)
    assert found.fps is not None
    assert found.weight_bits is not None
    at_rate = fit(LENET, board, CLOCK_HZ, longest_interval=round(CLOCK_HZ / found.fps))
    assert at_rate.feasible
    assert at_rate.interval == round(CLOCK_HZ / found.fps)
    assert at_rate.gap == 0
    narrow = _narrowed(LENET, found.weight_bits)
    assert fit(narrow, board, CLOCK_HZ, "resources", FASTEST).feasible
    (other,) = (own for own in boards() if own.title == found.board)
    assert fit(LENET, other, CLOCK_HZ, "resources", FASTEST).feasible
    words = " ".join(found.ways_out())
    assert f"up to {found.fps:,.0f} frames per second" in words
    assert f"weights of {found.weight_bits} bits" in words
    assert other.title in words


def test_ceilings_that_let_it_fit_are_named() -> None:
    zcu104 = Board.load("zcu104")
    tight = replace(zcu104, ceilings=replace(zcu104.ceilings, lut=0.05))
    found = diagnose(LENET, tight, CLOCK_HZ, FASTEST)
    assert set(found.ceilings) == {"lut"}
    assert "hardware.ceilings of lut 0." in " ".join(found.ways_out())
    higher = replace(tight, ceilings=replace(tight.ceilings, **found.ceilings))
    assert fit(LENET, higher, CLOCK_HZ, "resources", FASTEST).feasible


def test_a_wish_that_forbids_it_is_no_matter_of_ceilings() -> None:
    board = Board.load("pynq_z2")
    assert diagnose(LENET, board, CLOCK_HZ, FASTEST, {"lut": 8000}).ceilings == {}


def test_a_board_smaller_than_its_shell_is_in_conflict_with_no_layer() -> None:
    found = diagnose(LENET, Board.load("pynq_z2"), CLOCK_HZ, budget={"bram18": 2})
    assert found.conflict.resources == ("bram18",)
    assert found.conflict.layers == ()
    assert not found.wished
    assert found.fps is None
    assert "at any rate: what surrounds any accelerator needs 8 at the least" in found.reason()


def test_what_fits_needs_no_explanation() -> None:
    with pytest.raises(ValueError, match="nothing to explain"):
        diagnose(LENET, Board.load("zcu104"), CLOCK_HZ)


def test_narrowed_weights_leave_the_rest_alone() -> None:
    narrow = _narrowed(LENET, 3)
    assert isinstance(narrow, Graph)
    for before, after in zip(LENET, narrow, strict=True):
        assert after.output == before.output
        assert after.op.weight_bits == (3 if before.op.has_bias else before.op.weight_bits)
