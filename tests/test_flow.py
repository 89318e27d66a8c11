"""Whole runs: what they leave, that they can be stopped, resumed, edited and proven wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import random_design
from commands import QUICK, command, execute, fingerprint, invoke
from hls import random_images, random_network

from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import accuracy
from codesign.cost.timing import Timing
from codesign.design import Design
from codesign.emit.project import digest, read
from codesign.errors import InfeasibleError
from codesign.fit.settle import settle
from codesign.flow.design_file import to_tree
from codesign.flow.run import choose
from codesign.load import yaml_text
from codesign.network import onnx as network_onnx
from codesign.network import serialize
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.store import Store
from codesign.search.trial import Constraint, Objective, Trial

FILES = (
    "flow.yaml",
    "manifest.json",
    "trials.sqlite",
    "report.html",
    "resource_fit.md",
    "resource_fit.json",
    "pareto.csv",
    "progress.csv",
    "best/model.onnx",
    "best/network.json",
    "best/design.yaml",
    "best/hls/Makefile",
    "best/hls/hls_config.cfg",
    "best/hls/run_hls.tcl",
    "best/hls/vivado/build.tcl",
    "best/hls/src/accelerator.cpp",
    "best/hls/tb/accelerator_tb.cpp",
    "best/hls/tb/data/input.txt",
)
"""What a run leaves behind, as the design document lists it."""

pytestmark = pytest.mark.usefixtures("no_user_folders", "quick_compiler")
pytestmark = [
    pytest.mark.needs_gxx,
    pytest.mark.usefixtures("no_user_folders", "quick_compiler"),
]


@pytest.fixture
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")


def manifest(run: Path) -> dict[str, object]:
    return dict(json.loads((run / "manifest.json").read_text()))


def outcome(run: Path) -> dict[str, object]:
    """Return what a run found, without how long it took."""
    told = manifest(run)
    with Store.read(run / "trials.sqlite") as store:
        trials = store.trials()
    names = ("chosen", "network_digest", "accuracy", "fit", "design_digests")
    design = (run / "best/design.yaml").read_text()
    project = digest(read(run / "best/hls"))
    return {"trials": trials, "design": design, "project": project} | {n: told[n] for n in names}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A whole run, `runs/whole`, in a process of its own."""
    root = tmp_path_factory.mktemp("finished")
    done = execute("run", *QUICK, "--out", root / "runs", "--name", "whole")
    assert done.returncode == 0, done.stderr
    done.args = root / "runs" / "whole"
    return done


@pytest.fixture(scope="module")
def run(finished: subprocess.CompletedProcess[str]) -> Path:
    return Path(str(finished.args))


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """The finished run, to be spoilt."""
    return Path(shutil.copytree(run, tmp_path / "copy"))


def test_a_run_leaves_what_the_design_lists(run: Path) -> None:
    assert [name for name in FILES if not (run / name).is_file()] == []
    assert not list(run.rglob("*.part"))


def test_what_a_run_says_of_itself_is_so(run: Path) -> None:
    told = manifest(run)
    network = serialize.load(run / "best/network.json")
    dataset = Digits().load()
    assert told["accuracy"] == {
        "validation": accuracy(network, dataset.validation),
        "test": accuracy(network, dataset.test),
    }
    assert told["dataset"] == dataset.record()
    assert told["network_digest"] == serialize.digest(network)
    restored = network_onnx.load(run / "best/model.onnx")
    assert isinstance(restored, Network)
    assert serialize.digest(restored) == told["network_digest"]
    validation = told["validation"]
    assert isinstance(validation, dict)
    assert validation["passed"]
    assert validation["images"] == 20
    assert validation["project_digest"] == digest(read(run / "best/hls"))
    assert set(validation["layers"]) == {node.name for node in network.graph}
    with Store.read(run / "trials.sqlite") as store:
        trials = store.trials()
        artifact = store.artifact(int(str(told["chosen"])))
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    best = max(trial.values["accuracy"] for trial in trials)
    assert trials[int(str(told["chosen"]))].values["accuracy"] == best
    assert best == told["accuracy"]["validation"]  # type: ignore[index]
    assert artifact is not None
    assert {"search", "fit", "emit", "validate", "test"} <= set(told["seconds"])  # type: ignore[call-overload]


def test_the_last_lines_on_the_screen_say_what_was_chosen(
    finished: subprocess.CompletedProcess[str], run: Path
) -> None:
    said = finished.stdout
    share = f"{manifest(run)['accuracy']['test'] * 100:.2f} %"  # type: ignore[index]
    for text in (
        share,
        "frames per second",
        "latency",
        "LUT",
        "FF",
        "DSP",
        "BRAM",
        "URAM",
        str(run),
    ):
        assert text in said, text
    assert "230,400" in said, "the board's LUT"
    assert "Traceback" not in finished.stderr
    assert [line for line in finished.stderr.splitlines() if re.match(r" +\d/4 ", line)]


def test_the_report_is_one_folder_that_works_offline(run: Path) -> None:
    page = (run / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert all((run / source).is_file() for source in sources if not source.startswith("data:"))
    assert (run / "pareto.csv").read_text().count("\n") > 1


def test_a_finished_run_can_be_resumed_and_stays_what_it_is(copy: Path) -> None:
    before = outcome(copy)
    again = invoke("resume", copy)
    assert again.exit_code == 0, again.output
    assert "is finished" in again.stderr
    assert "accuracy" in again.stdout
    assert outcome(copy) == before


def test_a_killed_run_is_resumed_to_the_same_result(run: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("run", *QUICK, "search.workers=1", "--out", tmp_path, "--name", "killed"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if re.match(r" +1/4 ", line):
            process.kill()
            break
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    killed = tmp_path / "killed"
    assert not (killed / "manifest.json").exists()
    with Store.read(killed / "trials.sqlite") as store:
        made = len(store.trials())
    assert 1 <= made < 4
    for name in ("validate", "report", "emit"):
        early = invoke(name, killed)
        assert early.exit_code == 2
        assert f"codesign resume {killed}" in early.stderr
    done = invoke("resume", killed)
    assert done.exit_code == 0, done.output
    assert f"{made} trials are from the journal" in done.stderr
    assert outcome(killed) == outcome(run)


def test_an_interrupt_says_how_to_go_on(tmp_path: Path) -> None:
    # shells let what runs in the background ignore interrupts, these tests perhaps
    heard = ("env", "--default-signal=INT")
    process = subprocess.Popen(
        (*heard, *command("run", *QUICK, "--out", tmp_path, "--name", "stopped")),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a terminal interrupts the whole group
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if re.match(r" +1/4 ", line):
            os.killpg(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert f"'codesign resume {tmp_path / 'stopped'}' goes on" in said.splitlines()[-1]
    assert "Traceback" not in said


def test_json_is_all_that_stands_on_the_standard_output(copy: Path) -> None:
    told = invoke("report", copy, "--json")
    assert json.loads(told.stdout) == json.loads((copy / "resource_fit.json").read_text())
    measured = json.loads(invoke("validate", copy, "--json").stdout)
    assert measured["passed"]
    assert measured["project_digest"] == digest(read(copy / "best/hls"))


def test_an_exported_network_is_estimated_and_run_as_it_is(run: Path, tmp_path: Path) -> None:
    model = run / "best/model.onnx"
    priced = json.loads(invoke("estimate", model, "--json").stdout)
    assert priced == json.loads(invoke("estimate", model, "--json").stdout)
    arguments = ("onnx", f"network.model={model}", "validation.images=5", "search.workers=1")
    done = invoke("run", *arguments, "--out", tmp_path / "runs", "--name", "again")
    assert done.exit_code == 0, done.output
    again = manifest(tmp_path / "runs/again")
    assert again["network_digest"] == manifest(run)["network_digest"]
    assert again["accuracy"] == manifest(run)["accuracy"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter that writes one file
def test_a_model_exported_by_torch_is_quantised_and_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3),
        torch.nn.BatchNorm2d(4),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(36, 10),
    ).eval()
    model = tmp_path / "torch.onnx"
    torch.onnx.export(module, (torch.zeros(1, 1, 8, 8),), str(model), dynamo=False)
    arguments = (f"network.model={model}", "network.weight_bits=[4, 8]", "validation.images=5")
    done = invoke("run", "onnx", *arguments, "search.workers=1", "--name", "torch")
    assert done.exit_code == 0, done.output
    with Store.read(tmp_path / "runs/torch/trials.sqlite") as store:
        assert {trial.point["weight_bits"] for trial in store.trials()} == {4, 8}


def test_a_corrupted_golden_number_fails_and_is_pointed_at(copy: Path) -> None:
    path = copy / "best/hls/tb/data/conv0.txt"
    first, rest = path.read_text().split(" ", 1)
    path.write_text(f"{int(first) + 1} {rest}")
    done = invoke("validate", copy)
    assert done.exit_code == 3
    assert "FAIL: conv0 image 0 element 0 " in done.stdout
    assert json.loads(invoke("validate", copy, "--json").stdout)["passed"] is False
    assert "FAIL" in invoke("report", copy).stdout
    invoke("emit", copy)
    assert invoke("validate", copy).exit_code == 0


def test_a_corrupted_weight_fails_at_its_layer(copy: Path) -> None:
    path = copy / "best/hls/src/parameters/dense0_matrix_weights.inc"
    path.write_text(re.sub(r"-?\d+", lambda w: "1" if w[0] != "1" else "0", path.read_text()))
    done = invoke("validate", copy / "best/hls")
    assert done.exit_code == 3
    assert "layer conv0: equal" in done.stdout
    assert "FAIL: dense0 image 0 " in done.stdout


def test_without_a_compiler_it_is_said_what_to_install(
    copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = invoke("validate", copy)
    assert done.exit_code == 3
    assert re.match(r"ToolMissing: .* apt-get install g\+\+ make\n\Z", done.stderr)


def test_what_does_not_compile_is_a_failed_tool(copy: Path) -> None:
    (copy / "best/hls/src/send.cpp").write_text("nonsense")
    done = invoke("validate", copy)
    assert done.exit_code == 3
    log = re.search(r"log in (\S+)", done.stderr)
    assert log
    assert "nonsense" in Path(log[1]).read_text()


def test_a_legal_edit_of_the_design_is_emitted_and_proven(copy: Path, tmp_path: Path) -> None:
    before = outcome(copy)
    design = copy / "best/design.yaml"
    engine = re.search(r"  conv0:\n(?:    .*\n)+", design.read_text())
    assert engine
    other = 2 if "    pe: 1\n" in engine[0] else 1
    edited = re.sub(r"    pe: \d+", f"    pe: {other}", engine[0])
    edited = re.sub(r"    pixels: \d+", "    pixels: 1", edited)  # several take all outputs
    edited = re.sub(
        r"    arithmetic: \w+", "    arithmetic: lut", edited
    )  # constants are not folded
    design.write_text(design.read_text().replace(engine[0], edited, 1))
    unproven = invoke("report", copy)
    assert unproven.exit_code == 0
    assert "bit for bit" not in unproven.stdout
    assert "edited" in unproven.stdout
    (copy / "best/hls/src/conv0_earlier.cpp").write_text("of an engine that is no more")
    (copy / "best/hls/notes.md").write_text("a person's own")
    emitted = invoke("emit", copy)
    assert emitted.exit_code == 0, emitted.output
    assert not (copy / "best/hls/src/conv0_earlier.cpp").exists()
    (copy / "best/hls/notes.md").unlink()  # fails if it was taken away, too
    assert str(before["project"]) not in emitted.stdout
    assert digest(read(copy / "best/hls")) in emitted.stdout
    assert invoke("validate", copy).exit_code == 0
    assert "bit for bit" in invoke("report", copy).stdout
    apart = invoke("emit", copy, "--to", tmp_path / "apart")
    assert digest(read(tmp_path / "apart")) in apart.stdout
    assert apart.stdout.splitlines()[-1] == emitted.stdout.splitlines()[-1]
    refused = invoke("emit", copy, "--to", tmp_path / "apart")
    assert refused.exit_code == 2
    assert "exists already" in refused.stderr


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            r"(  conv0:\n(?:    \w+: \w+\n)*?    pe: )\d",
            r"\g<1>3",
            ["conv0.pe: cannot be 3", "legal values: 1, 2, 4"],
        ),
        (
            r"  conv0:\n",
            "  conv7:\n",
            ["engines.conv7", "is no layer", "did you mean conv0"],
        ),
        (r"clock_mhz: \S+", "clock_mhz: 1", ["no clock of 1 MHz"]),
        (r"board: \S+", "board: zcu10", ["did you mean zcu104"]),
        (r"engines:", "engines: [", ["YAML"]),
    ],
)
def test_a_wrong_edit_of_the_design_is_refused(
    copy: Path, old: str, new: str, words: list[str]
) -> None:
    design = copy / "best/design.yaml"
    design.write_text(re.sub(old, new, design.read_text(), count=1))
    before = fingerprint(copy)
    for name in ("emit", "report", "validate"):
        done = invoke(name, copy)
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        for word in words:
            assert word in done.stderr
    assert fingerprint(copy) == before


SMALL_DISK = """
set -u
mount -t tmpfs -o size=$SIZE disk "$DISK"
mkdir "$DISK/earlier" && echo kept > "$DISK/earlier/flow.yaml"
"$@" ; echo "code $?"
cat "$DISK/earlier/flow.yaml"
find "$DISK" -name '*.part'
echo "more room"
mount -o remount,size=50m "$DISK"
$RESUME "$DISK/run" ; echo "code $?"
"""


def can_mount() -> bool:
    """Whether this machine lets us have a small disk for ourselves."""
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "disk", "/mnt"]
    try:
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="needs unshare and mount for a small disk")
@pytest.mark.parametrize(
    ("size", "stage"), [("24k", "search"), ("100k", "emit")], ids=["search", "emission"]
)
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, size: str, stage: str
) -> None:
    environment = {
        **os.environ,
        "CXXFLAGS": "-O0",
        "SIZE": size,
        "DISK": str(tmp_path),
        "RESUME": " ".join(command("resume")),
    }
    arguments = (*QUICK, "search.workers=1", "--out", tmp_path, "--name", "run")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", SMALL_DISK, "sh", *command("run", *arguments)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "Traceback" not in done.stderr
    codes = re.findall(r"^code (\d+)$", done.stdout, re.MULTILINE)
    assert codes == ["2", "0"], done
    assert "code 2\nkept\nmore room\n" in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("InputError")]
    assert re.search(r"disk is full|No space left on device", line)
    stages = re.findall(r"^(\w+): ", done.stderr.split(line, maxsplit=1)[0], re.MULTILINE)
    assert stages[-1] == stage


def test_an_edit_that_would_stand_still_is_not_emitted(copy: Path) -> None:
    maps = Tensor((4, 8, 8), 4, signed=False)
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    nodes = (
        Node("conv0", Conv2d(4, 4, same, 4), (INPUT,), maps, 1),
        Node("conv1", Conv2d(4, 4, same, 4), ("conv0",), maps, 1),
        Node("add0", Add(3), ("conv0", "conv1"), maps, 1),
    )
    graph, random = Graph("residual", maps, nodes), np.random.default_rng(0)
    network = random_network(graph, random, random_images(graph, random, 4))
    serialize.save(network, copy / "best/network.json")
    design = to_tree(random_design(graph, random), "zcu104")
    (copy / "best/design.yaml").write_text(yaml_text(design))
    for name in ("emit", "report"):
        done = invoke(name, copy)
        assert done.exit_code == 2
        (line,) = done.stderr.splitlines()
        assert "design.yaml: fifo_depths: the design stands still" in line
        assert "room in add0_in0" in line


def test_the_report_keeps_the_ceilings_that_the_run_was_given(copy: Path) -> None:
    flow = (copy / "flow.yaml").read_text()
    (copy / "flow.yaml").write_text(flow.replace("ceilings: {}", "ceilings: {lut: 0.5}"))
    assert invoke("report", copy).exit_code == 0
    assert "115,200" in (copy / "resource_fit.md").read_text()


def test_a_wish_that_only_the_settled_design_misses_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(design: Design) -> tuple[Design, Timing]:
        settled, timing = settle(design)
        return settled, replace(timing, period=30 * round(timing.interval))

    monkeypatch.setattr("codesign.flow.run.settle", slowly)
    arguments = ("run", *QUICK, "search.trials=1", "fps>=2000000", "latency_s<=1", "--name", "late")
    done = invoke(*arguments)
    assert done.exit_code == 1
    last = done.stderr.splitlines()[-1]
    assert re.match(r"InfeasibleError: runs/late: .* fps>=2000000", last)
    assert "latency_s" not in last
    assert (tmp_path / "runs/late/report.html").is_file()


def trial(number: int, values: dict[str, float], **violations: float) -> Trial:
    return Trial(number, {"n": number}, str(number), values, violations, seed=0)


BEST_FIRST = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))


def test_the_choice_is_the_best_in_the_first_objective_then_in_the_next() -> None:
    trials = (
        trial(0, {"accuracy": 0.9, "latency_s": 3.0}),
        trial(1, {"accuracy": 0.9, "latency_s": 2.0}),
        trial(2, {"accuracy": 0.8, "latency_s": 1.0}),
        trial(3, {"accuracy": 0.99, "latency_s": 1.0}, lut=0.1),
    )
    assert choose(trials, BEST_FIRST, (), "zcu104").number == 1
    assert choose(trials, BEST_FIRST[::-1], (), "zcu104").number == 2


def test_the_choice_of_two_stages_may_miss_what_others_meet() -> None:
    trials = (
        trial(0, {"accuracy": 0.9, "latency_s": 3.0}, **{"latency_s<=2": 0.5}),
        trial(1, {"accuracy": 0.8, "latency_s": 1.0}),
    )
    assert choose(trials, BEST_FIRST, (), "zcu104", TwoStage(2)).number == 1
    with pytest.raises(InfeasibleError, match=r"two_stage chooses from meets.* 1 of 2 networks do"):
        choose(trials, BEST_FIRST, (), "zcu104", TwoStage(1))


def test_where_nothing_is_feasible_the_closest_says_what_it_misses_and_how_far() -> None:
    wish = (Constraint("fps", ">=", 1000.0), Constraint("lut", "<=", 100.0))
    trials = (
        trial(0, {"fps": 100.0, "lut": 50.0}, **{"fps>=1000": 0.9}),
        trial(1, {"fps": 800.0, "lut": 120.0}, **{"fps>=1000": 0.2, "lut<=100": 0.2}),
    )
    with pytest.raises(InfeasibleError) as caught:
        choose(trials, BEST_FIRST, wish, "kv260")
    said = str(caught.value)
    assert "none of 2 networks meets the wish on kv260" in said
    assert "(trial 1) misses fps>=1000 by 20% (has 800), lut<=100 by 20% (has 120)" in said
