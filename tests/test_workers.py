"""Processes that evaluate side by side: the same trials, and no orphans."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.errors import ToolError
from codesign.search.store import Store
from codesign.search.strategies.nsga2 import Nsga2
from codesign.search.study import Budget, Result, Study
from codesign.search.trial import Objective, Outcome, Trial
from codesign.search.workers import cores, work, workers
from codesign.space import Choice, Point, Space, Value

SPACE = Space(tuple(Choice(name, tuple(range(6))) for name in "abc"))
STUDY = Study(
    space=SPACE,
    objectives=(Objective("cost", maximize=False), Objective("gain", maximize=True)),
    strategy=Nsga2,
    batch=4,
    seed=3,
)


def evaluate(point: Point, number: int, seed: int) -> Outcome:
    """Depend on the seed, and take the longer the earlier in the batch."""
    time.sleep(0.02 * (3 - number % 4))
    a, b, c = (int(point[name]) for name in "abc")
    return Outcome({"cost": a + b, "gain": a * c + seed % 7, "process": os.getpid()})


def fail(point: Point, number: int, seed: int) -> Outcome:
    raise ValueError(f"trial {number} cannot be evaluated")


def die(point: Point, number: int, seed: int) -> Outcome:
    os._exit(1)


def search(count: int, path: Path | None = None, trials: int = 20) -> Result:
    with (
        Store.open(path, STUDY.definition()) as store,
        workers(evaluate, count) as pool,
    ):
        return STUDY.run(evaluate, Budget(trials), store, pool=pool)


def found(result: Result) -> list[tuple[object, ...]]:
    return [(t.number, t.key, t.seed, t.values["cost"], t.values["gain"]) for t in result.trials]


def test_two_processes_make_the_trials_of_one(tmp_path: Path) -> None:
    alone, together = search(1), search(2)
    assert found(together) == found(alone)
    assert {t.values["process"] for t in alone.trials} == {os.getpid()}
    processes = {t.values["process"] for t in together.trials}
    assert len(processes) == 2
    assert os.getpid() not in processes


def note(point: Point, number: int, seed: int) -> Outcome:
    (Path(os.environ["CALLS"]) / f"{number}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return evaluate(point, number, seed)


def test_points_of_one_key_are_evaluated_once_in_all_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLS", str(tmp_path))

    class Twice(Nsga2):
        """Asks for every point twice, the second time with other values of the same sum."""

        def ask(self, count: int) -> list[dict[str, Value]]:
            points = super().ask(count // 2)
            return [*points, *({**p, "a": p["b"], "b": p["a"]} for p in points)]

        def tell(self, trials: Sequence[Trial]) -> None:
            super().tell(trials[: len(trials) // 2])

    study = replace(
        STUDY,
        strategy=Twice,
        canonical=lambda p: f"{sorted((p['a'], p['b']))}{p['c']}",  # type: ignore[type-var]
    )
    with Store.open(None, study.definition()) as store, workers(note, 2) as pool:
        result = study.run(note, Budget(12), store, pool=pool)
    assert len(result.trials) == 12
    assert sorted(int(path.name.partition("-")[0]) for path in tmp_path.iterdir()) == [*range(12)]


def test_all_cores_are_used_that_may_be() -> None:
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_search_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    path = tmp_path / "trials.sqlite"
    search(2, path, trials=7)
    assert found(search(1, path)) == found(search(2))


def test_an_error_in_a_worker_is_raised_here() -> None:
    with (
        Store.open(None, STUDY.definition()) as store,
        workers(fail, 2) as pool,
        pytest.raises(ValueError, match="trial 0 cannot be evaluated"),
    ):
        STUDY.run(fail, Budget(4), store, pool=pool)


def test_a_worker_that_dies_is_noticed() -> None:
    with (
        Store.open(None, STUDY.definition()) as store,
        workers(die, 2) as pool,
        pytest.raises(ToolError, match="trial 0 was killed"),
    ):
        STUDY.run(die, Budget(4), store, pool=pool)


def test_work_needs_a_worker() -> None:
    with pytest.raises(RuntimeError, match="workers"):
        work({}, 0, 0)
