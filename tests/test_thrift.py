"""Searches that save trainings: what a hint says, and that a search stays a function of itself."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.accuracy.predictors.forest import Forest
from codesign.accuracy.sieve import Sieve
from codesign.accuracy.thrift import Guide, Hint, Thrift, ended_early, rung_epochs
from codesign.candidate import Judge, unpack
from codesign.errors import InputError
from codesign.flow.prepare import Prepared, prepare
from codesign.flow.savings import decisive
from codesign.flow.settings import load_settings
from codesign.network.realise import realised
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.study import Budget
from codesign.search.trial import Constraint, Objective, Trial
from codesign.search.workers import workers
from codesign.space import Choice, Space

ACCURACY, LATENCY = Objective("accuracy", True), Objective("latency_s", False)
SPACE = Space((Choice("width", (1, 2, 3, 4, 5, 6, 7, 8)),))
SAVINGS = (
    "training.proxy=synflow",
    "training.keep=0.8",
    "training.predictor=forest",
    "training.learn_after=10",
    "training.fidelity=hyperband",
    "training.patience=1",
    "training.inherit=true",
)
SMALL = (
    "training=ptq",
    "training.epochs=3",
    "training.batch=32",
    "network.layers=[1, 2]",
    "network.widths=[4, 6]",
    "search.strategy=random",
    "search.batch=4",
    "search.objectives=[max accuracy, min latency_s]",
)


def guide(thrift: Thrift, *wishes: str, predictor: Forest | None = None) -> Guide:
    wish = tuple(Constraint.parse(text) for text in wishes)
    return Guide(thrift, SPACE, (ACCURACY, LATENCY), wish, 0, 9, predictor)


def trial(number: int, width: int, **values: float) -> Trial:
    return Trial(number, {"width": width}, str(number), values, {}, 0)


def hints(own: Guide, *trials: Trial, widths: tuple[int, ...] = (5,)) -> list[Hint]:
    return own(trials, [{"width": width} for width in widths], lambda number: b"%d" % number)


def test_a_promise_is_compared_with_those_of_earlier_networks() -> None:
    earlier = [trial(n, 1, latency_s=1.0, synflow=float(n)) for n in range(4)]
    (hint,) = hints(guide(Thrift(proxy="synflow")), *earlier, trial(4, 1, latency_s=1.0))
    assert hint.promises == Sieve(tuple((1.0, -float(n)) for n in range(4)), 0.5)


def test_a_rung_is_compared_with_those_who_reached_it() -> None:
    earlier = [trial(0, 1, latency_s=1.0, accuracy=0.9, epochs=9.0, accuracy_after_1=0.3)]
    earlier += [
        replace(earlier[0], number=1, values={**earlier[0].values, "accuracy_after_3": 0.6})
    ]
    (hint,) = hints(guide(Thrift(fidelity="halving")), *earlier)
    assert {epoch: sieve.rows for epoch, sieve in hint.rungs.items()} == {
        1: ((1.0, -0.3), (1.0, -0.3)),
        3: ((1.0, -0.6),),
    }


def test_hyperband_has_brackets_with_later_and_without_comparisons() -> None:
    assert rung_epochs("full", 9) == ((),)
    assert rung_epochs("halving", 9) == ((1, 3),)
    assert rung_epochs("hyperband", 9) == ((1, 3),) * 9 + ((3,),) * 5 + ((),) * 3
    assert rung_epochs("halving", 27) == ((3, 9),)
    assert rung_epochs("halving", 1) == rung_epochs("halving", 0) == ((),)
    many = hints(guide(Thrift(fidelity="hyperband")), widths=(1,) * 17)
    assert [len(hint.rungs) for hint in many] == [2] * 9 + [1] * 5 + [0] * 3


def test_nothing_is_predicted_before_enough_is_trained() -> None:
    def trained(count: int) -> list[Trial]:
        return [
            trial(n, n % 8 + 1, accuracy=(n % 8) / 8, latency_s=1.0, epochs=1.0)
            for n in range(count)
        ]

    own = guide(Thrift(predictor="forest", learn_after=16), predictor=Forest())
    assert hints(own, *trained(15))[0].ceiling == math.inf
    low, high = hints(own, *trained(16), widths=(1, 8))
    assert low.ceiling < high.ceiling < math.inf


def test_a_network_is_hopeless_below_the_wish_or_a_better_one_that_costs_no_more() -> None:
    rows = ((1.0, -0.9), (2.0, -0.95))
    hint = Hint((LATENCY,), Sieve((), 0.5), ceiling=0.8, trained=rows)
    assert hint.shortfall((1.5,)) == pytest.approx(0.1)
    assert hint.shortfall((2.0,)) == pytest.approx(0.15)
    assert hint.shortfall((0.5,)) == 0
    assert replace(hint, ceiling=0.96).shortfall((2.0,)) == 0
    assert replace(hint, least=0.85).shortfall((0.5,)) == pytest.approx(0.05)
    wished = guide(Thrift(patience=1), "accuracy>=0.85", "latency_s<=1")
    assert hints(wished)[0].least == 0.85


def test_the_nearest_trained_network_is_the_parent() -> None:
    earlier = [
        trial(0, 5, latency_s=1.0),
        trial(1, 4, accuracy=0.5, latency_s=1.0, epochs=1.0),
        trial(2, 3, accuracy=0.7, latency_s=1.0, epochs=1.0),
        trial(3, 6, accuracy=0.6, latency_s=1.0, epochs=1.0),
    ]
    own = guide(Thrift(inherit=True))
    assert [hint.parent for hint in hints(own, *earlier, widths=(5, 4, 6))] == [b"2", b"1", b"3"]
    assert hints(own, earlier[0])[0].parent is None
    assert hints(guide(Thrift(patience=1)), *earlier)[0].parent is None


@pytest.fixture(scope="module")
def frugal() -> Prepared:
    return prepared(*SAVINGS)


def prepared(*more: str) -> Prepared:
    ready = prepare(load_settings("quickstart", (*SMALL, *more)))
    assert isinstance(ready, Prepared)
    assert isinstance(ready.judge, Judge)
    data = ready.dataset
    few = replace(data, train=data.train.take(np.arange(96)))
    return replace(ready, judge=replace(ready.judge, dataset=few))


def searched(ready: Prepared, store: Store, trials: int, count: int = 1) -> tuple[Trial, ...]:
    with workers(ready.judge, count) as pool:
        return ready.study.run(ready.judge, Budget(trials), store, pool=pool).trials


def test_a_thrifty_search_resumed_or_in_processes_is_the_same(
    frugal: Prepared, tmp_path: Path
) -> None:
    definition = frugal.study.definition()
    with Store.open(None, definition) as store:
        whole = searched(frugal, store, 18)
        artifacts = [store.artifact(own.number) for own in whole]
    with Store.open(tmp_path / "cut.sqlite", definition) as store:
        assert searched(frugal, store, 14) == whole[:14]
    with Store.open(tmp_path / "cut.sqlite", definition) as store:
        assert searched(frugal, store, 18, count=2) == whole
        assert [store.artifact(own.number) for own in whole] == artifacts
    trained = [own for own in whole if "accuracy" in own.values]
    assert {True, False} == {own in trained for own in whole}
    assert all("synflow" in own.values for own in trained)
    assert min(own.values["epochs"] for own in trained) < 3
    for own in trained:
        packed = artifacts[own.number]
        assert packed is not None
        validation = frugal.dataset.validation
        rightly = unpack(packed).predict(validation.images) == validation.labels
        assert own.values["accuracy"] == rightly.mean()
    left_out = {text for own in whole if own not in trained for text in own.violations}
    assert "promise by synflow" in left_out
    assert left_out <= {"promise by synflow", "predicted accuracy"}


def test_the_front_is_trained_in_full_at_the_end(tmp_path: Path) -> None:
    hasty = ("training.patience=1", "training.gain=0.2", "search.strategy=random")
    ready = prepared(*hasty, "training.finish=true", "training.epochs=6")
    with Store.open(tmp_path / "t.sqlite", ready.study.definition()) as store:
        trials = searched(ready, store, 8, count=2)
        early = [own for own in store.trials() if own.values["ended_early"]]
        finished = store.finished()
        assert any(own in early for own in pareto.front(store.trials(), ready.study.objectives))
        assert set(finished) < {own.number for own in store.trials()}
        for own in pareto.front(trials, ready.study.objectives):
            packed = store.final_artifact(own.number)
            assert packed is not None
            assert not ended_early(own)
            split = ready.dataset.validation
            rightly = unpack(packed).predict(split.images) == split.labels
            assert own.values["accuracy"] == rightly.mean()
    full = ready.judge.evaluator.full_epochs()  # type: ignore[union-attr]
    assert {own.values["epochs"] for own in finished.values()} == {full}
    assert max(own.values["epochs"] for own in early) < full


def test_integers_give_back_the_real_weights_that_they_stand_for() -> None:
    ready = prepared()
    point = ready.study.space.at(ready.study.space.size // 2)
    graph = ready.judge.family.decode(point | {n: 8 for n in point if "bits" in n})  # type: ignore[union-attr]
    trained = ready.judge.evaluator.evaluate(graph, ready.judge.dataset, 0)  # type: ignore[union-attr]
    found = realised(trained.network)
    assert found.keys() == trained.floats.parameters.keys()
    for name, own in trained.floats.parameters.items():
        largest = np.abs(own.weights).max()
        np.testing.assert_allclose(found[name].weights, own.weights, atol=0.02 * largest)
        np.testing.assert_allclose(found[name].bias, own.bias, atol=0.05)


def test_a_flow_that_saves_nothing_is_the_search_that_it_was() -> None:
    settings = load_settings("quickstart")
    assert not settings.thrift.saves
    assert "proxy" not in decisive(settings, ("training",))["training"]
    assert "keep" not in decisive(settings, ("training",))["training"]
    saving = load_settings("quickstart", ["training.proxy=snip"])
    assert decisive(saving, ("training",))["training"]["proxy"] == "snip"
    plain = prepare(settings)
    assert plain.study.guide is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.proxy=synflo", "training.proxy: has no 'synflo'; did you mean synflow"),
        ("training.predictor=trees", "training.predictor: has no 'trees'"),
        ("training.keep=0", "keep is a share above 0"),
        ("training.patience=-1", "patience is at least 0"),
        ("training.gain=2", "gain is a share"),
        ("training.learn_after=1", "learn_after is at least 10"),
        ("training.fidelity=half", "training.fidelity: has no such choice"),
    ],
)
def test_wrong_savings_are_refused(change: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(load_settings("quickstart", [change]))
