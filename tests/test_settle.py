"""Settled FIFO depths: the rate is reached, nothing is wasted, and the run is what was promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import random_design, random_graph
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.cost import latency
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import Deadlock, simulate
from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.errors import InfeasibleError
from codesign.fit.dataflow import fit
from codesign.fit.settle import IMAGES, settle
from codesign.hardware.board import Board
from codesign.network.families.convnet import Convnet
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

BOARD = Board.load("zcu104")
MAPS = Tensor((4, 8, 8), 4, signed=False)
SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))


def residual() -> Graph:
    """Two convolutions beside an identity: the skip has to hold rows."""
    nodes = (
        Node("conv0", Conv2d(4, 4, SAME, 4), (INPUT,), MAPS, 1),
        Node("conv1", Conv2d(4, 4, SAME, 4), ("conv0",), MAPS, 1),
        Node("conv2", Conv2d(4, 4, SAME, 4), ("conv1",), MAPS, 1),
        Node("add0", Add(3), ("conv0", "conv2"), MAPS, 1),
    )
    return Graph("residual", MAPS, nodes)


def shallow(graph: Graph) -> Design:
    """The fastest design of a graph, with every FIFO as shallow as can be."""
    return replace(fit(graph, BOARD, 200e6).design, depths={})


def slowest(design: Design) -> int:
    return max(int(latency.process_interval(i.process.structure())) for i in design.instances)


def test_a_skip_that_stands_still_is_deepened_until_the_design_runs_at_its_rate() -> None:
    design = shallow(residual())
    with pytest.raises(Deadlock):
        simulate(design, IMAGES)
    settled, timing = settle(design)
    assert timing.interval == slowest(settled)
    assert settled.engines == design.engines
    # two windows of 3 x 3 hold back more than a row of 8 pixels each
    skip = next(f for f in settled.fifos if f.name.startswith("add0_in0"))
    assert skip.depth * int(skip.stream.lanes) > 2 * 8 * 4


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=12)
def test_settled_depths_are_those_that_the_run_uses(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, layers=3)
    design = random_design(graph, random)
    settled, timing = settle(design)
    assert simulate(settled, IMAGES) == timing
    for fifo in settled.fifos:
        assert fifo.depth == max(MIN_FIFO_DEPTH, timing.occupancy[fifo.name])
    unbounded = simulate(design, IMAGES, bounded=False)
    assert timing.interval >= unbounded.interval
    assert timing.latency >= unbounded.latency


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_settling_twice_changes_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, layers=3)
    settled, timing = settle(random_design(graph, random))
    again, timing_again = settle(settled)
    assert again == settled
    assert timing_again == timing


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6)
def test_a_fitted_network_runs_at_the_rate_that_the_search_was_told(seed: int) -> None:
    family = Convnet(Tensor((1, 8, 8), 8, signed=False), 10, (2,), (4,), residuals=(True,))
    answer = fit(family.decode(family.space().sample(np.random.default_rng(seed))), BOARD, 200e6)
    _, timing = settle(answer.design)
    assert timing.interval == answer.interval


def test_an_edit_that_starves_a_fifo_is_healed() -> None:
    settled, timing = settle(shallow(residual()))
    starved = replace(settled, depths={**settled.depths, "conv1_in": MIN_FIFO_DEPTH})
    _, healed = settle(starved)
    assert healed.interval == timing.interval


def test_a_board_without_room_for_the_skip_is_infeasible() -> None:
    design = shallow(residual())
    needed = estimate(design).resources["lut"].value
    board = replace(BOARD, resources=replace(BOARD.resources, lut=int(needed / 0.7) + 1, bram18=10))
    with pytest.raises(InfeasibleError, match=r"zcu104 can hold .*add0"):
        settle(replace(design, board=board))
