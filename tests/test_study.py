"""Studies: repeats, budgets, progress, resuming after any end, and what goes wrong."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from codesign.errors import InputError, MemberError
from codesign.search.store import Store
from codesign.search.strategies.nsga2 import Nsga2
from codesign.search.strategies.random import Random
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Stop, Study, trial_seed
from codesign.search.trial import Constraint, Objective, Outcome
from codesign.space import Choice, Space

SPACE = Space((Choice("width", tuple(range(1, 21))), Choice("bits", tuple(range(2, 9)))))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("lut", maximize=False))


def evaluate(point, number, seed):
    """More width and bits: better and larger. The seed tells in the last digits."""
    size = point["width"] * point["bits"]
    return Outcome({"accuracy": 1 - 1 / size + seed * 1e-15, "lut": 100 * size})


class Scripted(Strategy):
    """Ask for the widths of a script, over and over, and remember what was told."""

    script = (1,)
    told: list

    def __init__(self, space, objectives, seed, options):
        super().__init__(space, objectives, seed, options)
        self.asked = 0
        type(self).told = []

    def ask(self, count):
        start, self.asked = self.asked, self.asked + count
        widths = [self.script[i % len(self.script)] for i in range(start, self.asked)]
        return [{"width": width, "bits": 8} for width in widths]

    def tell(self, trials):
        self.told.append(list(trials))


class Silent(Scripted):
    def ask(self, count):
        return []


def scripted(*widths):
    return type("Scripted", (Scripted,), {"script": widths, "__module__": __name__})


def study(strategy=Nsga2, **changes):
    return Study(**{"space": SPACE, "objectives": OBJECTIVES, "strategy": strategy} | changes)


def run(studied, trials=10, path=None, how=evaluate, watch=None, **budget):
    with Store.open(path, studied.definition()) as store:
        return studied.run(how, Budget(trials, **budget), store, watch)


def test_a_point_is_evaluated_once_and_told_every_time():
    calls = []

    def counted(point, number, seed):
        calls.append(point["width"])
        return evaluate(point, number, seed)

    strategy = scripted(1, 2, 1, 1, 3)
    result = run(study(strategy), trials=3, how=counted)
    assert calls == [1, 2, 3]
    assert [trial.number for trial in result.trials] == [0, 1, 2]
    told = [trial for batch in strategy.told for trial in batch]
    assert [trial.number for trial in told] == [0, 1, 0, 0, 2]
    assert told[2] == told[0]


def test_points_of_one_canonical_form_are_one():
    strategy = scripted(1, 2, 3, 4)
    result = run(study(strategy, canonical=lambda point: f"half {point['width'] // 2}"), trials=3)
    assert [trial.key for trial in result.trials] == ["half 0", "half 1", "half 2"]
    second, third = strategy.told[1][0], strategy.told[2][0]
    assert (second.point["width"], third.point["width"]) == (2, 3)
    assert (second.number, second.values) == (third.number, third.values)


def test_the_seed_of_a_trial_depends_on_what_is_tried_not_on_when():
    forward = run(study(scripted(1, 2, 3)), trials=3).trials
    backward = run(study(scripted(3, 2, 1)), trials=3).trials
    assert {t.key: (t.seed, t.values) for t in forward} == {
        t.key: (t.seed, t.values) for t in backward
    }
    assert len({trial.seed for trial in forward}) == 3
    assert forward[0].seed == trial_seed(0, forward[0].key) != trial_seed(1, forward[0].key)


def test_the_seed_of_a_trial_never_changes():
    """Journals rely on it. The number is that of `printf 0:a | sha256sum`, first 8 digits."""
    assert trial_seed(0, "a") == 0x9DF3C5FA


def test_the_budget_may_end_inside_a_batch():
    strategy = scripted(1, 2, 3, 4, 5, 6)
    result = run(study(strategy, batch=4), trials=6)
    assert (len(result.trials), result.stop) == (6, Stop.TRIALS)
    assert [len(batch) for batch in strategy.told] == [4]


def test_budget_of_seconds_counts_evaluation_before_the_interruption(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("codesign.search.study.time.perf_counter", lambda: now[0])

    def slow(point, number, seed):
        now[0] += 10.0
        return evaluate(point, number, seed)

    path = tmp_path / "t.sqlite"
    run(study(), trials=3, path=path, how=slow)
    result = run(study(), trials=100, path=path, how=slow, seconds=45)
    assert (len(result.trials), result.stop) == (5, Stop.SECONDS)
    assert {trial.seconds for trial in result.trials} == {10.0}


@pytest.mark.parametrize("strategy", [Random, Nsga2])
def test_a_small_space_ends_the_search(strategy):
    space = Space((Choice("width", (1, 2, 3)), Choice("bits", (2, 8))))
    result = run(study(strategy, space=space), trials=50)
    assert (len(result.trials), result.stop) == (6, Stop.EXHAUSTED)


def test_a_strategy_that_repeats_itself_ends_the_search():
    result = run(study(scripted(5, 6, 7)), trials=50, fruitless=20)
    assert (len(result.trials), result.stop) == (3, Stop.FRUITLESS)


def test_repeats_are_counted_in_a_row_only():
    widths = [width for width in range(1, 21) for _ in range(4)]  # three repeats of each
    assert len(run(study(scripted(*widths)), trials=20, fruitless=4).trials) == 20
    assert run(study(scripted(*widths)), trials=20, fruitless=3).stop == Stop.FRUITLESS


def test_a_larger_budget_goes_on_where_a_smaller_one_ended(tmp_path):
    whole = run(study(batch=4), trials=60)
    for trials in (7, 20, 21, 60):
        part = run(study(batch=4), trials=trials, path=tmp_path / "t.sqlite")
        assert part.trials == whole.trials[:trials]
    fewer = run(study(batch=4), trials=9, path=tmp_path / "t.sqlite")
    assert fewer.trials == whole.trials[:9]


def test_progress_tells_where_the_search_stands(tmp_path):
    seen = []
    studied = study(constraints=(Constraint.parse("lut<=5000"),))
    run(studied, trials=12, path=tmp_path / "t.sqlite", watch=seen.append)
    run(studied, trials=15, path=tmp_path / "t.sqlite", watch=seen.append)
    assert [progress.trial.number for progress in seen] == [*range(12), *range(15)]
    assert [progress.replayed for progress in seen] == 12 * [False] + 12 * [True] + 3 * [False]
    made = [progress.trial for progress in seen[12:]]
    fits = [trial for trial in made if trial.values["lut"] <= 5000]
    last = seen[-1]
    assert 0 < last.feasible == len(fits) < 15
    assert set(map(id, last.front)) <= set(map(id, made))
    assert last.best == {
        "accuracy": max(trial.values["accuracy"] for trial in fits),
        "lut": min(trial.values["lut"] for trial in fits),
    }
    volumes = [p.hypervolume({"accuracy": 0.0, "lut": 20000}) for p in seen[12:]]
    assert 0 <= volumes[0] <= volumes[-1] == max(volumes)


def test_progress_without_a_feasible_trial():
    seen = []
    studied = study(constraints=(Constraint.parse("lut<=1"),))
    run(studied, trials=2, watch=seen.append)
    assert (seen[-1].best, seen[-1].front, seen[-1].feasible) == ({}, (), 0)
    assert seen[-1].hypervolume({"accuracy": 0, "lut": 1}) == 0


def test_an_early_exit_states_its_own_violation_beside_the_constraints():
    def early(point, number, seed):
        return Outcome({"lut": 200}, {"deadlock": 1.0})

    result = run(study(constraints=(Constraint.parse("lut<=100"),)), trials=1, how=early)
    assert result.trials[0].violations == {"deadlock": 1.0, "lut<=100": 1.0}


def test_a_feasible_trial_must_tell_what_was_asked_for():
    wrong_objective = study(objectives=(Objective("acuracy", maximize=True),))
    with pytest.raises(InputError, match=r"objective: .* 'acuracy'; did you mean accuracy\?"):
        run(wrong_objective)
    wrong_constraint = study(constraints=(Constraint.parse("luts<=4"),))
    with pytest.raises(InputError, match=r"constraint: .* 'luts'; did you mean lut\?"):
        run(wrong_constraint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objectives": ()}, "objectives: there is none"),
        ({"objectives": OBJECTIVES[:1] * 2}, "objectives: one is given twice: accuracy, accuracy"),
        ({"seed": -1}, "seed: must lie between 0 and"),
        ({"seed": 2**32}, "seed: must lie between 0 and"),
    ],
)
def test_wrong_studies_are_refused(changes, message):
    with pytest.raises(InputError, match=f"^{message}"):
        study(**changes)


def test_a_strategy_that_breaks_its_form_is_named():
    with pytest.raises(MemberError, match=r"^strategy test_study: .*not in tuple"):
        run(study(scripted(99)))
    with pytest.raises(MemberError, match=r"^strategy test_study: gave 0 points, not the 1 asked"):
        run(study(Silent))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 1}, "seed=0, not 1"),
        ({"strategy": Random}, "strategy='nsga2', not 'random'|options"),
        ({"options": {"population": 5}}, "options={'population': 12}, not {'population': 5}"),
        ({"batch": 2}, "batch=1, not 2"),
        ({"constraints": (Constraint.parse("lut<=9"),)}, r"constraints=\[\], not \['lut<=9'\]"),
        ({"objectives": OBJECTIVES[::-1]}, "objectives="),
        ({"space": Space((SPACE.choices[0],))}, "space="),
        ({"problem": "another flow"}, "problem='', not 'another flow'"),
    ],
)
def test_another_study_does_not_go_on_with_this_journal(tmp_path, changes, message):
    path = tmp_path / "t.sqlite"
    run(study(), path=path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"t\.sqlite: was written with .*({message}).*; give"):
        run(study(**changes), path=path)
    assert path.read_bytes() == before


def test_a_journal_that_the_strategy_no_longer_follows_is_refused(tmp_path):
    path = tmp_path / "t.sqlite"
    run(study(scripted(1, 2, 3)), trials=3, path=path)
    with pytest.raises(InputError, match=r"t\.sqlite: trial 1 of the journal is not the one"):
        run(study(scripted(1, 3, 2)), trials=3, path=path)


def die_by_kill(path, number_of_death):
    """In a process of its own: search, and be killed without warning in one evaluation."""

    def deadly(point, number, seed):
        if number == number_of_death:
            os.kill(os.getpid(), signal.SIGKILL)
        return evaluate(point, number, seed)

    run(study(), trials=40, path=Path(path), how=deadly)


def die_inside_a_transaction(path, number_of_death):
    """The same, when a trial is half on the disk: its row is larger than SQLite's memory."""

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def large(point, number, seed):
        if number == number_of_death:
            store._connection.execute("PRAGMA cache_size = 1")
            store._connection.create_function("die", 0, die)
            store._connection.execute(
                "CREATE TEMP TRIGGER death AFTER INSERT ON main.trial BEGIN SELECT die(); END"
            )
        return Outcome(evaluate(point, number, seed).values, artifact=bytes(100_000))

    studied = study()
    with Store.open(Path(path), studied.definition()) as store:
        studied.run(large, Budget(40), store)


@pytest.mark.parametrize("death", [die_by_kill, die_inside_a_transaction])
def test_resumed_after_a_real_kill_equals_uninterrupted(tmp_path, death):
    path = tmp_path / "t.sqlite"
    code = f"import test_study; test_study.{death.__name__}({str(path)!r}, 17)"
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{here.parent}{os.pathsep}{here}"}
    child = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert child.returncode == -signal.SIGKILL
    assert Path(f"{path}-journal").exists() == (death == die_inside_a_transaction)
    with Store.read(path) as store:
        assert len(store.trials()) == 17
    assert run(study(), trials=40, path=path) == run(study(), trials=40)


def test_a_full_disk_is_one_line_and_leaves_what_was_stored(tmp_path, monkeypatch):
    path = tmp_path / "t.sqlite"
    connect = sqlite3.connect

    def on_a_small_disk(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 12")
        return connection

    def with_network(point, number, seed):
        return Outcome(evaluate(point, number, seed).values, artifact=bytes(5000))

    with monkeypatch.context() as patch:
        patch.setattr("codesign.search.store.sqlite3.connect", on_a_small_disk)
        with pytest.raises(InputError) as caught:
            run(study(), path=path, how=with_network)
    assert str(caught.value) == f"{path}: the disk is full; free some space, then resume"
    with Store.read(path) as store:
        stored = len(store.trials())
    assert 0 < stored < 10
    assert run(study(), path=path, how=with_network) == run(study(), how=with_network)
