"""The emitted C++, run with clocks and bounded FIFOs, against the model of the pipeline.

Both know `ii` and pipeline depths of the loops. That the schedule of reads and writes, the FIFO
depths, waiting and deadlock are the same is what is compared: the model has them from structures,
the simulation from the C++.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cases import CASES, MIXED, random_design, random_graph
from hls import random_images, random_network, write_project

from codesign.cost.pipeline import Deadlock, simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, project
from codesign.network.graph import Graph
from codesign.validate.measurement import Measurement
from codesign.validate.tools.timed import Timed

pytestmark = pytest.mark.needs_gxx


def with_depths(design: Design, random: np.random.Generator, skip: int) -> Design:
    """Return the design with random shallow FIFOs, those of joins deeper by `skip`."""
    joins = {name for i in design.instances if len(i.reads) > 1 for name in i.reads}
    depths = {
        fifo.name: int(random.integers(2, 12)) + (skip if fifo.name in joins else 0)
        for fifo in design.fifos
    }
    return Design(design.graph, design.board, design.clock_hz, design.engines, depths)


def run(design: Design, random: np.random.Generator, folder: Path) -> Measurement:
    images = random_images(design.graph, random, 3)
    network = random_network(design.graph, random, images)
    files = project(design, network, images, layer_images=1)
    return Timed().measure(write_project(files, folder))


def graphs() -> list[Graph]:
    """Two random residual networks, one with all kinds of layers, and a join of each kind."""
    chains = [random_graph(np.random.default_rng(seed), layers=3) for seed in (1, 8)]
    chains.append(random_graph(np.random.default_rng(11), layers=4, kinds=MIXED))
    return [*chains, CASES["concat"][0], CASES["multiply"][2], CASES["resize2d"][0]]


@pytest.mark.parametrize("number", range(6))
def test_cycles_and_fifos_are_those_of_the_model(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    random = np.random.default_rng(number)
    design = with_depths(random_design(graphs()[number], random), random, skip=80)
    measured = run(design, random, tmp_path / "hls")
    timing = simulate(design, TIMED_IMAGES)
    assert measured.passed, measured.message
    assert measured.ends == timing.ends
    assert measured.occupancy == timing.occupancy
    assert (measured.latency, measured.interval) == (timing.latency, timing.interval)


def test_a_skip_that_is_too_shallow_stands_still_at_the_same_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    random = np.random.default_rng(5)
    # the factors are known when the whole map has passed, and the map waits for them
    design = random_design(CASES["multiply"][2], random)
    with pytest.raises(Deadlock) as caught:
        simulate(design, TIMED_IMAGES)
    measured = run(design, random, tmp_path / "hls")
    assert not measured.passed
    assert measured.message == f"FAIL: deadlock: {caught.value}"
