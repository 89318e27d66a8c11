"""Emitted projects: the same bytes for the same design, and a test bench that can fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import MIXED, USUAL, random_design, random_graph, signed, unsigned

from codesign.design import Design
from codesign.emit.project import Files, digest, project, read
from codesign.emit.render import layout, render
from codesign.errors import TemplateError
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.hardware.structure import Arithmetic, Storage
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network
from codesign.network.op import Integers
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

RANDOM_NETWORKS = int(os.environ.get("CODESIGN_RANDOM_NETWORKS", "6"))
GOLDEN_TEXTS = (
    "src/accelerator.cpp",
    "src/processes.hpp",
    "src/receive.cpp",
    "src/conv0_window.cpp",
    "src/conv0_matrix.cpp",
    "src/conv0_fork.cpp",
    "src/add0_add.cpp",
    "src/pool0_sliding.cpp",
    "src/pool0_reduce.cpp",
    "src/dense0_resize.cpp",
    "src/dense0_matrix.cpp",
    "src/send.cpp",
    "hls_config.cfg",
    "run_hls.tcl",
)


def small_graph() -> Graph:
    """A residual block with every template, and both requantisers."""
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    maps = unsigned(4, 4, 4, bits=4)
    nodes = (
        Node("conv0", Conv2d(2, 4, same, 4), (INPUT,), maps, 8),
        Node("conv1", Conv2d(4, 4, Window((1, 1)), 3), ("conv0",), maps, 1),
        Node("add0", Add(3), ("conv0", "conv1"), unsigned(4, 4, 4, bits=5), 1),
        Node(
            "pool0", Pool2d("max", Window((2, 2), (2, 2))), ("add0",), unsigned(4, 2, 2, bits=5), 0
        ),
        Node("dense0", Dense(16, 3, 4), ("pool0",), signed(3, bits=20), 0),
    )
    return Graph("small", unsigned(2, 4, 4, bits=8), nodes)


def small_design(graph: Graph) -> Design:
    knobs = {
        "conv0": {
            "positions": 1,
            "pe": 2,
            "simd": 1,
            "arithmetic": Arithmetic.PACKED,
            "weight_storage": Storage.LUTRAM,
            "line_storage": Storage.BRAM,
        },
        "conv1": {
            "positions": 1,
            "pe": 4,
            "simd": 2,
            "arithmetic": Arithmetic.LUT,
            "weight_storage": Storage.BRAM,
            "line_storage": Storage.LUTRAM,
        },
        "add0": {"pe": 2},
        "pool0": {"positions": 4, "pe": 4, "line_storage": Storage.LUTRAM},
        "dense0": {
            "pe": 1,
            "simd": 8,
            "arithmetic": Arithmetic.DSP,
            "weight_storage": Storage.LUTRAM,
        },
    }
    engines = {
        node.name: template_of(node, graph.inputs(node)).of(
            node, graph.inputs(node), knobs[node.name]
        )
        for node in graph
    }
    return Design(graph, Board.load("zcu104"), 200e6, engines, {"add0_in0": 40})


def small_network() -> tuple[Network, Integers]:
    graph = small_graph()
    random = np.random.default_rng(5)
    images = hls.random_images(graph, random, 4)
    return hls.random_network(graph, random, images), images


def small_project() -> Files:
    network, images = small_network()
    return project(small_design(network.graph), network, images, layer_images=2)


def test_the_same_design_gives_the_same_bytes() -> None:
    first, second = small_project(), small_project()
    assert first == second
    assert digest(first) == digest(dict(reversed(second.items())))
    network, images = small_network()
    design = small_design(network.graph)
    turned = Design(
        design.graph,
        design.board,
        design.clock_hz,
        dict(reversed(design.engines.items())),
        design.depths,
    )
    parameters = dict(reversed(network.parameters.items()))
    same = Network(network.graph, parameters, dict(reversed(network.scales.items())))
    assert digest(project(turned, same, images, 2)) == digest(first)


def test_the_digest_sees_every_byte_and_every_path() -> None:
    files = small_project()
    for path in files:
        assert digest(files | {path: files[path] + " "}) != digest(files)
    moved = {path.replace("src/send.cpp", "src/sent.cpp"): text for path, text in files.items()}
    assert digest(moved) != digest(files)


def test_reading_a_written_project_gives_its_digest(tmp_path: Path) -> None:
    files = small_project()
    folder = hls.write_project(files, tmp_path / "hls")
    (folder / "build").mkdir()
    (folder / "build" / "csim").write_text("left behind")
    assert digest(read(folder)) == digest(files)


@pytest.mark.parametrize("path", GOLDEN_TEXTS)
def test_golden_text(path: str, golden) -> None:  # type: ignore[no-untyped-def]
    golden(f"small/{path}", small_project()[path])


def test_texts_are_tidy() -> None:
    for path, text in small_project().items():
        assert text.endswith("\n"), path
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), path
        assert "\t" not in text or path == "Makefile", path


def test_a_design_of_another_graph_is_refused() -> None:
    network, images = small_network()
    other = small_design(Graph("other", network.graph.input, network.graph.nodes))
    with pytest.raises(ValueError, match="the design is for 'other', not 'small'"):
        project(other, network, images, 1)


def test_a_name_that_python_lacks_is_a_template_error() -> None:
    with pytest.raises(TemplateError, match=r"processes/fork.cpp.j2: .*source"):
        render("processes/fork.cpp.j2", {"name": "f"})


def test_layout_indents_by_braces_and_keeps_labels_out() -> None:
    text = "void f() {\n#pragma HLS INLINE off\nloop:\nfor (;;) {\n"
    text += "if (x) {\na();\n} else {\n\nb();\n}\n}\n}"
    assert layout(text) == (
        "void f() {\n"
        "#pragma HLS INLINE off\n"
        "loop:\n"
        "    for (;;) {\n"
        "        if (x) {\n"
        "            a();\n"
        "        } else {\n"
        "            b();\n"
        "        }\n"
        "    }\n"
        "}\n"
    )


@pytest.mark.needs_gxx
class TestBench:
    """The small project, compiled once; each test runs it on its own copy of the data."""

    @pytest.fixture(scope="class")
    @staticmethod
    def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = hls.write_project(small_project(), tmp_path_factory.mktemp("small") / "hls")
        done = hls.csim(folder)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith("PASS\n")
        return folder

    @pytest.fixture
    @staticmethod
    def folder(built: Path, tmp_path: Path) -> Path:
        # copied with their times, so that make compiles only what a test changes
        shutil.copytree(built, tmp_path / "hls", copy_function=shutil.copy2)
        return tmp_path / "hls"

    @staticmethod
    def run(folder: Path) -> tuple[int, str]:
        done = subprocess.run(
            ["build/csim"], cwd=folder, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    @pytest.mark.parametrize(
        ("layer", "line", "element", "where"),
        [
            ("conv0", 0, 0, "conv0 image 0 element 0 (channel 0, row 0, column 0)"),
            ("conv1", 1, 23, "conv1 image 1 element 23 (channel 3, row 1, column 1)"),
            ("add0", 0, 63, "add0 image 0 element 63 (channel 3, row 3, column 3)"),
            ("pool0", 1, 6, "pool0 image 1 element 6 (channel 2, row 0, column 1)"),
            ("dense0", 0, 2, "dense0 image 0 element 2 (channel 2, row 0, column 0)"),
            # beyond the images on which layers are checked alone
            ("dense0", 3, 1, "accelerator image 3 element 1 (channel 1, row 0, column 0)"),
        ],
    )
    def test_a_corrupted_number_fails_by_layer_image_and_element(
        self, folder: Path, layer: str, line: int, element: int, where: str
    ) -> None:
        path = folder / f"tb/data/{layer}.txt"
        rows = [row.split() for row in path.read_text().splitlines()]
        right = int(rows[line][element])
        rows[line][element] = str(right + 1)
        path.write_text("\n".join(" ".join(row) for row in rows) + "\n")
        code, text = self.run(folder)
        assert code != 0
        assert f"FAIL: {where}: expected {right + 1}, got {right}\n" in text
        assert "PASS" not in text

    def test_a_corrupted_input_fails(self, folder: Path) -> None:
        path = folder / "tb/data/input.txt"
        numbers = path.read_text().split(" ")
        numbers[:8] = ["255" if int(n) < 128 else "0" for n in numbers[:8]]
        path.write_text(" ".join(numbers))
        code, text = self.run(folder)
        assert code != 0
        assert "FAIL: conv0 image 0 element" in text

    def test_a_truncated_file_fails(self, folder: Path) -> None:
        path = folder / "tb/data/conv1.txt"
        kept = path.read_text().split()[: 64 + 10]
        path.write_text(" ".join(kept))
        code, text = self.run(folder)
        assert code != 0
        assert "FAIL: tb/data/conv1.txt: image 1 ends at element 10" in text

    def test_a_file_with_too_much_fails(self, folder: Path) -> None:
        with (folder / "tb/data/pool0.txt").open("a") as file:
            file.write("0\n")
        code, text = self.run(folder)
        assert code != 0
        assert "FAIL: tb/data/pool0.txt: holds more than 2 images" in text

    def test_a_missing_file_fails(self, folder: Path) -> None:
        (folder / "tb/data/add0.txt").unlink()
        code, text = self.run(folder)
        assert code != 0
        assert "FAIL: tb/data/add0.txt: cannot be opened" in text

    @pytest.mark.parametrize(
        "table", ["conv0_matrix_weights", "conv0_matrix_multiplier", "dense0_matrix_bias"]
    )
    def test_a_changed_constant_fails_and_names_the_layer(self, folder: Path, table: str) -> None:
        path = folder / f"src/parameters/{table}.inc"
        text = path.read_text()
        largest = max(re.findall(r"-?\d+", text), key=lambda number: abs(int(number)))
        path.write_text(re.sub(rf"(?<![-\d]){largest}(?!\d)", "0", text, count=1))
        done = hls.csim(folder)
        assert done.returncode != 0
        assert f"FAIL: {table.partition('_')[0]} image" in done.stdout

    def test_a_constant_beyond_its_width_fails(self, folder: Path) -> None:
        path = folder / "src/parameters/conv1_matrix_weights.inc"
        path.write_text(re.sub(r"-?\d+", "4", path.read_text(), count=1))
        done = hls.csim(folder)
        assert done.returncode != 0
        assert "4 does not fit a signed integer of 3 bits" in done.stderr

    def test_a_constant_beyond_its_native_integer_does_not_compile(self, folder: Path) -> None:
        path = folder / "src/parameters/conv1_matrix_weights.inc"
        path.write_text(re.sub(r"-?\d+", "128", path.read_text(), count=1))
        done = hls.csim(folder)
        assert done.returncode != 0
        assert "narrowing conversion of" in done.stderr

    def test_a_stream_keeps_its_order_while_it_grows(self, folder: Path) -> None:
        """Its circle of words grows while its first word stands in the middle of it."""
        (folder / "order.cpp").write_text(
            """#include "hls_stream.h"
            int main() {
                hls::stream<int> stream("order");
                int written = 0, read = 0, wrong = 0;
                for (int round = 1; round < 40; ++round) {
                    for (int i = 0; i < 3 * round; ++i) stream.write(written++);
                    for (int i = 0; i < 2 * round; ++i) wrong += stream.read() != read++;
                }
                while (!stream.empty()) wrong += stream.read() != read++;
                return wrong || read != written;
            }"""
        )
        hls._gxx(["-Itb/shim", "-fsanitize=address,undefined", "order.cpp", "-o", "order"], folder)
        assert subprocess.run([folder / "order"], check=False).returncode == 0


@pytest.mark.needs_gxx
@pytest.mark.parametrize("seed", range(RANDOM_NETWORKS))
def test_random_networks_on_random_engines_pass(seed: int, tmp_path: Path) -> None:
    """Every other one with all kinds of layers and answers; the first under sanitizers."""
    random = np.random.default_rng(seed)
    graph = random_graph(random, kinds=MIXED if seed % 2 else USUAL)
    images = hls.random_images(graph, random, 5)
    network = hls.random_network(graph, random, images)
    design = random_design(graph, random)
    folder = hls.write_project(project(design, network, images, 3), tmp_path / "hls")
    done = hls.csim(folder, *(["SANITIZE=1"] if seed == 0 else []))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("accelerator: 5 images equal\nPASS\n")
    assert not done.stderr, "compiles without a warning"


@pytest.mark.needs_gxx
def test_arbitrary_precision_integers_give_the_same(tmp_path: Path) -> None:
    """The types of synthesis, from the open headers that hls4ml ships or a Vitis installation."""
    folder = hls.write_project(small_project(), tmp_path / "hls")
    done = hls.csim(folder, f"AP_TYPES={ap_types()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("PASS\n")


def ap_types() -> Path:
    """Return the folder of `ap_int.h`, or skip."""
    named = os.environ.get("CODESIGN_AP_TYPES")
    if named:
        return Path(named)
    package = find_spec("hls4ml")
    if package is None or not package.submodule_search_locations:
        pytest.skip("no ap_int.h: pip install --no-deps hls4ml, or set CODESIGN_AP_TYPES")
    return Path(package.submodule_search_locations[0]) / "templates/vivado/ap_types"


def test_wide_and_narrow_elements_reach_the_wire() -> None:
    """The input's elements take whole bytes; outputs one beat each."""
    graph = Graph(
        "wire",
        Tensor((4,), 12, signed=True),
        (Node("dense0", Dense(4, 2, 8), (INPUT,), Tensor((2,), 40, signed=True), 0),),
    )
    random = np.random.default_rng(0)
    images = hls.random_images(graph, random, 1)
    files = project(
        random_design(graph, random), hls.random_network(graph, random, images), images, 1
    )
    header = files["src/accelerator.hpp"]
    assert "hls::stream<Beat<64> >& input_stream" in header
    assert "hls::stream<Beat<64> >& output_stream" in header
