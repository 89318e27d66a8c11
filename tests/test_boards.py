"""Several boards in one search: what each sees, and runs that leave a folder for each."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import QUICK, invoke

from codesign.candidate import Fleet, Share, Target
from codesign.cost.estimate import estimate
from codesign.emit.project import digest, read
from codesign.errors import InputError
from codesign.flow.boards import run_boards
from codesign.flow.folder import RunFolder
from codesign.flow.prepare import Prepared, Several, prepare
from codesign.flow.sections import board_names
from codesign.flow.settings import load_settings, resolve
from codesign.hardware.board import Board
from codesign.load import read_yaml
from codesign.network.families.convnet import Convnet
from codesign.network.graph import Graph
from codesign.network.tensor import Tensor
from codesign.search import pareto
from codesign.search.formulations.pareto import Pareto
from codesign.search.store import Store
from codesign.search.trial import Constraint, Objective, Outcome, Trial
from codesign.space import Point
from codesign.validate.measurement import Measurement
from codesign.validate.tools.gxx import Gxx

BOARDS = ("zcu104", "pynq_z2", "kv260")
FAMILY = Convnet(
    Tensor((1, 8, 8), 8, signed=False),
    10,
    layers=(1,),
    widths=(4, 8),
    kernels=(1, 3),
    downsamples=("none", "stride"),
    residuals=(False,),
    weight_bits=(4,),
    activation_bits=(4,),
    heads=("average",),
)
SPACE = FAMILY.space()
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))


def accuracy_of(graph: Graph) -> float:
    """Return what stands for training here: more parameters are better, with ever less gain."""
    return 1 - 1 / (1 + graph.parameters**0.5)


def targets(*wish: str) -> dict[str, Target]:
    constraints = tuple(Constraint.parse(text) for text in wish)
    return {n: Target(Board.load(n), (100e6,), "interval", constraints) for n in BOARDS}


def judged_by(judge: Fleet | Target) -> tuple[Trial, ...]:
    """Return every network of the space, judged on all boards or on one by itself."""
    trials = []
    for number in range(SPACE.size):
        graph = FAMILY.decode(SPACE.at(number))
        outcome = judge.judged(graph)
        values = {**outcome.values, "accuracy": accuracy_of(graph)}
        trials.append(
            Trial(number, SPACE.at(number), str(number), values, outcome.violations, number)
        )
    return tuple(trials)


WISHES = (("lut<=5500",), ("fps>=400000", "energy_j<=1e-6"))


@pytest.mark.parametrize("wish", WISHES, ids="&".join)
def test_every_board_sees_the_front_and_the_choice_that_it_has_judged_by(
    wish: tuple[str, ...],
) -> None:
    fleet = Fleet(targets(*wish), "each")
    trials = judged_by(fleet)
    joint = {t.number for t in pareto.front(trials, fleet.objectives(OBJECTIVES))}
    for name, target in fleet.targets.items():
        seen = tuple(fleet.view(trial, name, ()) for trial in trials)
        own = judged_by(target)
        assert [t.feasible for t in seen] == [t.feasible for t in own]
        for one, other in zip(seen, own, strict=True):
            assert one.values == other.values
            assert one.violation == pytest.approx(other.violation)
        front = pareto.front(own, OBJECTIVES)
        assert pareto.front(seen, OBJECTIVES) == [seen[trial.number] for trial in front]
        assert Pareto().choose(seen, OBJECTIVES) == (seen[front[0].number] if front else None)
        # equal points of a board's front may differ on another board: one of them is there
        costs = {tuple(row) for row in pareto.costs(front, OBJECTIVES).tolist()}
        kept = pareto.costs([own[number] for number in joint], OBJECTIVES).tolist()
        assert costs <= {tuple(row) for row in kept}


@pytest.mark.parametrize("wish", WISHES, ids="&".join)
def test_one_network_for_all_is_the_best_of_the_worst(wish: tuple[str, ...]) -> None:
    fleet = Fleet(targets(*wish), "one")
    trials = judged_by(fleet)
    assert fleet.objectives(OBJECTIVES) == OBJECTIVES
    every = [judged_by(target) for target in fleet.targets.values()]
    for number, trial in enumerate(trials):
        own = [alone_on[number] for alone_on in every]
        assert trial.values["latency_s"] == max(one.values["latency_s"] for one in own)
        assert trial.values["fps"] == min(one.values["fps"] for one in own)
        assert trial.feasible == all(one.feasible for one in own)
    kept = [n for n in range(SPACE.size) if all(own[n].feasible for own in every)]
    chosen = Pareto().choose(trials, OBJECTIVES)
    best = min(
        kept,
        key=lambda n: (
            -every[0][n].values["accuracy"],
            max(own[n].values["latency_s"] for own in every),
            n,
        ),
        default=None,
    )
    assert (chosen.number if chosen else None) == best


def test_a_network_is_of_use_where_one_board_holds_it() -> None:
    small = replace(Board.load("pynq_z2"), resources=replace(BOARD.resources, lut=3000))
    mixed = {**targets(), "small": Target(small, (100e6,), "interval", ())}
    graph = FAMILY.decode(SPACE.at(0))
    each, one = (Fleet(mixed, share).judged(graph) for share in ("each", "one"))
    assert not each.violations
    assert list(one.violations) == ["lut on the board (small)"]
    assert each.values["violation@small"] == sum(one.violations.values()) > 0
    best = estimate(mixed["zcu104"].fit(graph).design).values()
    assert {k: each.values[f"{k}@zcu104"] for k in best} == best


BOARD = Board.load("pynq_z2")


def test_boards_are_named_once() -> None:
    assert board_names("zcu104, pynq_z2") == ("zcu104", "pynq_z2")
    for text, problem in (("zcu104,", "leaves a name out"), ("a,b/a.yaml", "'a' is named twice")):
        with pytest.raises(InputError, match=problem):
            board_names(text)


def test_a_share_is_each_or_one() -> None:
    assert load_settings("quickstart", ["target.share=one"]).target.share == "one"
    with pytest.raises(InputError, match=r"target\.share: has no such choice"):
        load_settings("quickstart", ["target.share=all"])


# --- whole runs -----------------------------------------------------------------------------


@dataclass
class Interrupt:
    """Ends a search at some trial, as a person does."""

    number: int

    def __call__(self, progress: object) -> None:
        if progress.trial.number == self.number:  # type: ignore[attr-defined]
            raise KeyboardInterrupt


SEVERAL = (*QUICK, "board=zcu104,pynq_z2", "search.workers=1", "network.widths=[4,8]")


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe the C++, which other tests run: what matters here is which of it there is."""

    def believed(tool: Gxx, project: Path) -> Measurement:
        return Measurement("gxx", "1", digest(read(project)), True, "equal", 1, (), 0.0, "")

    monkeypatch.setattr(Gxx, "measure", believed)


def digests(folder: Path) -> dict[str, object]:
    """Return what a run for several boards found."""
    told = json.loads((folder / "boards.json").read_text())
    for name in told["boards"]:
        manifest = json.loads((folder / name / "manifest.json").read_text())
        told[name] = manifest["network_digest"], manifest["design_digests"]
    return dict(told)


@pytest.mark.usefixtures("no_user_folders", "unproven")
def test_a_run_for_two_boards_is_two_runs_from_one_search(tmp_path: Path) -> None:
    done = invoke("run", *SEVERAL, "--name", "whole")
    assert done.exit_code == 0, done.output
    whole = tmp_path / "runs" / "whole"
    told = json.loads((whole / "boards.json").read_text())
    assert (told["share"], list(told["boards"]), told["missing"]) == (
        "each",
        ["zcu104", "pynq_z2"],
        {},
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    for name, own in told["boards"].items():
        assert own["proven"]
        assert own["fits"]
        assert [name, str(own["chosen"])] in [row[:2] for row in rows]
        with Store.read(whole / name / "trials.sqlite") as store:
            trials = store.trials()
        assert own["values"]["accuracy"] == max(t.values["accuracy"] for t in trials)
        assert f'href="{name}/report.html"' in (whole / "report.html").read_text()
        assert resolve(read_yaml(whole / name / "flow.yaml"), (), "own").boards == (name,)
    assert {r.split(",")[0] for r in (whole / "pareto.csv").read_text().splitlines()[1:]} == set(
        told["boards"]
    )
    before = digests(whole)
    again = invoke("resume", whole)
    assert "is finished" in again.stderr
    assert again.stdout.replace(f"{tmp_path}/", "") == done.stdout
    assert digests(whole) == before
    assert invoke("validate", whole / "pynq_z2").exit_code == 0
    assert json.loads(invoke("report", whole, "--json").stdout) == told
    for name in ("emit", "validate"):
        refused = invoke(name, whole)
        assert refused.exit_code == 2
        assert f"is of several boards; name one's, e.g. {whole / 'zcu104'}" in refused.stderr
    check_resumed(whole, tmp_path)


def check_resumed(whole: Path, tmp_path: Path) -> None:
    """Interrupt the search, then the boards, and compare with the whole run."""
    settings = resolve(read_yaml(whole / "flow.yaml"), (), "flow")
    prepared = prepare(settings)
    assert isinstance(prepared, Several)
    folder = RunFolder.create(tmp_path, settings.board, "cut")
    folder.write_flow(settings.data)
    with pytest.raises(KeyboardInterrupt):
        run_boards(prepared, folder, lambda text: None, Interrupt(1))
    assert not folder.finished
    early = invoke("report", folder.path)
    assert early.exit_code == 2
    stages = itertools.count()

    def say(text: str) -> None:
        if text.startswith("pynq_z2 emit"):
            next(stages)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_boards(prepared, folder, say, lambda progress: None)
    assert next(stages) == 1
    assert folder.of_board("zcu104").finished
    assert not folder.of_board("pynq_z2").finished
    with patch("codesign.candidate.Judge.__call__", side_effect=AssertionError("made again")):
        done = invoke("resume", folder.path)
    assert done.exit_code == 0, done.output
    assert digests(folder.path) == digests(whole)


@pytest.mark.usefixtures("no_user_folders", "unproven")
def test_one_network_for_two_boards(tmp_path: Path) -> None:
    done = invoke("run", *SEVERAL, "target.share=one", "search.trials=2", "--name", "one")
    assert done.exit_code == 0, done.output
    found = digests(tmp_path / "runs" / "one")
    assert found["zcu104"][0] == found["pynq_z2"][0]  # type: ignore[index]
    assert "one network for all boards" in done.stdout


class Judged:
    """Stands for training: the journal of a search without it."""

    def __init__(self, prepared: Several) -> None:
        self.judge = prepared.judge

    def __call__(self, point: Point, number: int, seed: int) -> Outcome:
        graph = self.judge.family.decode(point)
        outcome = self.judge.target.judged(graph)
        return Outcome({**outcome.values, "accuracy": accuracy_of(graph)}, outcome.violations)


@pytest.mark.parametrize("share", ["each", "one"])
def test_a_wish_is_judged_board_by_board(share: Share) -> None:
    """The slower clock of pynq_z2 misses a rate that the others reach."""
    changes = (*SEVERAL, f"target.share={share}", "fps>=9e6", "accuracy>=0.1", "search.batch=1")
    prepared = prepare(load_settings("quickstart", changes))
    assert isinstance(prepared, Several)
    assert [c.text for c in prepared.study.constraints] == ["accuracy>=0.1"]
    point = prepared.study.space.at(0)
    values = Judged(prepared)(point, 0, 0)
    fast = values.values["violation@zcu104"] == 0
    assert fast != (values.values["violation@pynq_z2"] == 0)
    assert bool(values.violations) == (share == "one")


def test_one_board_is_prepared_as_ever() -> None:
    prepared = prepare(load_settings("quickstart", ["board=zcu104", "target.share=one"]))
    assert isinstance(prepared, Prepared)
    assert "target" not in prepared.study.problem
    assert prepared.study.constraints == ()
