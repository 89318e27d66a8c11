"""What a run tells: who waits for what, how long a batch takes, the interval in the long run."""

from __future__ import annotations

import numpy as np
import pytest
from cases import random_design, random_graph
from test_pipeline import Naive, dense, residual

from codesign.cost import latency
from codesign.cost.pipeline import Deadlock, Pipeline, simulate
from codesign.cost.timing import Stall, Timing
from codesign.design import Design


def with_depths(seed: int) -> Design:
    """A random design with FIFOs of random depths, shallow and deep."""
    random = np.random.default_rng(seed)
    design = random_design(random_graph(random, layers=2), random)
    deepest = int(random.choice([4, 12, 100]))
    depths = {
        fifo.name: int(random.integers(2, deepest)) + 60 * fifo.name.startswith("add")
        for fifo in design.fifos
    }
    return Design(design.graph, design.board, design.clock_hz, design.engines, depths)


def depths_of(design: Design) -> dict[str, int]:
    return {fifo.name: fifo.depth for fifo in design.fifos}


def ran(seed: int) -> tuple[Design, Pipeline]:
    """A design that does not stand still, and its pipeline."""
    design = with_depths(seed)
    pipeline = Pipeline(design)
    try:
        pipeline.run(1, depths_of(design))
    except Deadlock:
        return ran(seed + 1000)
    return design, pipeline


@pytest.mark.parametrize("seed", range(6))
def test_waits_are_those_of_single_iterations(seed: int) -> None:
    design, pipeline = ran(seed)
    timing, naive = pipeline.run(3, depths_of(design)), Naive(design, 3, bounded=True)
    for name, stall in timing.stalls.items():
        waits = naive.waits[name][-len(naive.traffic[name]) :]
        assert (stall.for_words, stall.for_room) == tuple(map(sum, zip(*waits, strict=True)))
        instance = next(i for i in design.instances if i.name == name)
        assert stall.works == latency.process_interval(instance.structure)
        assert (stall.fifo == "") == (stall.waits == 0)
        assert stall.fifo in {"", *instance.reads, *instance.writes}


def test_waits_by_hand() -> None:
    """The matrix never waits; what is before it waits for room, what is behind it for words."""
    timing = simulate(dense(pe=1, simd=4), images=8)
    slowest = int(timing.interval)
    matrix, send = timing.stalls["dense_matrix"], timing.stalls["send"]
    assert matrix == Stall(works=slowest, for_words=0, for_room=0, fifo="")
    assert send.fifo == "send_in"
    assert send.for_words == slowest - send.works
    receive = timing.stalls["receive"]
    assert receive.fifo == "dense_in"
    assert receive.for_room == slowest - receive.works


@pytest.mark.parametrize("seed", range(12))
def test_images_that_are_copied_are_those_that_would_have_been_simulated(seed: int) -> None:
    design, pipeline = ran(seed)
    timing = pipeline.run(7, depths_of(design), pace=pipeline.slowest)
    naive = Naive(design, 7, bounded=True, pace=pipeline.slowest)
    assert timing.ends == naive.ends()
    assert timing.occupancy == naive.occupancy()


def test_a_proven_interval_is_that_of_the_long_run() -> None:
    proven = 0
    for seed in range(12):
        design, pipeline = ran(seed)
        timing = simulate(design, 8)
        later = pipeline.run(40, depths_of(design)).ends
        pace = (later[-1] - later[-9]) / 8
        if timing.period is None:
            assert pace > pipeline.slowest
        else:
            proven += 1
            assert pace == timing.interval == pipeline.slowest
    assert 0 < proven < 12


def test_a_skip_that_is_too_shallow_for_the_pace_is_not_proven() -> None:
    """Deep enough not to stand still, too shallow to keep the pace."""
    pipeline, depths = Pipeline(residual(40)), depths_of(residual(40))
    periods = [
        pipeline.run(8, depths | {"add_in0": depth}, pace=pipeline.slowest).period
        for depth in range(13, 40)
    ]
    assert periods[0] is None
    assert periods[-1] == pipeline.slowest
    assert sorted(periods, key=bool) == periods


def test_a_batch_takes_an_interval_per_image_and_the_time_to_fill() -> None:
    design = residual(40)
    timing, long = simulate(design, 8), simulate(design, 30)
    assert timing.batch_latency(1) == timing.latency
    assert timing.batch_latency(3) == timing.ends[2]
    assert timing.batch_latency(30) == long.ends[-1]
    assert timing.batch_latency(30) == timing.fill + 30 * timing.interval
    assert timing.fill > 0
    with pytest.raises(ValueError, match="at least one image"):
        timing.batch_latency(0)


def test_an_interval_that_is_not_proven_is_that_of_the_later_images() -> None:
    assert Timing((10, 30, 40, 50, 60), {}).interval == 10
    assert Timing((10, 30, 40, 50, 60), {}, period=12).interval == 12
    assert Timing((10,), {}).interval == 10
