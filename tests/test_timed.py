"""The emitted C++, run with clocks and bounded FIFOs, against the model of the pipeline.

Both know `ii` and pipeline depths of the loops. That the schedule of reads and writes, the FIFO
depths, waiting and deadlock are the same is what is compared: the model has them from structures,
the simulation from the C++.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from cases import CASES, MIXED, random_design, random_graph
from hls import joined, random_images, random_network, write_project

from codesign.cost.pipeline import Deadlock, simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, Files, project
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
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


def emitted(design: Design, random: np.random.Generator) -> Files:
    images = random_images(design.graph, random, 3)
    network = random_network(design.graph, random, images)
    return joined(project(design, network, images, layer_images=1))


def run(design: Design, random: np.random.Generator, folder: Path) -> Measurement:
    return Timed().measure(write_project(emitted(design, random), folder))


PLACES = (("zcu104", 200e6), ("zcu104", 300e6), ("pynq_z2", 100e6))
"""Boards and clocks, on which the depth of pipelines depends."""


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
    drawn = random_design(graphs()[number], random, *PLACES[number % len(PLACES)])
    design = with_depths(drawn, random, skip=80)
    measured = run(design, random, tmp_path / "hls")
    timing = simulate(design, TIMED_IMAGES)
    assert measured.passed, measured.message
    assert measured.ends == timing.ends
    assert measured.occupancy == timing.occupancy
    assert measured.latency == timing.latency
    for instance in design.instances:
        structure, counts = instance.structure, measured.counts[instance.name]
        assert counts["trips"] == structure.loop.trips
        read = [counts[f"words from {name}"] for name in instance.reads]
        assert read == [stream.words for stream in structure.reads]
        written = [counts[f"words to {name}"] for name in instance.writes]
        assert written == [stream.words for stream in structure.writes]
        for group in structure.multipliers:
            assert counts[group.name] == group.multiplications * group.uses


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "src/all_processes.cpp",
            r"COUNT_MULTIPLICATION\(products\);",
            "",
            r"conv_matrix counted 0 products in 8 images, the model says \d+ in each",
        ),
        (
            "tb/timed_tb.cpp",
            r'("dense_matrix"\)\.expected\["trips"\] = )\d+',
            r"\g<1>7",
            r"dense_matrix counted \d+ trips in 8 images, the model says 7 in each",
        ),
        (
            "tb/timed_tb.cpp",
            r'(expected\["words from conv_in"\] = )\d+',
            r"\g<1>7",
            r"conv_\w+ counted \d+ words from conv_in in 8 images, the model says 7 in each",
        ),
    ],
)
def test_a_process_that_counts_otherwise_is_named(
    file: str, old: str, new: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    random = np.random.default_rng(2)
    maps = Tensor((2, 3, 3), 4, signed=False)
    nodes = (
        Node("conv", Conv2d(2, 2, Window((2, 2)), 4), (INPUT,), Tensor((2, 2, 2), 4, False), 1),
        Node("dense", Dense(8, 4, 4), ("conv",), Tensor((4,), 20, signed=True), 0),
    )
    files = emitted(random_design(Graph("counted", maps, nodes), random), random)
    files[file], edits = re.subn(old, new, files[file])
    assert edits
    measured = Timed().measure(write_project(files, tmp_path / "hls"))
    assert not measured.passed
    assert re.fullmatch(f"FAIL: {message}", measured.message)


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
