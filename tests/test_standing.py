"""Where a search stands: its numbers, the logs that keep them, and the lines on a screen."""

from __future__ import annotations

import csv
import io
import struct
import sys
from pathlib import Path

import pytest
from commands import UNTRAINED, invoke

from codesign import load
from codesign.errors import InputError
from codesign.flow.followed import log_classes
from codesign.load import members
from codesign.report.live import EVERY_S, Live, duration, standing_text
from codesign.search import pareto
from codesign.search.log import Log
from codesign.search.logs.csv import FILE, Csv
from codesign.search.standing import SETTLED, Following, Standing
from codesign.search.store import Store
from codesign.search.strategies.nsga2 import Nsga2
from codesign.search.study import Budget, Progress, Study
from codesign.search.trial import Constraint, Objective, Outcome, Trial
from codesign.space import Choice, Point, Space

SPACE = Space((Choice("width", tuple(range(1, 21))), Choice("bits", tuple(range(2, 9)))))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("lut", maximize=False))
STUDY = Study(
    space=SPACE,
    objectives=OBJECTIVES,
    constraints=(Constraint.parse("bits>=3"),),
    strategy=Nsga2,
    seed=2,
    batch=4,
)
LOGS = load.names("search.logs")


def evaluate(point: Point, number: int, seed: int) -> Outcome:
    """Networks of two bits break the wish, and are not trained."""
    size = int(point["width"]) * int(point["bits"])
    values = {"lut": 100.0 * size, "bits": float(point["bits"])}
    if point["bits"] == 2:
        return Outcome(values)
    return Outcome({**values, "accuracy": 1 - 1 / size})


class Clock:
    """Tells 3 s more each time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 3
        return self.now


def followed(
    trials: int,
    path: Path | None = None,
    logs: tuple[Log, ...] = (),
    given: dict[str, float] | None = None,
) -> list[Standing]:
    """Search, and return the standings after every trial."""
    budget, seen = Budget(trials), []
    follow = Following(budget, SPACE.distinct, OBJECTIVES, (), given or {}, Clock())

    def watch(progress):
        seen.append(follow(progress))
        for log in logs:
            log.write(seen[-1])

    with Store.open(path, STUDY.definition()) as store:
        STUDY.run(evaluate, budget, store, watch)
    return seen


def standing(number: int, replayed: bool = False, **changes: object) -> Standing:
    trial = Trial(number, {}, str(number), {"accuracy": 0.5}, {}, 0, 1.0)
    return Standing(
        **{
            "trial": trial,
            "replayed": replayed,
            "total": 9,
            "seconds": 2.0,
            "trainings": number + 1,
            "feasible": number + 1,
            "best": {"accuracy": 0.9, "lut": 1200.0},
            "front": 2,
            "reference": {"accuracy": 0.5, "lut": 2000.0},
            "hypervolume": 320.0,
            "left_s": 130.0,
            **changes,
        }
    )


def test_the_numbers_are_those_of_the_trials() -> None:
    seen = followed(40)
    trials = [each.trial for each in seen]
    for place, each in enumerate(seen, 1):
        fits = [t for t in trials[:place] if t.feasible]
        trained = [t for t in trials[:place] if "accuracy" in t.values]
        assert (each.feasible, each.trainings, each.total) == (len(fits), len(trained), 40)
        if not fits:
            assert (each.best, each.reference, each.hypervolume) == ({}, {}, None)
            continue
        assert each.best == {
            "accuracy": max(t.values["accuracy"] for t in fits),
            "lut": min(t.values["lut"] for t in fits),
        }
        first = fits[:SETTLED]
        assert each.reference == pytest.approx(
            {
                "accuracy": min(t.values["accuracy"] for t in first) / 1.1,
                "lut": max(t.values["lut"] for t in first) * 1.1,
            }
        )
        limit = [-each.reference["accuracy"], each.reference["lut"]]
        front = pareto.costs(pareto.front(fits, OBJECTIVES), OBJECTIVES)
        assert each.front == len(front)
        assert each.hypervolume == pytest.approx(pareto.hypervolume(front, limit))
    assert seen[-1].last
    assert not seen[-2].last
    assert any(len(t.values) == 2 for t in trials), "the case of networks without accuracy is gone"


def test_a_settled_hypervolume_never_shrinks() -> None:
    volumes = [each.hypervolume for each in followed(60) if each.feasible >= SETTLED]
    assert len(volumes) > 20
    assert volumes == sorted(volumes)


def test_a_reference_is_given_or_follows_from_a_bound() -> None:
    assert followed(3, given={"accuracy": 0.25, "lut": 9000})[0].reference == {
        "accuracy": 0.25,
        "lut": 9000,
    }
    bounded = Following(Budget(3), 9, OBJECTIVES, (Constraint.parse("lut<=5000"),))
    assert bounded._referred() == {}, "accuracy has none"
    both = (*bounded.constraints, Constraint.parse("accuracy>=0.7"), Constraint.parse("lut>=1"))
    told = Following(Budget(3), 9, OBJECTIVES, both)._referred()
    assert told == {"accuracy": 0.7, "lut": 5000.0}
    with pytest.raises(InputError, match=r"search\.reference: .* 'lutt'; did you mean lut\?"):
        followed(3, given={"lutt": 1})


def test_a_plain_name_is_the_reference_of_every_board() -> None:
    boards = tuple(Objective(f"latency_s@{name}", maximize=False) for name in "ab")
    told = Following(Budget(3), 9, boards, (), {"latency_s": 1e-3, "latency_s@b": 2e-3}).given
    assert told == {"latency_s@a": 1e-3, "latency_s@b": 2e-3}


def test_the_time_left_follows_from_what_was_made_now(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    first = followed(5, path)
    assert [each.left_s for each in first] == [12, 9, 6, 3, 0]
    again = followed(9, path)
    assert [each.left_s for each in again] == [None] * 5 + [9, 6, 3, 0]
    assert [each.replayed for each in again] == [True] * 5 + [False] * 4


def test_a_budget_of_seconds_ends_it_sooner() -> None:
    trial = Trial(0, {}, "0", {}, {"lut<=1": 1.0}, 0, seconds=1.0)
    follow = Following(Budget(100, seconds=5), 1000, OBJECTIVES, clock=Clock())
    told = follow(Progress(trial, False, 0, (), OBJECTIVES))
    assert told.left_s == pytest.approx(4 * 3), "4 s of evaluation, which take 3 s each"


def test_a_space_that_is_smaller_than_the_budget_counts() -> None:
    assert Following(Budget(100), 7, OBJECTIVES)._total == 7


@pytest.mark.parametrize("name", LOGS)
def test_a_log_goes_on_without_repeating_itself(name: str, tmp_path: Path) -> None:
    cls = members.member("search.logs", Log, name)
    with cls(tmp_path, OBJECTIVES) as log:
        followed(7, tmp_path / "t.sqlite", (log,))
    first = rows_of(name, tmp_path)
    assert [row[0] for row in first] == list(range(7))
    with cls(tmp_path, OBJECTIVES) as log:
        followed(12, tmp_path / "t.sqlite", (log,))
    again = rows_of(name, tmp_path)
    assert [row[0] for row in again] == list(range(12))
    assert again[:7] == first
    whole = followed(12)
    assert again == [(each.trial.number, each.front, each.feasible) for each in whole]


def rows_of(name: str, folder: Path) -> list[tuple[int, int, int]]:
    """Return number, size of the front and feasible trials of every row that a log holds."""
    if name == "csv":
        with (folder / FILE).open() as file:
            rows = list(csv.DictReader(file))
        return [(int(row["trial"]), int(row["front"]), int(row["feasible"])) for row in rows]
    if name == "tensorboard":
        files = sorted((folder / name).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        found = [event for file in files for event in events(file)]
        return [(step, int(v["search/front"]), int(v["search/feasible"])) for step, v in found]
    pytest.fail(f"say here how the log '{name}' is read")


def events(path: Path) -> list[tuple[int, dict[str, float]]]:
    """Read an event file: records of a length, a checksum, a message and a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data = path.read_bytes()
    found: dict[int, dict[str, float]] = {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]
        for value in event.summary.value:
            assert value.tag.partition("/")[0] in ("search", "best", "reference", "trial")
            found.setdefault(event.step, {})[value.tag] = value.simple_value
    return sorted(found.items())


def test_a_row_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    with Csv(tmp_path, OBJECTIVES) as log:
        for number in range(3):
            log.write(standing(number))
    whole = (tmp_path / FILE).read_text()
    for cut in (3, 20, len(whole) - len(whole.splitlines()[0])):
        (tmp_path / FILE).write_text(whole[:-cut])
        with Csv(tmp_path, OBJECTIVES) as log:
            for number in range(3):
                log.write(standing(number, replayed=True))
        assert (tmp_path / FILE).read_text() == whole


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "trial,seconds\n0,1\n", "\xff\n"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin1"))
    with pytest.raises(InputError, match=r"progress\.csv: is (not what|no text).*move it away"):
        Csv(tmp_path, OBJECTIVES)
    assert (tmp_path / FILE).read_bytes() == text.encode("latin1"), "what is not ours was changed"


def test_logs_are_named_like_boards() -> None:
    assert log_classes("none") == ()
    assert [cls.__name__ for cls in log_classes("csv, tensorboard")] == ["Csv", "Tensorboard"]
    for wrong in ("cvs", "csv,csv", ""):
        with pytest.raises(InputError, match=r"search\.log: "):
            log_classes(wrong)


@pytest.mark.usefixtures("no_user_folders")
def test_what_cannot_be_followed_is_refused_before_a_folder_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = ("--out", tmp_path / "runs")
    wrong = invoke("run", *UNTRAINED, "search.reference={fbs: 2}", *out)
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert "search.reference" in wrong.stderr
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.delitem(sys.modules, "codesign.search.logs.tensorboard", raising=False)
    missing = invoke("run", *UNTRAINED, "search.log=tensorboard", *out)
    assert (missing.exit_code, missing.stderr.count("\n")) == (3, 1)
    assert "pip install 'codesign[tensorboard]'" in missing.stderr
    assert not (tmp_path / "runs").exists()


def test_a_line_says_how_many_how_good_and_how_long() -> None:
    assert standing_text(standing(3)) == (
        "   4/9  2 min left  best accuracy 90.00 %, lut 1,200  front 2  hypervolume 320"
    )
    none = standing(3, feasible=0, best={}, hypervolume=None, left_s=None, trainings=0)
    assert standing_text(none).split("  ") == ["", " 4/9", "0 feasible", "0 trained"]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (91, "2 min"), (7500, "2 h 5 min")]
)
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_log_file_gets_a_line_now_and_then() -> None:
    stream, now = io.StringIO(), [0.0]
    live = Live(stream, clock=lambda: now[0])
    for number in range(9):
        now[0] += EVERY_S / 2.9
        live.watch(standing(number))
    live.say("fit")
    lines = stream.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["1/9", "4/9", "7/9", "9/9", "fit"]


def test_a_search_that_ends_early_says_where_it_stood() -> None:
    stream = io.StringIO()
    live = Live(stream, clock=lambda: 0.0)
    for number in range(4):
        live.watch(standing(number, replayed=number < 2))
    live.say("fit")
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == [
        "2/9",
        "2",
        "4/9",
        "fit",
    ]
    assert "2 trials are from the journal" in stream.getvalue()


def test_a_terminal_has_one_line_that_is_rewritten(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    live = Live(stream)
    live.say("search")
    for number in range(3):
        live.watch(standing(number))
    live.say("fit")
    shown = [part.rpartition("\x1b[2K")[2] for part in stream.getvalue().split("\n")]
    assert shown[0] == "search"
    assert shown[1].split()[0] == "3/9"
    assert len(shown[1]) < 30
    assert shown[2] == "fit"
    assert stream.getvalue().count("\n") == 3


def test_quiet_is_silent() -> None:
    stream = io.StringIO()
    live = Live(stream, quiet=True)
    live.say("search")
    live.watch(standing(8))
    live.settle()
    assert stream.getvalue() == ""
