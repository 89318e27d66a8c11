"""The commands as a person meets them: lists, prices, and every kind of bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from commands import UNTRAINED, fingerprint, float_model, invoke, write_model
from onnx import helper

from codesign.search.store import Store

pytestmark = pytest.mark.usefixtures("no_user_folders")


@pytest.mark.parametrize("name", ["boards", "flows"])
def test_lists_name_every_member_in_text_and_json(name: str) -> None:
    text, parsed = invoke(name).stdout, json.loads(invoke(name, "--json").stdout)
    names = [entry["name"] for entry in parsed] if isinstance(parsed, list) else list(parsed)
    assert {"boards": "zcu104", "flows": "quickstart"}[name] in names
    assert all(re.search(rf"^{entry} ", text, re.MULTILINE) for entry in names)


def test_a_board_and_a_flow_of_the_users_own_are_found(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    for kind, source, own in (("boards", "zcu104", "mine"), ("flows", "quickstart", "ours")):
        (tmp_path / kind).mkdir()
        shutil.copy(root / kind / f"{source}.yaml", tmp_path / kind / f"{own}.yaml")
    assert "mine" in invoke("boards").stdout
    assert "ours" in invoke("flows").stdout
    refused = invoke("run", "ours", "board=mine", "accuracy>=2")
    assert refused.exit_code == 1


def test_help_documents_the_exit_codes() -> None:
    said = " ".join(invoke("--help").stdout.split())
    for code, meaning in (("0", "done"), ("1", "wish"), ("2", "wrong input"), ("3", "tool")):
        assert re.search(rf"\b{code}\b[^;.]*{meaning}", said)


def test_a_float_model_is_estimated(tmp_path: Path) -> None:
    done = invoke("estimate", float_model(tmp_path / "m.onnx"), "board=pynq_z2", "weight_bits=4")
    assert done.exit_code == 0, done.output
    assert "PYNQ" in done.stdout
    parsed = json.loads(invoke("estimate", tmp_path / "m.onnx", "--json").stdout)
    assert "zcu104" in json.dumps(parsed)


def test_a_wish_that_a_model_cannot_meet_is_answered_with_how_far(tmp_path: Path) -> None:
    model = float_model(tmp_path / "m.onnx")
    for wish in ("fps>=1e12", "lut<=10", "latency_s<=1e-9"):
        done = invoke("estimate", model, wish)
        assert done.exit_code == 1
        assert re.search(r"\d+(\.\d+)?\s?%|times|\bx\b", done.stdout), done.stdout
        name = re.split("[<>]", wish)[0]
        assert name.lower() in done.stdout.lower()


BAD_RUNS: list[tuple[list[str], int, list[str]]] = [
    (["board=zcu105"], 2, ["zcu105", "did you mean zcu104"]),
    (["board=boards/none.yaml"], 2, ["boards/none.yaml", "is no file"]),
    (["quickstrat"], 2, ["quickstrat", "did you mean quickstart"]),
    (["flow.txt"], 2, ["flow", "flow.txt"]),
    (["search.strategy=nsgaa2"], 2, ["search.strategy", "did you mean nsga2"]),
    (["broken.yaml"], 2, ["broken.yaml:3:1", "YAML"]),
    (["board=broken_board.yaml"], 2, ["broken_board.yaml:3:1", "YAML"]),
    (["board=typed_board.yaml"], 2, ["typed_board.yaml", "resources.dsp", "integer", "220x"]),
    (["search.trials=many"], 2, ["search.trials", "must be an integer"]),
    (["hardware.clock_mhz=17"], 2, ["hardware.clock_mhz", "17 MHz", "it offers"]),
    (["dataset=fashion_mnist", "dataset.path=nowhere"], 2, ["nowhere"]),
    (["dataset=npz", "dataset.path=none.npz"], 2, ["none.npz"]),
    (["dataset=npz", "dataset.path=noise.onnx"], 2, ["noise.onnx"]),
    (["dataset=image_folder", "dataset.path=empty"], 2, ["empty"]),
    (["network=onnx", "network.model=none.onnx"], 2, ["none.onnx", "cannot be read"]),
    (["network=onnx", "network.model=noise.onnx"], 2, ["noise.onnx"]),
    (["network=onnx", "network.model=round.onnx"], 2, ["round.onnx", "'odd'", "Round"]),
    (["accuracy>=1.5"], 1, ["accuracy>=1.5", "0.5"]),
    (["accuracy>=97"], 1, ["accuracy>=97", "accuracy>=0.97"]),
    (["--name", "earlier"], 2, ["earlier", "exists already", "codesign resume"]),
    (["--name", "../outside"], 2, ["--name", "../outside"]),
]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with an earlier run and files that are not what they should be."""
    board = (Path(__file__).parents[1] / "boards/zcu104.yaml").read_text()
    (tmp_path / "broken.yaml").write_text("schema: 1\nboard: [zcu104\n")
    (tmp_path / "broken_board.yaml").write_text("schema: 1\ntitle: 'no end\n")
    typed = re.sub(r"dsp: \{value: \d+", "dsp: {value: 220x", board)
    (tmp_path / "typed_board.yaml").write_text(typed)
    (tmp_path / "noise.onnx").write_bytes(b"\x08\x07no model at all" * 20)
    odd = helper.make_node("Round", ["x"], ["y"], name="odd")
    write_model(tmp_path / "round.onnx", (1, 1, 8, 8), odd)
    (tmp_path / "empty").mkdir()
    (tmp_path / "runs/earlier/best").mkdir(parents=True)
    (tmp_path / "runs/earlier/flow.yaml").write_text("kept")
    (tmp_path / "runs/earlier/best/design.yaml").write_text("kept")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "words"), BAD_RUNS, ids=[" ".join(case[0]) for case in BAD_RUNS]
)
def test_bad_input_is_one_line_and_touches_nothing(
    workplace: Path, arguments: list[str], code: int, words: list[str]
) -> None:
    before = fingerprint(workplace)
    done = invoke("run", *arguments)
    assert done.exit_code == code, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.match(r"(InputError|InfeasibleError|UnsupportedOperator): ", line)
    for word in words:
        assert word in line
    assert fingerprint(workplace) == before
    assert [path.name for path in (workplace / "runs").iterdir()] == ["earlier"]
    assert not (workplace / "outside").exists()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ("fps>=1e12", ["fps>=1000000000000", "100%"]),
        ("lut<=10", ["lut<=10"]),
        ("latency_s<=1e-12", ["latency_s<=1e-12"]),
    ],
)
def test_an_impossible_wish_is_answered_without_training(
    workplace: Path, wish: str, words: list[str]
) -> None:
    before = fingerprint(workplace / "runs/earlier")
    done = invoke("run", wish, *UNTRAINED, "--name", "wish")
    assert done.exit_code == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("InfeasibleError: none of ")
    assert re.search(r"misses .*\d%.* \(has [\d.e+-]+\)", line)
    for word in words:
        assert word in line
    with Store.read(workplace / "runs/wish/trials.sqlite") as store:
        trials = store.trials()
    assert trials
    assert all("accuracy" not in trial.values for trial in trials), "nothing was trained"
    assert fingerprint(workplace / "runs/earlier") == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["estimate", "none.onnx"], ["none.onnx", "cannot be read"]),
        (["estimate", "noise.onnx"], ["noise.onnx"]),
        (["estimate", "round.onnx"], ["'odd'", "Round"]),
        (["estimate", "round.onnx", "board=zcu105"], ["did you mean zcu104"]),
        (["resume", "nowhere"], ["nowhere", "is no run"]),
        (["resume", "runs/earlier"], ["runs/earlier/flow.yaml", "keys and values"]),
        (["emit", "empty"], ["empty", "is no run"]),
        (["report", "empty"], ["empty", "is no run"]),
        (["validate", "empty"], ["empty", "neither a run", "nor an HLS project"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_of_the_other_commands_is_one_line(
    workplace: Path, arguments: list[str], words: list[str]
) -> None:
    before = fingerprint(workplace)
    done = invoke(*arguments)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    for word in words:
        assert word in line
    assert fingerprint(workplace) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_output_folder_is_one_line(workplace: Path) -> None:
    (workplace / "runs").chmod(0o500)
    done = invoke("run", *UNTRAINED)
    (workplace / "runs").chmod(0o700)
    assert done.exit_code == 2
    assert re.match(r"InputError: runs/.*cannot be written .*ermission", done.stderr)
