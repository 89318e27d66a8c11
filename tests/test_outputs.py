"""Networks with several answers: a port, a golden tensor and a check for each."""

from __future__ import annotations

import ast
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import random_design, signed, unsigned

from codesign.cost.pipeline import simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, Files, project
from codesign.fit.dataflow import fit
from codesign.fit.options import unbuildable
from codesign.hardware.board import Board
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window
from codesign.validate.tools.timed import Timed

CLOCK_HZ = 200e6


def heads() -> Graph:
    """A trunk that answers itself, a head that is late and one that is early."""
    maps = unsigned(4, 5, 6)
    trunk = Conv2d(3, 4, Window((3, 3), (1, 1), (1, 1, 1, 1)), 4)
    nodes = (
        Node("trunk", trunk, (INPUT,), maps, 8),
        Node("early", Pool2d("max", Window((2, 3))), ("trunk",), signed(4, 4, 4, bits=6), 1),
        Node("deep", Conv2d(4, 4, Window((1, 1)), 3), ("trunk",), maps, 1),
        Node("joined", Add(4), ("trunk", "deep"), maps, 1),
        Node("late", Dense(120, 5, 4), ("joined",), signed(5, bits=30), 0),
    )
    outputs = ("late", "trunk", "early")
    return Graph("heads", signed(3, 5, 6, bits=5), nodes, outputs)


def written(design: Design, random: np.random.Generator) -> Files:
    images = hls.random_images(design.graph, random, 3)
    network = hls.random_network(design.graph, random, images)
    return project(design, network, images, layer_images=1)


def test_every_answer_leaves_by_a_port_of_its_own() -> None:
    design = random_design(heads(), np.random.default_rng(0))
    assert [i.name for i in design.sends] == ["send_late", "send_trunk", "send_early"]
    assert [i.writes for i in design.sends] == [
        ("late_stream",),
        ("trunk_stream",),
        ("early_stream",),
    ]
    # three layers and the way out
    forks = [i.name for i in design.instances if i.process.kind == "fork"]
    assert forks == ["trunk_fork0", "trunk_fork1", "trunk_fork2"]
    header = written(design, np.random.default_rng(1))["src/accelerator.hpp"]
    ports = ("Beat<32> >& late_stream", "Beat<8> >& trunk_stream", "Beat<8> >& early_stream")
    assert all(port in header for port in ports)


def test_an_image_has_left_when_its_last_answer_has() -> None:
    """In whatever order the answers are named."""
    design = random_design(heads(), np.random.default_rng(0))
    depths = {fifo.name: int(fifo.stream.words) for fifo in design.fifos}
    ends = set()
    for outputs in permutations(heads().outputs):
        graph = replace(heads(), outputs=outputs)
        turned = Design(graph, design.board, CLOCK_HZ, design.engines, depths)
        ends.add(simulate(turned, 3).ends)
    assert len(ends) == 1


@pytest.mark.needs_gxx
def test_all_answers_are_checked_and_cycles_are_those_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    random = np.random.default_rng(0)
    plain = random_design(heads(), random)
    depths = {fifo.name: int(random.integers(2, 12)) for fifo in plain.fifos}
    depths |= {"joined_in0": 200, "joined_in1": 200}
    design = Design(plain.graph, plain.board, CLOCK_HZ, plain.engines, depths)
    folder = hls.write_project(written(design, random), tmp_path / "hls")
    done = hls.csim(folder)
    assert done.stdout.endswith("accelerator: 3 images equal\nPASS\n"), done.stdout + done.stderr
    assert not done.stderr, "compiles without a warning"
    measured, timing = Timed().measure(folder), simulate(design, TIMED_IMAGES)
    assert measured.passed, measured.message
    assert (measured.ends, measured.occupancy) == (timing.ends, timing.occupancy)
    for name in heads().outputs:
        path = folder / f"tb/data/{name}.txt"
        right = path.read_text()
        lines = right.splitlines()
        value, _, rest = lines[2].partition(" ")
        lines[2] = f"{int(value) + 1} {rest}"
        path.write_text("\n".join(lines) + "\n")
        text = hls.csim(folder).stdout
        assert f"FAIL: accelerator's {name} image 2 element 0" in text
        assert Timed().measure(folder).message.startswith(f"FAIL: accelerator's {name} image 2")
        path.write_text(right)


def test_driver_and_block_design_have_a_dma_for_every_answer() -> None:
    files = written(random_design(heads(), np.random.default_rng(0)), np.random.default_rng(1))
    driver = files["driver/driver.py"]
    ast.parse(driver)
    assert 'DMAS = ("dma", "dma_trunk", "dma_early", )' in driver
    script = files["vivado/build.tcl"]
    for name, port in (("dma", "late"), ("dma_trunk", "trunk"), ("dma_early", "early")):
        assert f"accelerator/{port}_stream] [get_bd_intf_pins {name}/S_AXIS_S2MM]" in script


def test_fit_pays_for_every_way_out() -> None:
    graph, board = heads(), Board.load("zcu104")
    assert unbuildable(graph) == {}
    found = fit(graph, board, CLOCK_HZ)
    assert found.feasible
    # an answer takes as many cycles to leave as it has beats, each of as many bits as fit
    widths = {fifo.name: int(fifo.stream.lanes) for fifo in found.design.fifos}
    for name, send in zip(graph.outputs, found.design.sends, strict=True):
        lanes = widths[f"{send.name}_in"]
        assert lanes == found.design.port_lanes[name]
        assert found.interval >= graph.tensor(name).elements // lanes
    assert max(found.design.port_lanes.values()) > 1
