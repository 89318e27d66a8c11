"""Weights in URAM: loaded once, then any number of images; priced, timed and refused like the rest.

The C++ of single engines with such weights is part of `test_template`; here whole accelerators run.
"""

from __future__ import annotations

import re
from pathlib import Path

import hls
import numpy as np
import pytest
from brute_force import Brute
from cases import signed, unsigned
from contract import whole_design
from test_fit import check_interval, check_resources

from codesign.cost import latency
from codesign.cost.estimate import design_usage, estimate
from codesign.cost.loading import loading_cycles
from codesign.cost.pipeline import simulate
from codesign.design import Design, Instance
from codesign.emit.project import TIMED_IMAGES, WEIGHTS, Files, process_source, project
from codesign.errors import InputError
from codesign.fit.dataflow import fit
from codesign.fit.options import options
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import Board
from codesign.hardware.loading import URAM_WORDS, load
from codesign.hardware.pace import REFERENCE
from codesign.hardware.processes.receive import Receive
from codesign.hardware.structure import LOAD_ENTRY, Buffer, Role, Storage
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.windows import Window
from codesign.validate.measurement import Measurement
from codesign.validate.tools.timed import Timed

STORED = {
    "conv": Storage.URAM,
    "groups": Storage.URAM,
    "point": Storage.BRAM,
    "dense": Storage.URAM,
}
IMAGES = 4


def graph(bits: int = 8) -> Graph:
    """Every process that loads weights, on a narrow port: a weight of 10 bits takes two beats."""
    nodes = (
        Node("conv", Conv2d(1, 4, Window((2, 2)), 4), (INPUT,), unsigned(4, 4, 4, bits=4), 8),
        Node("groups", Conv2d(4, 4, Window((2, 2)), 5, groups=2), ("conv",), unsigned(4, 3, 3), 1),
        Node("point", Conv2d(4, 4, Window((1, 1)), 3), ("groups",), unsigned(4, 3, 3), 1),
        Node("dense", Dense(36, 6, 10), ("point",), signed(6, bits=24), 0),
    )
    return Graph("loaded", unsigned(1, 5, 5, bits=bits), nodes)


def mixed(network: Graph, stored: dict[str, Storage] = STORED) -> Design:
    """Return a design whose weights lie in several kinds of memory."""
    folds = {"conv": (2, 1), "groups": (1, 2), "point": (2, 2), "dense": (3, 4)}
    knobs = {
        name: {"weight_storage": stored[name], "pe": pe, "simd": simd}
        for name, (pe, simd) in folds.items()
    }
    return whole_design(network, knobs)


def emitted(design: Design) -> Files:
    random = np.random.default_rng(3)
    images = hls.random_images(design.graph, random, IMAGES)
    network = hls.random_network(design.graph, random, images)
    return project(design, network, images, layer_images=2)


def timed(files: Files, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Measurement:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    return Timed().measure(hls.write_project(hls.joined(files), folder))


@pytest.mark.needs_gxx
@pytest.mark.parametrize("bits", [8, 16])
def test_weights_are_sent_once_and_every_image_is_right(bits: int, tmp_path: Path) -> None:
    files = emitted(mixed(graph(bits)))
    numbers = files[f"tb/data/{WEIGHTS}.txt"].split()
    assert len(numbers) == 16 + 32 + 216
    tables = {path for path in files if path.endswith("_weights.inc")}
    assert tables == {"src/parameters/point_matrix_weights.inc"}
    done = hls.csim_at_once(hls.write_project(files, tmp_path / "hls"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"accelerator: {IMAGES} images equal\nPASS\n")


@pytest.mark.needs_gxx
@pytest.mark.parametrize(
    ("start", "end", "layer"), [(0, 16, "conv"), (16, 48, "groups"), (263, 264, "dense")]
)
def test_changed_weights_fail_and_name_the_layer(
    start: int, end: int, layer: str, tmp_path: Path
) -> None:
    files = emitted(mixed(graph()))
    path = f"tb/data/{WEIGHTS}.txt"
    numbers = [int(n) for n in files[path].split()]
    numbers[start:end] = [-8 if number > 0 else 7 for number in numbers[start:end]]
    changed = files | {path: " ".join(map(str, numbers)) + "\n"}
    done = hls.csim_at_once(hls.write_project(changed, tmp_path / "hls"))
    assert done.returncode == 1
    assert f"FAIL: {layer} image 0" in done.stdout


@pytest.mark.needs_gxx
def test_cycles_are_those_of_the_model_and_loading_is_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = mixed(graph())
    timing = simulate(design, TIMED_IMAGES)
    measured = timed(emitted(design), tmp_path / "hls", monkeypatch)
    assert measured.passed, measured.message
    assert measured.ends == timing.ends
    assert measured.occupancy == timing.occupancy
    assert measured.loading == loading_cycles(design) == estimate(design).loading_cycles
    # an element a cycle; one of 10 bits takes two beats of 8
    assert 16 + 32 + 2 * 216 < measured.loading < 16 + 32 + 2 * 216 + 20


@pytest.mark.needs_gxx
def test_another_count_of_what_is_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = emitted(mixed(graph()))
    bench, edits = re.subn(r'("loads"\] = )16;', r"\g<1>17;", files["tb/timed_tb.cpp"])
    assert edits == 1
    measured = timed(files | {"tb/timed_tb.cpp": bench}, tmp_path / "hls", monkeypatch)
    message = "FAIL: conv_matrix counted 16 loads before the first image, the model says 17"
    assert measured.message == message


def test_what_loading_takes_is_priced() -> None:
    """Blocks of 4,096 x 72 bits, a register that gathers a word, a FIFO and a loop at both ends."""
    network = Graph(
        "one", unsigned(16), (Node("dense", Dense(16, 256, 9), (INPUT,), signed(256, bits=24), 0),)
    )
    designs = {
        storage: whole_design(network, {"dense": {"pe": 2, "simd": 8, "weight_storage": storage}})
        for storage in (Storage.BRAM, Storage.URAM)
    }
    usages = {storage: design_usage(design) for storage, design in designs.items()}
    bram, uram = usages[Storage.BRAM], usages[Storage.URAM]
    assert (bram["uram"], uram["uram"]) == (0, 2)
    assert uram["bram18"] == bram["bram18"] - 4
    assert uram["ff"] > bram["ff"] + 2 * 8 * 9
    assert uram["lut"] > bram["lut"]
    (loaded,) = designs[Storage.URAM].loads
    assert (loaded.source, loaded.sink) == ("receive", "dense_matrix")
    assert loaded.stream.words == 8 * 512
    assert not designs[Storage.BRAM].loads
    for name in ("receive", "dense_matrix"):
        loops = [
            next(i for i in design.instances if i.name == name).structure.loop
            for design in designs.values()
        ]
        assert loops[1].gap - loops[1].stages == loops[0].gap - loops[0].stages + LOAD_ENTRY


def test_a_process_that_loads_is_no_pipeline_of_one_function() -> None:
    """An image of one beat is one iteration of `receive`; behind a loop it has to drain."""
    table = Buffer("weights", 8, 2, 8, True, Role.CONSTANT, Storage.URAM)
    plain, dealing = (
        Receive(unsigned(8), 8, wanted).structure() for wanted in ((), (load(table),))
    )
    assert (latency.process_interval(plain), latency.process_interval(dealing)) == (1, 6)
    for process, head in (
        (Receive(unsigned(8), 8), True),
        (Receive(unsigned(8), 8, (load(table),)), False),
    ):
        text = process_source(Instance("receive", process, (), ()), {})
        assert ("style=flp" in text) == head


def dense(inputs: int, outputs: int) -> Graph:
    node = Node("dense", Dense(inputs, outputs, 8), (INPUT,), signed(outputs, bits=28), 0)
    return Graph("one", unsigned(inputs), (node,))


def test_uram_is_offered_where_there_is_any_and_for_many_words() -> None:
    network = dense(64, 64)
    for name in ("pynq_z2", "zcu104"):
        found = options(network, network["dense"], Board.load(name), REFERENCE)
        engines = [found.engine(number) for number in range(len(found.numbers))]
        words = [
            buffer.words
            for engine in engines
            for buffer in engine.processes()[0].structure().buffers
            if buffer.loaded
        ]
        assert bool(words) == (name == "zcu104")
        assert min(words, default=URAM_WORDS) >= URAM_WORDS


def test_fit_takes_uram_where_block_ram_is_scarce() -> None:
    """With next to no block RAM, and LUTs for no more than the logic."""
    network = dense(256, 256)
    board = Board.load("zcu104")
    answer = fit(network, board, 200e6, budget={"bram18": 10, "lut": 8_000})
    assert answer.feasible
    assert answer.design.engines["dense"].weight_storage == Storage.URAM  # type: ignore[attr-defined]
    slowest = max(latency.process_interval(i.structure) for i in answer.design.instances)
    assert answer.interval == slowest
    none = fit(network, board, 200e6, budget={"bram18": 10, "lut": 8_000, "uram": 0})
    assert not none.feasible


def test_fit_equals_brute_force_where_weights_lie_in_uram(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets of little block RAM and few LUTs, so that URAM is in the best designs."""
    monkeypatch.setattr(Board, "port_bits", 8)  # one width: engines are compared here
    brute = Brute(dense(128, 64), Board.load("zcu104"))
    taken = set()
    for budget in ({"bram18": 8, "lut": 3_400}, {"bram18": 8, "lut": 5_000}):
        check_interval(brute, brute.graph, budget)
        check_resources(brute, brute.graph, budget, brute.intervals[-1])
        engine = fit(brute.graph, brute.board, 200e6, budget=budget).design.engines["dense"]
        taken.add(engine.weight_storage)  # type: ignore[attr-defined]
    assert Storage.URAM in taken


def test_a_design_file_says_uram_and_is_refused_where_there_is_none() -> None:
    network = dense(64, 64)
    knobs = {"weight_storage": Storage.URAM, "pe": 2, "simd": 2}
    design = whole_design(network, {"dense": knobs})
    data = to_tree(design, "zcu104")
    assert data["engines"]["dense"]["weight_storage"] == "uram"
    assert from_tree(data, network, "design.yaml").engines == design.engines
    with pytest.raises(InputError, match=r"weight_storage: cannot be uram: pynq_z2 has none"):
        from_tree(data | {"board": "pynq_z2", "clock_mhz": 100.0}, network, "design.yaml")
