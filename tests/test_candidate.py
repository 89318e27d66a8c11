"""One network on its best design: the wish reaches the fit, and the dearest step comes last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codesign import candidate
from codesign.accuracy.dataset import Dataset, Labelled
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import Evaluator, Trained, accuracy
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.sieve import Sieve
from codesign.accuracy.thrift import Hint
from codesign.candidate import Judge, Target, pack, unpack
from codesign.cost.estimate import counts, estimate
from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.network import serialize
from codesign.network.families.convnet import Convnet
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork
from codesign.network.tensor import Tensor
from codesign.search.trial import Constraint

BOARD = Board.load("zcu104")
FAMILY = Convnet(
    Tensor((1, 8, 8), 8, signed=False),
    10,
    layers=(1,),
    widths=(4,),
    kernels=(3,),
    residuals=(False,),
    weight_bits=(4,),
    activation_bits=(4,),
)
POINT = {choice.name: choice.values[-1] for choice in FAMILY.space().choices}


@dataclass(frozen=True)
class Counting(Evaluator):
    """Rounds weights that it draws, and remembers whom it was asked about."""

    asked: list[Graph] = field(default_factory=list)

    def evaluate(
        self, graph: Graph, dataset: Dataset, seed: int, start: FloatNetwork | None = None
    ) -> Trained:
        self.asked.append(graph)
        return Ptq(epochs=1, batch=256).evaluate(graph, dataset, seed, start)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Digits().load()


def wishing(
    *texts: str,
    objective: str = "interval",
    board: Board = BOARD,
    clocks_hz: tuple[float, ...] = (200e6,),
) -> Target:
    constraints = tuple(Constraint.parse(text) for text in texts)
    return Target(board, clocks_hz, objective, constraints)


def judge(dataset: Dataset, target: Target) -> Judge:
    return Judge(FAMILY, target, dataset, Counting())


@given(cycles=st.integers(1, 10**8), clock_mhz=st.sampled_from(BOARD.clocks_mhz))
@example(cycles=3, clock_mhz=200.0)
@example(cycles=49, clock_mhz=100.0)
def test_a_rate_that_is_met_exactly_is_met(cycles: int, clock_mhz: float) -> None:
    clock_hz = clock_mhz * 1e6
    for wish in (
        Constraint("fps", ">=", clock_hz / cycles),
        Constraint("interval_s", "<=", cycles / clock_hz),
    ):
        target = Target(BOARD, (clock_hz,), "interval", (wish,))
        assert target.longest_interval(clock_hz) == cycles


def test_the_hardest_wish_for_speed_counts_and_others_do_not() -> None:
    assert wishing("fps>=1000", "fps>=4000", "interval_s<=1e-3").longest_interval(200e6) == 50_000
    assert wishing("fps<=1000", "latency_s<=1e-9").longest_interval(200e6) is None


def test_resource_wishes_tighten_the_budget_and_never_loosen_it() -> None:
    assert wishing("lut<=5000.7", "ff<=1e9", "dsp>=3", "fps<=9").tightened == {"lut": 5000}
    assert wishing("lut<=5000", "lut<=4000", "lut<=6000").tightened == {"lut": 4000}


CLOCKS_HZ = (50e6, 100e6, 150e6, 200e6)


@pytest.mark.parametrize("rate", [2_000, 50_000, 150_000])
def test_the_smallest_design_gets_the_slowest_clock_that_keeps_the_rate(rate: int) -> None:
    graph = FAMILY.decode(POINT)
    wish = f"fps>={rate}"
    chosen = wishing(wish, objective="resources", clocks_hz=CLOCKS_HZ).fit(graph)
    alone = {
        clock_hz: wishing(wish, objective="resources", clocks_hz=(clock_hz,)).fit(graph)
        for clock_hz in CLOCKS_HZ
    }
    clock_hz = min(c for c in CLOCKS_HZ if c / alone[200e6].interval >= rate)
    assert chosen == alone[clock_hz]
    assert clock_hz / chosen.interval >= rate


def test_the_fastest_clock_is_taken_for_speed() -> None:
    graph = FAMILY.decode(POINT)
    assert wishing("fps>=10", clocks_hz=CLOCKS_HZ).fit(graph).design.clock_hz == 200e6
    wishes = ("fps>=10", "latency_s<=1")
    latency = wishing(*wishes, objective="resources", clocks_hz=CLOCKS_HZ).fit(graph)
    assert latency.design.clock_hz == 200e6


def test_the_fit_keeps_the_wish() -> None:
    graph = FAMILY.decode(POINT)
    fastest = wishing().fit(graph)
    slow = wishing("fps>=1000", objective="resources").fit(graph)
    cheap, dear = (estimate(answer.design).values() for answer in (slow, fastest))
    assert cheap["fps"] >= 1000
    assert cheap["lut"] < dear["lut"]
    capped = wishing(f"lut<={dear['lut'] - 50:.0f}").fit(graph)
    assert capped.feasible
    assert estimate(capped.design).values()["lut"] <= dear["lut"] - 50


@pytest.mark.parametrize(
    "wish",
    ["fps>=1e12", "latency_s<=1e-9", "lut<=10", "lut<=0", "bram18<=-1", "clock_mhz>=900"],
)
def test_a_network_that_misses_the_wish_is_not_trained(dataset: Dataset, wish: str) -> None:
    constraint = Constraint.parse(wish)
    judging = judge(dataset, wishing(wish))
    outcome = judging(POINT, 0, 1)
    assert outcome.violations == {constraint.text: constraint.violation(outcome.values)}
    assert outcome.violations[constraint.text] > 0
    assert judging.evaluator.asked == []
    assert outcome.artifact is None
    assert "accuracy" not in outcome.values


@dataclass(frozen=True)
class Noted(Proxy):
    """Promises nothing, and says that it was asked."""

    steps: list[str]

    def score(self, graph: Graph, split: Labelled, seed: int) -> float:
        self.steps.append("proxy")
        return 0.0


@pytest.mark.parametrize(
    ("wish", "steps"),
    [
        ("macs<=10", ["count"]),
        ("fps>=1e12", ["count", "fit"]),
        ("fps>=1", ["count", "fit", "proxy", "train", "count", "fit"]),
    ],
)
def test_what_takes_longer_comes_later(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, wish: str, steps: list[str]
) -> None:
    taken: list[str] = []

    def noting(step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:
            taken.append(step)
            return function(*given, **named)

        return noted

    monkeypatch.setattr(candidate, "counts", noting("count", counts))
    monkeypatch.setattr(candidate, "fit", noting("fit", fit))
    monkeypatch.setattr(Counting, "economise", noting("train", Counting.economise))
    judging = replace(judge(dataset, wishing(wish)), proxy=Noted(taken))
    outcome = judging(POINT, 0, 1, Hint((), Sieve((), 1.0)))
    assert taken == steps
    constraint = Constraint.parse(wish)
    assert ("accuracy" in outcome.values) == ("train" in steps)
    if "train" not in steps:
        assert outcome.violations == {constraint.text: constraint.violation(outcome.values)}


def test_what_is_tolerated_of_a_count_is_priced(dataset: Dataset) -> None:
    macs = FAMILY.decode(POINT).macs
    wish = f"macs<={macs / 1.5:.0f}"
    for tolerance, values in ((0.4, {"macs", "parameters", "flops", "weight_bytes"}), (0.6, None)):
        judging = replace(judge(dataset, wishing(wish)), tolerance=tolerance)
        outcome = judging(POINT, 0, 1)
        assert list(outcome.violations.values()) == [pytest.approx(0.5, rel=1e-3)]
        assert values is None or set(outcome.values) == values
        assert ("accuracy" in outcome.values) == (values is None)


def test_a_network_that_misses_what_is_tolerated_is_trained(dataset: Dataset) -> None:
    reached = judge(dataset, wishing())(POINT, 0, 1).values["fps"]
    wish = f"fps>={1.25 * reached:g}"
    for tolerance, trained in ((0.1, 0), (0.3, 1)):
        judging = replace(judge(dataset, wishing(wish)), tolerance=tolerance)
        outcome = judging(POINT, 0, 1)
        assert len(judging.evaluator.asked) == trained  # type: ignore[attr-defined]
        assert list(outcome.violations.values()) == [pytest.approx(0.2, rel=1e-3)]
        assert ("accuracy" in outcome.values) == bool(trained)


def test_a_board_that_is_too_small_is_said_by_resource(dataset: Dataset) -> None:
    tiny = replace(BOARD, resources=replace(BOARD.resources, lut=3000, bram18=100))
    judging = judge(dataset, wishing(board=tiny))
    outcome = judging(POINT, 0, 1)
    assert list(outcome.violations) == ["lut on the board"]
    assert judging.evaluator.asked == []


def test_a_trained_network_is_priced_with_the_widths_that_its_weights_need(
    dataset: Dataset,
) -> None:
    judging = judge(dataset, wishing())
    outcome = judging(POINT, 0, 1)
    (asked,) = judging.evaluator.asked
    assert asked == FAMILY.decode(POINT)
    assert outcome.artifact is not None
    network = unpack(outcome.artifact)
    widths = [[node.accumulator_bits for node in graph] for graph in (network.graph, asked)]
    assert sum(widths[0]) < sum(widths[1])
    best = estimate(judging.target.fit(network.graph).design).values()
    assert outcome.values == {**best, "accuracy": accuracy(network, dataset.validation)}
    assert outcome.values["lut"] < estimate(judging.target.fit(asked).design).values()["lut"]
    assert dict(outcome.violations) == {}


def test_the_seed_decides_the_training(dataset: Dataset) -> None:
    judging = judge(dataset, wishing())
    first, again, other = (judging(POINT, 0, seed).artifact for seed in (1, 1, 2))
    assert first == again != other


@dataclass(frozen=True)
class Learned(Convnet):
    """A family whose networks are trained and quantised already."""

    packed: bytes = b""

    def start(self, point: object) -> object:
        return unpack(self.packed)


def test_a_network_that_is_quantised_already_is_only_tested(dataset: Dataset) -> None:
    packed = judge(dataset, wishing())(POINT, 0, 1).artifact
    names = ("layers", "widths", "kernels", "residuals", "weight_bits", "activation_bits")
    options = {name: getattr(FAMILY, name) for name in names}
    family = Learned(FAMILY.input, FAMILY.classes, packed=packed, **options)
    judging = replace(judge(dataset, wishing()), family=family)
    outcome = judging(POINT, 5, 9)
    assert judging.evaluator.asked == []
    assert outcome.artifact == packed
    assert outcome.values["accuracy"] == accuracy(unpack(packed), dataset.validation)


def test_packing_loses_no_bit(dataset: Dataset) -> None:
    network = Ptq(epochs=1, batch=256).evaluate(FAMILY.decode(POINT), dataset, 3).network
    packed = pack(network)
    assert serialize.digest(unpack(packed)) == serialize.digest(network)
    images = network.quantize_input(dataset.test.images[:20])
    last = network.graph.nodes[-1].name
    np.testing.assert_array_equal(
        unpack(packed).execute(images)[last], network.execute(images)[last]
    )
