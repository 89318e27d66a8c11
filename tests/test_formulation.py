"""Formulations: each finds what an enumeration of the whole space finds."""

from __future__ import annotations

import csv
import itertools
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.load import member, names
from codesign.search import pareto
from codesign.search.formulation import Formulation
from codesign.search.formulations.constrained import Constrained
from codesign.search.formulations.pareto import Pareto
from codesign.search.formulations.scalarised import MERIT, Scalarised
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.store import Store
from codesign.search.strategies.bayes import Bayes
from codesign.search.strategies.evolution import Evolution
from codesign.search.strategies.exhaustive import Exhaustive
from codesign.search.strategies.nsga2 import Nsga2
from codesign.search.study import Budget, Study
from codesign.search.trial import Constraint, Objective, Outcome, Trial
from codesign.space import Choice, Point, Space

SPACE = Space(
    (
        Choice("width", tuple(range(1, 9))),
        Choice("bits", tuple(range(2, 9))),
        Choice("kernel", (1, 3, 5)),
    )
)
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))
BOUNDS = ("latency_s<=0.002", "latency_s<=0.0007", "lut<=900")
NAMES = names("search.formulations")
NASBENCH = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"


def values(point: Point) -> dict[str, float]:
    """Return figures with a rugged trade-off: an even width costs more than it is worth."""
    width, bits, kernel = (int(point[name]) for name in ("width", "bits", "kernel"))
    work = width * kernel * (1.5 if width % 2 == 0 else 1.0)
    accuracy = 1 - 0.6 / width - 0.3 / bits**2 - 0.1 / kernel - 0.02 * (bits % 3)
    return {"accuracy": accuracy, "latency_s": 1e-4 * work, "lut": 20.0 * width * bits}


def evaluate(point: Point, number: int, seed: int) -> Outcome:
    return Outcome(values(point))


EVERY = [values(SPACE.at(number)) for number in range(SPACE.size)]


def search(
    formulation: Formulation,
    wish: tuple[str, ...] = (),
    strategy: type = Exhaustive,
    trials: int = SPACE.size,
    objectives: tuple[Objective, ...] = OBJECTIVES,
) -> tuple[Trial, ...]:
    study = Study(
        space=SPACE,
        objectives=objectives,
        constraints=tuple(Constraint.parse(text) for text in wish),
        strategy=strategy,
        formulation=formulation,
        batch=6,
    )
    with Store.open(None, study.definition()) as store:
        return study.run(evaluate, Budget(trials), store).trials


def feasible(wish: tuple[str, ...]) -> list[dict[str, float]]:
    bounds = [Constraint.parse(text) for text in wish]
    return [one for one in EVERY if not any(bound.violation(one) for bound in bounds)]


def answer(formulation: Formulation, trials: tuple[Trial, ...]) -> dict[str, float]:
    chosen = formulation.choose(trials, OBJECTIVES)
    assert chosen is not None
    return dict(chosen.values)


WISHES = [(), *((bound,) for bound in BOUNDS), BOUNDS[1:]]
STRATEGIES = [(Exhaustive, SPACE.size), (Evolution, 120), (Nsga2, 100), (Bayes, 60)]


@pytest.mark.parametrize("wish", WISHES, ids="&".join)
@pytest.mark.parametrize(("strategy", "trials"), STRATEGIES)
def test_constrained_is_the_exhaustive_optimum(
    wish: tuple[str, ...], strategy: type, trials: int
) -> None:
    found = answer(Constrained(), search(Constrained(), wish, strategy, trials))
    assert found["accuracy"] == max(one["accuracy"] for one in feasible(wish))


@pytest.mark.parametrize("wish", WISHES, ids="&".join)
def test_pareto_is_the_exhaustive_front(wish: tuple[str, ...]) -> None:
    trials = search(Pareto(), wish)
    inside = feasible(wish)
    costs = [(-one["accuracy"], one["latency_s"]) for one in inside]
    dominated = [any(a <= c and b <= d and (a, b) != (c, d) for a, b in costs) for c, d in costs]
    front = {cost for cost, out in zip(costs, dominated, strict=True) if not out}
    found = pareto.front(Pareto().candidates(trials, OBJECTIVES), OBJECTIVES)
    assert {(-t.values["accuracy"], t.values["latency_s"]) for t in found} == front
    assert answer(Pareto(), trials)["accuracy"] == max(one["accuracy"] for one in inside)


@pytest.mark.parametrize("wish", WISHES[1::2], ids="&".join)
@pytest.mark.parametrize(("strategy", "trials"), STRATEGIES)
@pytest.mark.parametrize("weight", [0.03, 0.4])
def test_a_weighted_product_is_the_exhaustive_optimum(
    wish: tuple[str, ...], strategy: type, trials: int, weight: float
) -> None:
    # what an elitist strategy was told early it never forgets, so it gets the full penalty at once
    anneal = 0 if strategy is Nsga2 else 32
    formulation = Scalarised(weights={"latency_s": weight}, anneal=anneal)
    found = answer(formulation, search(formulation, wish, strategy, trials))

    def merit(one: dict[str, float]) -> float:
        return float(one["accuracy"] / one["latency_s"] ** weight)

    assert merit(found) == pytest.approx(max(map(merit, feasible(wish))), rel=1e-12)


@pytest.mark.parametrize("weight", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("strategy", "trials"), STRATEGIES)
def test_a_weighted_sum_is_the_exhaustive_optimum(
    strategy: type, trials: int, weight: float
) -> None:
    formulation = Scalarised("sum", {"latency_s": weight}, targets={"latency_s": 1e-3})
    found = answer(formulation, search(formulation, BOUNDS[:1], strategy, trials))

    def merit(one: dict[str, float]) -> float:
        return float(one["accuracy"] - weight * one["latency_s"] / 1e-3)

    best = max(map(merit, feasible(BOUNDS[:1])))
    assert merit(found) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("finalists", [1, 5, 40, SPACE.size])
def test_two_stage_is_the_exhaustive_answer_of_its_two_stages(finalists: int) -> None:
    formulation = TwoStage(finalists)
    trials = search(formulation, BOUNDS[:1])
    best = sorted(EVERY, key=lambda one: -one["accuracy"])[:finalists]
    kept = [one for one in best if one["latency_s"] <= 0.002]
    chosen = formulation.choose(trials, OBJECTIVES)
    if not kept:
        assert chosen is None
        return
    assert chosen is not None
    assert chosen.values["latency_s"] == min(one["latency_s"] for one in kept)


def test_two_stages_can_miss_what_a_joint_search_finds() -> None:
    wish = ("latency_s<=0.0007",)
    assert TwoStage(5).choose(search(TwoStage(5), wish), OBJECTIVES) is None
    assert answer(Constrained(), search(Constrained(), wish))["latency_s"] <= 0.0007


@pytest.mark.skipif(not NASBENCH.exists(), reason=f"no {NASBENCH}")
def test_to_know_what_hardware_costs_is_worth_more_than_accuracy_alone() -> None:
    """Two-stage may even keep every network that it trained, not its finalists alone."""
    with NASBENCH.open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {
        row["ops"]: {
            "accuracy": float(row["cifar10_test_ep200"]),
            "latency_s": float(row["fpga_ms"]),
        }
        for row in rows
    }
    limit = (-10.0, 2 * max(one["latency_s"] for one in cells.values()))

    def volume(formulation: Formulation, seed: int) -> float:
        study = Study(
            space=Space(tuple(Choice(f"edge{i}", tuple("01234")) for i in range(6))),
            objectives=OBJECTIVES,
            strategy=Bayes,
            options={"start": 8, "candidates": 500},
            formulation=formulation,
            seed=seed,
            batch=4,
        )
        judge = lambda point, _number, _seed: Outcome(cells["".join(point.values())])  # noqa: E731
        with Store.open(None, study.definition()) as store:
            trials = study.run(judge, Budget(24), store).trials
        return pareto.hypervolume(pareto.costs(trials, OBJECTIVES), limit)

    nested, two_stage = ([volume(f, seed) for seed in range(5)] for f in (Pareto(), TwoStage()))
    assert statistics.median(nested) > statistics.median(two_stage)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wish", WISHES[:3], ids="&".join)
def test_every_formulation_gives_the_strategy_what_it_asked_for(
    name: str, wish: tuple[str, ...]
) -> None:
    formulation = member("search.formulations", Formulation, name)()
    sought = formulation.sought(OBJECTIVES)
    trials = search(Pareto(), wish)
    for trial in trials:
        seen = formulation.seen(trial, OBJECTIVES)
        assert (seen.point, seen.key, seen.number) == (trial.point, trial.key, trial.number)
        assert all(objective.name in seen.values for objective in sought)
        assert seen == formulation.seen(trial, OBJECTIVES)
    refused = Trial(9, SPACE.at(0), "refused", {"lut": 5.0}, {"lut<=4": 0.25}, 0)
    assert not formulation.seen(refused, OBJECTIVES).feasible
    assert refused not in formulation.candidates([*trials, refused], OBJECTIVES)
    chosen = formulation.choose(trials, OBJECTIVES)
    assert chosen is None or chosen.feasible
    assert formulation.choose([refused], OBJECTIVES) is None


@pytest.mark.parametrize("name", NAMES)
def test_every_formulation_is_resumed_to_the_same_trials(name: str) -> None:
    formulation = member("search.formulations", Formulation, name)()
    assert search(formulation, BOUNDS[:1], Nsga2, 40) == search(formulation, BOUNDS[:1], Nsga2, 40)
    study = Study(
        space=SPACE, objectives=OBJECTIVES, strategy=Nsga2, formulation=formulation, batch=6
    )
    with Store.open(None, study.definition()) as store:
        study.run(evaluate, Budget(17), store)
        resumed = study.run(evaluate, Budget(40), store).trials
    assert resumed == search(formulation, (), Nsga2, 40)


def test_a_journal_knows_its_formulation_and_old_ones_need_not() -> None:
    def definition(formulation: Formulation) -> dict[str, object]:
        return Study(
            space=SPACE, objectives=OBJECTIVES, strategy=Nsga2, formulation=formulation
        ).definition()

    assert "formulation" not in definition(Pareto())
    told = [definition(f)["formulation"] for f in (Constrained(), TwoStage(3), TwoStage(4))]
    assert told[0] != told[1] != told[2]


def test_the_penalty_grows_until_the_search_is_annealed() -> None:
    formulation = Scalarised(penalty=4.0, anneal=10)
    broken = Trial(0, SPACE.at(0), "k", values(SPACE.at(0)), {"lut<=9": 0.5}, 0)
    merits = [
        formulation.seen(replace(broken, number=number), OBJECTIVES).values[MERIT]
        for number in (0, 5, 10, 100)
    ]
    whole = formulation.merit(broken.values, OBJECTIVES)
    assert merits[0] == whole
    assert merits[1] == pytest.approx(whole * math.exp(-1.0))
    assert merits[2] == merits[3] == pytest.approx(whole * math.exp(-2.0))
    summed = Scalarised("sum", targets={"latency_s": 1.0}, penalty=4.0, anneal=0)
    lost = summed.merit(broken.values, OBJECTIVES) - 2.0
    assert summed.seen(broken, OBJECTIVES).values[MERIT] == pytest.approx(lost)


def test_the_hard_form_gains_nothing_below_a_target() -> None:
    """MnasNet's other setting: alpha = 0, beta = -1 (arXiv 1807.11626, section 3.1)."""
    hard = Scalarised(
        weights={"latency_s": 1.0}, weights_within={"latency_s": 0.0}, targets={"latency_s": 1e-3}
    )

    def merit(latency_s: float) -> float:
        return hard.merit({"accuracy": 0.8, "latency_s": latency_s}, OBJECTIVES)

    assert merit(1e-4) == merit(1e-3) == pytest.approx(0.8)
    assert merit(2e-3) == pytest.approx(0.4)


def test_a_network_that_learned_nothing_is_worth_nothing() -> None:
    nothing = {"accuracy": 0.0, "latency_s": 1e-3}
    assert Scalarised().merit(nothing, OBJECTIVES) == 0.0
    assert Scalarised(weights={"accuracy": 0.0}).merit(nothing, OBJECTIVES) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": {"latency": 1.0}}, "weights names 'latency'.*did you mean latency_s"),
        ({"targets": {"ff": 1.0}}, "targets names 'ff'"),
        ({"scalarisation": "sum"}, "'latency_s' needs a target"),
        ({"weights_within": {"latency_s": 0.0}}, "'latency_s' needs a target"),
    ],
)
def test_options_that_do_not_fit_the_objectives_are_refused(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        search(Scalarised(**options))  # type: ignore[arg-type]


def test_a_product_refuses_what_may_be_zero() -> None:
    objectives = (OBJECTIVES[0], Objective("dsp", maximize=False))
    with pytest.raises(InputError, match=r"no dsp at all.*search\.scalarisation=sum"):
        search(Scalarised(), objectives=objectives)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (Scalarised, {"weights": {"accuracy": -1.0}}),
        (Scalarised, {"weights_within": {"accuracy": 11.0}}),
        (Scalarised, {"targets": {"latency_s": 0.0}}),
        (Scalarised, {"penalty": -1.0}),
        (Scalarised, {"anneal": -1}),
        (TwoStage, {"finalists": 0}),
    ],
)
def test_options_out_of_range_are_refused(make: type, options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        make(**options)


def test_of_several_boards_the_first_objective_is_sought_on_each() -> None:
    objectives = tuple(
        Objective(f"{name}@{board}", maximize=False)
        for name, board in itertools.product(("lut", "latency_s"), ("a", "b"))
    )
    for formulation in (Constrained(), TwoStage()):
        assert formulation.sought(objectives) == objectives[:2]
    weighed = Scalarised(weights={"lut": 0.5, "latency_s": 0.0})
    ones = dict.fromkeys((o.name for o in objectives), 4.0)
    assert weighed.merit(ones, objectives) == pytest.approx(1 / 4)
