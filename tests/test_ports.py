"""Several elements per beat at the accelerator's ports: bits, cycles, bandwidth, choice."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from brute_force import Brute, small_problems
from cases import random_design, signed, unsigned
from hls import joined, random_images, random_network, write_project
from test_fit import check_interval, check_resources

from codesign.cost.energy import transferred_bytes
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, project
from codesign.errors import InputError
from codesign.fit.dataflow import fit
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import Board
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.send import Send
from codesign.hardware.wire import beat_bits, earlier_lanes, legal_lanes
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.windows import Window
from codesign.validate.tools.gxx import Gxx
from codesign.validate.tools.timed import Timed

ZCU104 = Board.load("zcu104")


def graph() -> Graph:
    """A map of 3 channels and 8 columns, and two answers: a map, and a vector of wide sums."""
    nodes = (
        Node("conv0", Conv2d(3, 2, Window((1, 1)), 4), (INPUT,), signed(2, 2, 8, bits=5), 1),
        Node("dense0", Dense(32, 6, 4), ("conv0",), signed(6, bits=20), 0),
    )
    return Graph("ports", unsigned(3, 2, 8, bits=8), nodes, ("conv0", "dense0"))


def design_of(board: Board, lanes: dict[str, int]) -> Design:
    found = random_design(graph(), np.random.default_rng(7))
    return Design(graph(), board, found.clock_hz, found.engines, {}, lanes)


WIDE = {
    "zcu104": {INPUT: 12, "conv0": 16, "dense0": 3},  # 96 of 128, 128, and 96 of 128 bits
    "u250": {INPUT: 24, "conv0": 1, "dense0": 6},  # 192 of 256, 8, and 192 of 256 bits
    "pynq_z2": {INPUT: 3, "conv0": 4, "dense0": 2},  # 24 of 32, 32, and 64 bits
}


@pytest.mark.needs_gxx
@pytest.mark.parametrize("name", WIDE)
def test_wide_ports_keep_bits_and_cycles(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    design = design_of(Board.load(name), WIDE[name])
    random = np.random.default_rng(3)
    images = random_images(design.graph, random, 3)
    network = random_network(design.graph, random, images)
    files = joined(project(design, network, images, layer_images=1))
    folder = write_project(files, tmp_path / "hls")
    checked = Gxx().measure(folder)
    assert checked.passed, checked.message
    measured, timing = Timed().measure(folder), simulate(design, TIMED_IMAGES)
    assert measured.passed, measured.message
    assert measured.ends == timing.ends
    assert measured.occupancy == timing.occupancy


def test_lanes_divide_a_pixel_or_are_whole_pixels_of_a_row() -> None:
    assert legal_lanes(unsigned(6, 2, 4, bits=8), 128) == (1, 2, 3, 6, 12)
    assert legal_lanes(unsigned(6, 2, 4, bits=8)) == (1, 2, 3, 6, 12, 24)
    assert legal_lanes(signed(10, bits=12), 64) == (1, 2)
    assert legal_lanes(signed(10, bits=12)) == (1, 2, 5, 10)
    assert legal_lanes(signed(3, bits=40), 32) == (1,)
    for tensor in (unsigned(6, 2, 4, bits=8), signed(640, bits=8), unsigned(1, 28, 28, bits=3)):
        for lanes in legal_lanes(tensor):
            assert tensor.elements % lanes == 0
            assert beat_bits(lanes, tensor.bits) <= 512


def test_beats_are_priced_alike_one_by_one_and_as_a_space() -> None:
    tensor = unsigned(6, 2, 4, bits=9)
    lanes = np.array(legal_lanes(tensor))
    for process in (Receive, Send):
        every = process(tensor, lanes).structure()
        for number, one in enumerate(process(tensor, int(n)).structure() for n in lanes):
            assert one.registers == every.registers[number]  # type: ignore[index]
            assert one.loop.trips == every.loop.trips[number]  # type: ignore[index]
            for mine, its in zip(one.reads + one.writes, every.reads + every.writes, strict=True):
                assert mine.bits == np.broadcast_to(its.bits, lanes.shape)[number]
                assert mine.words == np.broadcast_to(its.words, lanes.shape)[number]


def chain(inputs: int, outputs: int) -> Graph:
    node = Node("dense", Dense(inputs, outputs, 4), (INPUT,), signed(outputs, bits=8), 1)
    return Graph("one", unsigned(inputs, bits=8), (node,))


def test_a_port_is_as_wide_as_the_design_is_fast() -> None:
    """Fully unrolled, a design takes an image a cycle; folded, a narrow port keeps up."""
    fastest = fit(chain(16, 8), ZCU104, 200e6)
    assert (fastest.interval, fastest.gap) == (1, 0)
    assert fastest.design.port_lanes == {INPUT: 16, "dense": 8}
    smallest = fit(chain(16, 8), ZCU104, 200e6, "resources", 10_000)
    assert smallest.design.port_lanes == {INPUT: 1, "dense": 1}


def test_no_port_is_wider_than_the_board_s_memory_port() -> None:
    for name, most in (("pynq_z2", 8), ("zcu104", 16), ("u250", 64)):
        board = Board.load(name)
        assert fit(chain(64, 4), board, 100e6).design.port_lanes[INPUT] == most


def slow(board: Board, bytes_per_s: float) -> Board:
    return replace(board, dram=replace(board.dram, bytes_per_s=bytes_per_s))


@pytest.mark.parametrize("bytes_per_s", [1e6, 3e8, 1e9, 17e9])
def test_no_design_is_faster_than_its_bytes_over_the_bandwidth(bytes_per_s: float) -> None:
    random = np.random.default_rng(1)
    board = slow(ZCU104, bytes_per_s)
    tensors = {name: graph().tensor(name) for name in (INPUT, *graph().outputs)}
    for _ in range(8):
        lanes = {
            name: int(random.choice(legal_lanes(tensor, board.port_bits)))
            for name, tensor in tensors.items()
        }
        design = design_of(board, lanes)
        fps = estimate(design).fps
        assert fps * transferred_bytes(design) <= bytes_per_s * (1 + 1e-9)
    answer = fit(graph(), board, 200e6)
    price = estimate(answer.design)
    assert price.fps * transferred_bytes(answer.design) <= bytes_per_s * (1 + 1e-9)
    assert price.interval_cycles.value == answer.interval


def test_fit_equals_brute_force_where_the_memory_holds_it_up() -> None:
    for seed, small, board in small_problems(3):
        brute = Brute(small, slow(board, 2e8))
        random = np.random.default_rng(seed)
        for budget in list(brute.budgets(random))[:2]:
            check_interval(brute, small, budget)
            check_resources(brute, small, budget, int(random.choice(brute.intervals)))


def test_a_file_from_before_ports_were_chosen_has_the_widths_of_then() -> None:
    design = design_of(ZCU104, {INPUT: 12, "conv0": 16, "dense0": 3})
    data = to_tree(design, "zcu104")
    assert from_tree(data, graph(), "design.yaml") == design
    del data["port_lanes"]
    earlier = from_tree(data, graph(), "design.yaml")
    assert earlier.lanes_of(INPUT) == earlier_lanes(graph().input) == 3
    assert [int(send.process.structure().reads[0].lanes) for send in earlier.sends] == [1, 1]


@pytest.mark.parametrize(
    ("port", "lanes", "words"),
    [
        (INPUT, 5, ["port_lanes.input: cannot be 5", "nearest legal: 3 below, 6 above"]),
        (INPUT, 24, ["port_lanes.input: cannot be 24", "12 below"]),
        ("dense0", 0, ["port_lanes.dense0: cannot be 0", "1 above"]),
        ("dense", 1, ["port_lanes.dense: is no port", "did you mean dense0"]),
    ],
)
def test_a_wrong_width_names_the_nearest_legal(port: str, lanes: int, words: list[str]) -> None:
    data = to_tree(design_of(ZCU104, {}), "zcu104")
    data["port_lanes"] = {port: lanes}
    with pytest.raises(InputError) as caught:
        from_tree(data, graph(), "design.yaml")
    for word in words:
        assert word in str(caught.value)
    with pytest.raises(ValueError, match="port"):
        design_of(ZCU104, {port: lanes})


def test_the_driver_packs_and_unpacks_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = design_of(ZCU104, WIDE["zcu104"])
    random = np.random.default_rng(0)
    images = random_images(design.graph, random, 1)
    network = random_network(design.graph, random, images)
    stub = ModuleType("pynq")
    stub.Overlay = stub.allocate = None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynq", stub)
    path = tmp_path / "ports_driver.py"
    path.write_text(project(design, network, images, layer_images=1)["driver/driver.py"])
    monkeypatch.syspath_prepend(str(tmp_path))
    driver = import_module("ports_driver")
    beats = driver.to_beats(images[0]).reshape(-1, 16)
    stream = images[0].transpose(1, 2, 0).reshape(-1, 12)
    assert np.array_equal(beats[:, :12], stream)
    assert not beats[:, 12:].any()
    (_, (count, size, lanes, kind)) = driver.OUTPUTS
    assert (count, size, lanes, kind) == (2, 16, 3, np.int32)
    values = network.execute(images)["dense0"][0]
    answer = np.zeros((count, size), np.uint8)
    answer[:, :12] = values.astype("<i4").view(np.uint8).reshape(2, 12)
    assert np.array_equal(driver.from_beats(answer, lanes, kind), values)
