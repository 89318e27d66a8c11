"""Settled FIFO depths: the rate is reached, nothing is wasted, and the run is what was promised."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import random_design, random_graph
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.cost import latency
from codesign.cost.estimate import estimate, fifos_usage
from codesign.cost.pipeline import Deadlock, Pipeline, simulate
from codesign.cost.timing import Timing
from codesign.design import MIN_FIFO_DEPTH, Design, Fifo
from codesign.errors import InfeasibleError
from codesign.fit.dataflow import fit
from codesign.fit.settle import IMAGES, SLACK, settle
from codesign.fit.shrink import cheaper_depths, keeps
from codesign.hardware.board import Board
from codesign.hardware.structure import Stream
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
    """The smallest design of a graph that takes a pixel at a time, with the least of FIFOs."""
    found = fit(graph, BOARD, 200e6, objective="resources", longest_interval=100)
    return replace(found.design, depths={})


def slowest(design: Design) -> int:
    return max(int(latency.process_interval(i.structure)) for i in design.instances)


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
def test_settled_depths_run_as_promised(seed: int) -> None:
    random = np.random.default_rng(seed)
    design = random_design(random_graph(random, layers=3), random)
    settled, timing = settle(design)
    assert simulate(settled, IMAGES) == timing
    unbounded = simulate(design, IMAGES, bounded=False)
    assert timing.interval >= unbounded.interval
    assert unbounded.latency <= timing.latency <= (1 + SLACK) * deep(design).latency


def deep(design: Design) -> Timing:
    """A run with FIFOs that hold all that ever waits."""
    depths = {fifo.name: IMAGES * int(fifo.stream.words) for fifo in design.fifos}
    return simulate(replace(design, depths=depths), IMAGES)


def test_no_settled_fifo_can_do_with_a_cheaper_memory() -> None:
    """Down one step of its memory's cost it stalls, stands still, or delays the first image."""
    tried = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        design = random_design(wide(int(random.integers(9, 14))), random)
        if estimate(design).violations:
            continue
        settled, timing = settle(design, slack=0.0)
        assert timing.period is not None
        for fifo in settled.fifos:
            for lower in cheaper_depths(fifo, fifo.depth)[-1:]:
                tried += 1
                depths = settled.depths | {fifo.name: lower}
                assert not as_good(replace(settled, depths=depths), timing)
    assert tried >= 5


def as_good(design: Design, goal: Timing) -> bool:
    try:
        timing = simulate(design, IMAGES)
    except Deadlock:
        return False
    return timing.period is not None and timing.latency <= goal.latency


def wide(size: int) -> Graph:
    """A residual whose skip holds two rows of `size` pixels: more than free shift registers do."""
    maps = Tensor((4, size, size), 8, signed=False)
    nodes = (
        Node("conv0", Conv2d(4, 4, SAME, 4), (INPUT,), maps, 1),
        Node("conv1", Conv2d(4, 4, SAME, 4), ("conv0",), maps, 1),
        Node("add0", Add(3), (INPUT, "conv1"), maps, 1),
    )
    return Graph("wide", maps, nodes)


def test_a_skip_of_one_word_less_stands_still() -> None:
    """What the run used of a skip is what it needs: the branches meet word by word."""
    settled, timing = settle(shallow(residual()))
    skip = next(f for f in settled.fifos if f.name.startswith("add0_in0"))
    assert skip.depth == timing.occupancy[skip.name]
    fewest = next(d for d in range(2, 99) if runs(settled, skip.name, d))
    assert fewest <= skip.depth
    with pytest.raises(Deadlock, match=f"room in {skip.name}"):
        simulate(replace(settled, depths=settled.depths | {skip.name: fewest - 1}))


def runs(design: Design, fifo: str, depth: int) -> bool:
    try:
        simulate(replace(design, depths=design.depths | {fifo: depth}))
    except Deadlock:
        return False
    return True


def test_only_slack_lets_an_image_take_longer() -> None:
    design = settle(shallow(residual()))[0]
    pipeline, depths = Pipeline(design), {fifo.name: fifo.depth for fifo in design.fifos}
    timing = pipeline.run(IMAGES, depths, pace=pipeline.slowest)
    faster = replace(timing, ends=(timing.latency * 9 // 10, *timing.ends[1:]))
    assert keeps(pipeline, depths, timing, slack=0.0)
    assert not keeps(pipeline, depths, faster, slack=0.0)
    assert keeps(pipeline, depths, faster, slack=0.2)
    assert not keeps(pipeline, depths, replace(timing, period=timing.period - 1), slack=0.2)


def test_steps_of_a_fifos_memory() -> None:
    """Of 8-bit words: rows of 32 up to 1,024 bits; one half up to 2,048 words, two up to 4,096."""
    fifo = Fifo("skip", "a", "b", Stream("words", 1, 8, False, 5000), 4500, "input")
    assert cheaper_depths(fifo, 4500) == [32, 64, 96, 128, 2048, 4096]
    assert cheaper_depths(fifo, 100) == [32, 64, 96]
    assert cheaper_depths(fifo, 32) == []
    assert cheaper_depths(fifo, 2) == []


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_settling_twice_costs_no_more_memory(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random, layers=3)
    settled, timing = settle(random_design(graph, random))
    again, timing_again = settle(settled)
    assert timing_again.interval == timing.interval
    assert fifos_usage(again)["bram18"] <= fifos_usage(settled)["bram18"]


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
    design = shallow(wide(24))
    needed = estimate(design).resources["lut"].value
    board = replace(BOARD, resources=replace(BOARD.resources, lut=int(needed / 0.7) + 1, bram18=10))
    with pytest.raises(InfeasibleError, match=r"zcu104 can hold .*add0"):
        settle(replace(design, board=board))
