"""Of what ended early, the search's choice and its front are made again in full."""

from dataclasses import replace

import pytest

from codesign.search import pareto
from codesign.search.formulations.constrained import Constrained
from codesign.search.store import Store
from codesign.search.strategies.random import Random
from codesign.search.study import Budget, Study
from codesign.search.trial import Constraint, Objective, Outcome
from codesign.search.workers import workers
from codesign.space import Choice, Space

SPACE = Space((Choice("width", tuple(range(1, 61))),))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("lut", maximize=False))


def evaluate(point, number, seed, hint=None):
    """Wide ones end early, unless nobody hints at it: then every third is worse for it."""
    width = point["width"]
    share = width / 100 + (width * 7 % 20) / 100
    early = hint is not None and width > 5
    if not early and width % 3 == 0:
        share /= 2
    values = {"accuracy": share, "lut": 10.0 * width, "early": float(early)}
    return Outcome(values, artifact=f"{width} {'early' if early else 'in full'}".encode())


def guide(trials, points, artifact):
    return [len(trials)] * len(points)


def study(**changes):
    return Study(
        space=SPACE,
        objectives=OBJECTIVES,
        strategy=Random,
        batch=4,
        guide=guide,
        unfinished=lambda trial: trial.values["early"] > 0,
        **changes,
    )


def run(own, store, trials=24, how=evaluate, pool=None, say=None):
    return own.run(how, Budget(trials), store, None, pool, say).trials


def test_nothing_on_the_front_has_ended_early():
    own, said = study(), []
    with Store.open(None, own.definition()) as store:
        trials = run(own, store, say=said.append)
        searched, final = store.trials(), store.final()
        artifacts = {trial.number: store.final_artifact(trial.number) for trial in final}
        before = {trial.number: store.artifact(trial.number) for trial in final}
    assert list(trials) == final
    front = pareto.front(final, OBJECTIVES)
    assert len(front) > 3
    assert not any(trial.values["early"] for trial in front)
    again = [new for old, new in zip(searched, final, strict=True) if old != new]
    assert 3 < len(again) < len(final)
    assert any(trial not in front for trial in again)  # those that were worse in full
    for trial in final:
        width = trial.point["width"]
        assert trial.values == evaluate(trial.point, 0, 0, None if trial in again else 0).values
        kind = "in full" if trial in again or width <= 5 else "early"
        assert artifacts[trial.number] == f"{width} {kind}".encode()
        assert before[trial.number] == f"{width} {'early' if width > 5 else 'in full'}".encode()
    assert sum(int(line.split()[1]) for line in said) == len(again)


def test_the_choice_of_a_formulation_is_made_in_full():
    wish = (Constraint.parse("lut<=400"),)
    own = study(formulation=Constrained(), constraints=wish)
    with Store.open(None, own.definition()) as store:
        trials = run(own, store)
    chosen = own.formulation.choose(trials, OBJECTIVES)
    assert chosen is not None
    assert chosen.values["early"] == 0


def test_a_search_goes_on_from_where_its_front_was_finished(tmp_path):
    own, calls = study(), []

    def counted(point, number, seed, hint=None):
        calls.append((point["width"], hint is None))
        return evaluate(point, number, seed, hint)

    with Store.open(None, own.definition()) as store:
        whole = run(own, store, 32)
    path = tmp_path / "t.sqlite"
    with Store.open(path, own.definition()) as store:
        first = run(own, store, 24, counted)
    with Store.open(path, own.definition()) as store:
        made = len(calls)
        assert run(own, store, 24, counted) == first
        assert len(calls) == made
        with workers(evaluate, 2) as pool:
            trials = run(own, store, 32, pool=pool)
    assert [trial.point for trial in trials] == [trial.point for trial in whole]
    # what was on the front of 24 stays finished
    for one, other in zip(trials, whole, strict=True):
        assert one == other or not one.values["early"]


def test_an_interrupted_finish_goes_on(tmp_path):
    own, left = study(), [26]

    def dying(point, number, seed, hint=None):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return evaluate(point, number, seed, hint)

    with Store.open(None, own.definition()) as store:
        whole = run(own, store)
    path = tmp_path / "t.sqlite"
    with Store.open(path, own.definition()) as store, pytest.raises(KeyboardInterrupt):
        run(own, store, how=dying)
    with Store.open(path, own.definition()) as store:
        assert len(store.finished()) == 2
        assert run(own, store) == whole


def test_without_it_all_stays_as_it_was():
    own = replace(study(), unfinished=None)
    with Store.open(None, own.definition()) as store:
        assert list(run(own, store)) == store.trials() == store.final()
        assert store.finished() == {}
