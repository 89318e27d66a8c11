"""g++ as a judge: it passes what is right, names what is wrong, and says what it lacks."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from cases import random_design
from hls import random_images, random_network, write_project

from codesign.emit.project import Files, digest, project
from codesign.errors import InputError, ToolError, ToolMissing
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.validate.measurement import Measurement
from codesign.validate.tools.gxx import Gxx

IMAGES, LAYER_IMAGES = 5, 3
MAPS = Tensor((3, 4, 4), 4, signed=False)
POOLED = Tensor((3, 2, 2), 4, signed=False)
GRAPH = Graph(
    "small",
    Tensor((2, 6, 6), 4, signed=False),
    (
        Node("conv0", Conv2d(2, 3, Window((3, 3)), 4), (INPUT,), MAPS, 8),
        Node("conv1", Conv2d(3, 3, Window((1, 1)), 4), ("conv0",), MAPS, 1),
        Node("pool0", Pool2d("max", Window((2, 2), (2, 2))), ("conv1",), POOLED, 0),
        Node("dense0", Dense(12, 5, 4), ("pool0",), Tensor((5,), 16, signed=True), 0),
    ),
)
LAYERS = tuple(node.name for node in GRAPH)


@pytest.fixture(scope="module")
def files() -> Files:
    random = np.random.default_rng(11)
    images = random_images(GRAPH, random, IMAGES)
    network = random_network(GRAPH, random, images)
    return project(random_design(GRAPH, random), network, images, LAYER_IMAGES)


@pytest.fixture(scope="module")
def built(files: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Measurement]:
    """The project, compiled and run once, so that the tests only compile what they change."""
    folder = write_project(files, tmp_path_factory.mktemp("built") / "hls")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXXFLAGS", "-O0")
        return folder, Gxx().measure(folder)


@pytest.fixture
def folder(
    built: tuple[Path, Measurement], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    return Path(shutil.copytree(built[0], tmp_path / "hls"))


def fake(tmp_path: Path, *recipe: str) -> Path:
    """Return a folder whose `make csim` runs `recipe`."""
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "Makefile").write_text("csim:\n" + "".join(f"\t@{line}\n" for line in recipe))
    return tmp_path


def change_number(path: Path, image: int, element: int, by: int) -> tuple[int, int]:
    """Change one golden number; return the old and the new."""
    lines = [line.split() for line in path.read_text().splitlines()]
    old = int(lines[image][element])
    lines[image][element] = str(old + by)
    path.write_text("".join(" ".join(line) + "\n" for line in lines))
    return old, old + by


@pytest.mark.needs_gxx
def test_a_right_project_passes_and_says_what_was_compared(
    built: tuple[Path, Measurement], files: Files
) -> None:
    folder, measured = built
    assert measured.passed
    assert measured.message == "PASS"
    assert measured.images == IMAGES
    assert measured.layers == LAYERS
    assert measured.project_digest == digest(files)
    assert "g++" in measured.version
    assert Path(measured.log).read_text().rstrip().endswith("PASS")
    assert Path(measured.log).is_relative_to(folder)


@pytest.mark.needs_gxx
@pytest.mark.parametrize(
    ("layer", "image", "element"), [("conv0", 1, 17), ("conv1", 2, 0), ("pool0", 0, 11)]
)
def test_one_wrong_golden_number_of_a_hidden_layer_fails_there(
    folder: Path, layer: str, image: int, element: int
) -> None:
    old, new = change_number(folder / f"tb/data/{layer}.txt", image, element, by=1)
    measured = Gxx().measure(folder)
    assert not measured.passed
    assert re.match(rf"FAIL: {layer} image {image} element {element} ", measured.message)
    assert measured.message.endswith(f"expected {new}, got {old}")
    assert measured.layers == LAYERS[: LAYERS.index(layer)]
    assert measured.images == 0


@pytest.mark.needs_gxx
def test_a_wrong_answer_of_an_image_that_no_layer_checks_fails_at_the_accelerator(
    folder: Path,
) -> None:
    change_number(folder / "tb/data/dense0.txt", LAYER_IMAGES + 1, 2, by=-1)
    measured = Gxx().measure(folder)
    assert measured.layers == LAYERS
    assert measured.message.startswith(f"FAIL: accelerator image {LAYER_IMAGES + 1} element 2 ")


@pytest.mark.needs_gxx
@pytest.mark.parametrize("layer", ["conv0", "dense0"])
def test_a_wrong_weight_fails_at_its_layer_and_not_before(folder: Path, layer: str) -> None:
    path = folder / f"src/parameters/{layer}_matrix_weights.inc"
    text = path.read_text()
    path.write_text(re.sub(r"-?\d+", lambda found: "7" if found[0] != "7" else "-7", text))
    measured = Gxx().measure(folder)
    assert measured.message.startswith(f"FAIL: {layer} image 0 element ")
    assert measured.layers == LAYERS[: LAYERS.index(layer)]


@pytest.mark.needs_gxx
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "conv1.txt: cannot be opened"),
        (lambda path: path.write_text("1 2 3\n"), "conv1.txt: image 0 ends at element 3"),
        (lambda path: path.write_text(path.read_text() + "0\n"), "holds more than 3 images"),
        (lambda path: path.write_text("x" + path.read_text()), "image 0 ends at element 0"),
    ],
    ids=["missing", "short", "long", "text"],
)
def test_a_damaged_golden_file_fails(folder: Path, damage: object, words: str) -> None:
    damage(folder / "tb/data/conv1.txt")  # type: ignore[operator]
    measured = Gxx().measure(folder)
    assert not measured.passed
    assert words in measured.message


@pytest.mark.needs_gxx
def test_what_does_not_compile_is_a_failed_tool_with_its_log(folder: Path) -> None:
    with (folder / "src/send.cpp").open("a") as source:
        source.write("this is no C++\n")
    with pytest.raises(ToolError) as caught:
        Gxx().measure(folder)
    assert "make" in str(caught.value)
    assert "src/send.cpp" in str(caught.value)
    assert not isinstance(caught.value, ToolMissing)
    log = re.search(r"log in (\S+)", str(caught.value))
    assert log
    assert "this is no C++" in Path(log[1]).read_text()


@pytest.mark.parametrize("missing", ["make", "g++"])
def test_a_missing_program_is_named_with_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in {"make", "g++"} - {missing}:
        (programs / program).write_text("#!/bin/sh\n")
        (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(ToolMissing, match=rf"^{re.escape(missing)} is not .*apt-get install g"):
        Gxx().measure(fake(tmp_path / "hls", "echo PASS"))


def test_a_make_around_it_does_not_reach_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make -n run` must not turn the simulation into a dry run."""
    monkeypatch.setenv("MAKEFLAGS", "n")
    monkeypatch.setenv("MAKELEVEL", "1")
    (tmp_path / "Makefile").write_text("csim:\n\t@echo 'accelerator: 1 images equal'; echo PASS\n")
    assert Gxx().measure(tmp_path).images == 1


def test_a_folder_without_makefile_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no HLS project"):
        Gxx().measure(tmp_path)


@pytest.mark.needs_gxx
@pytest.mark.parametrize(
    "recipe",
    [
        ["echo PASS", "exit 1"],
        ["echo FAIL: something"],
        ["true"],
        ["echo PASS indeed"],
        ["kill -SEGV $$$$"],
        [r"printf '\377\n'"],
    ],
    ids=lambda recipe: recipe[0],
)
def test_a_bench_that_contradicts_itself_proves_nothing(tmp_path: Path, recipe: list[str]) -> None:
    with pytest.raises(ToolError, match=r"exit code .*; log in .*csim\.log"):
        Gxx().measure(fake(tmp_path, *recipe))


@pytest.mark.needs_gxx
def test_a_simulation_that_never_ends_is_ended(tmp_path: Path) -> None:
    folder = fake(tmp_path, "echo $$$$ > pid; sleep 600; true")
    with pytest.raises(ToolError, match="still running after 1 s"):
        Gxx(limit_s=1).measure(folder)
    process = int((folder / "pid").read_text())
    for _ in range(500):  # the kernel ends it when it gets to it
        if not alive(process):
            break
        time.sleep(0.02)
    assert not alive(process)


def alive(process: int) -> bool:
    """Whether a process runs; one that only its parent has yet to notice does not."""
    try:
        status = (Path("/proc") / str(process) / "stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.needs_gxx
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = fake(tmp_path, "echo PASS")
    (folder / "build").mkdir()
    (folder / "build" / "csim.log").symlink_to("/dev/full")
    with pytest.raises(ToolError, match=r"csim\.log: cannot be written \(No space left"):
        Gxx().measure(folder)
