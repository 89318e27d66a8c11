"""The contract of search strategies, for every member of the folder."""

import csv
import statistics
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign import load
from codesign.errors import InputError
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.strategies.exhaustive import Exhaustive
from codesign.search.strategies.nsga2 import Nsga2
from codesign.search.strategies.random import Random
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Study
from codesign.search.trial import Constraint, Objective, Outcome, Trial
from codesign.search.variation import crossed, drawn, mutated, neighbours, new_near
from codesign.space import Choice, Condition, Space

NASBENCH = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"
NAMES = load.names("search.strategies")
LEARNING = [name for name in NAMES if name not in ("differentiable", "exhaustive", "random")]
"""Those that learn from trials; `differentiable` has learned before (test_differentiable.py)."""
LEVELS = 8
SPACE = Space(tuple(Choice(f"x{i}", tuple(range(LEVELS))) for i in range(8)))
OBJECTIVES = (Objective("error", maximize=False), Objective("gain", maximize=True))
REFERENCE = {"error": 1.1, "gain": -11.0}
OPTIONS = {"bayes": {"start": 8, "candidates": 100}}
"""Of strategies that are slow by default."""


def zdt1(point, number=0, seed=0):
    """Source: Zitzler, Deb and Thiele, Evolutionary Computation 2000, test function T1.

    The second objective is turned round, so that one is minimised and one maximised.
    """
    first, *rest = (value / (LEVELS - 1) for value in point.values())
    slack = 1 + 9 * sum(rest) / len(rest)
    return Outcome({"error": first, "gain": -slack * (1 - (first / slack) ** 0.5)})


def strategy(name):
    return load.member("search.strategies", Strategy, name)


def search(name, trials, *, seed=0, evaluate=zdt1, path=None, **changes):
    own = {"strategy": strategy(name), "seed": seed, "options": OPTIONS.get(name, {})}
    study = Study(**{"space": SPACE, "objectives": OBJECTIVES} | own | changes)
    with Store.open(path, study.definition()) as store:
        return study.run(evaluate, Budget(trials), store).trials


def volume(trials, objectives=OBJECTIVES, reference=REFERENCE):
    costs = pareto.costs(pareto.front(trials, objectives), objectives)
    return pareto.hypervolume(costs, [o.cost(reference) for o in objectives])


def test_members_bear_the_names_of_their_files():
    assert {
        "bayes",
        "differentiable",
        "evolution",
        "exhaustive",
        "nsga2",
        "nsga3",
        "random",
        "reinforce",
    } <= set(NAMES)
    assert [strategy(name).name() for name in NAMES] == list(NAMES)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_trials(name, batch):
    trials = search(name, 60, seed=3, batch=batch)
    assert len(trials) == 60
    assert search(name, 60, seed=3, batch=batch) == trials
    others = [trial.point for trial in search(name, 60, seed=4, batch=batch)]
    assert (others == [trial.point for trial in trials]) == (name == "exhaustive")


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_resumed_equals_uninterrupted_wherever_it_was_cut(name, batch, tmp_path):
    count = 18  # one and a half generations of nsga2
    whole = search(name, count, batch=batch)

    def interrupted(point, number, seed):
        if number == cut:
            raise KeyboardInterrupt
        return zdt1(point)

    made = []

    def counted(point, number, seed):
        made.append(number)
        return zdt1(point)

    for cut in range(count):
        path = tmp_path / f"{cut}.sqlite"
        with pytest.raises(KeyboardInterrupt):
            search(name, count, batch=batch, path=path, evaluate=interrupted)
        made.clear()
        assert search(name, count, batch=batch, path=path, evaluate=counted) == whole
        assert made == list(range(cut, count))


@pytest.mark.parametrize("name", NAMES)
def test_constraints_are_respected(name):
    constraint = Constraint.parse("gain>=-3")
    trials = search(name, 200, constraints=(constraint,), batch=10)
    front = pareto.front(trials, OBJECTIVES)
    assert front
    assert any(not trial.feasible for trial in trials)
    for trial in trials:
        assert trial.feasible == (trial.values["gain"] >= -3)
    assert all(trial.feasible for trial in front)


@pytest.mark.parametrize("name", LEARNING)
def test_better_than_random(name):
    seeds = range(3)
    found = statistics.median(volume(search(name, 200, seed=s, batch=10)) for s in seeds)
    chance = statistics.median(volume(search("random", 200, seed=seed)) for seed in seeds)
    assert found > 1.05 * chance


@pytest.mark.parametrize("name", LEARNING)
def test_finds_the_feasible_corner_sooner_than_random(name):
    """One point in 27 is feasible; early exits leave the objectives out."""

    def early(point, number, seed):
        far = sum(point.values()) / 16 - 1
        return Outcome({}, {"sum<=16": far}) if far > 0 else zdt1(point)

    seeds = range(3)
    runs = [search(name, 200, seed=s, batch=10, evaluate=early) for s in seeds]
    found = [sum(trial.feasible for trial in trials) for trials in runs]
    chance = [sum(t.feasible for t in search("random", 200, seed=s, evaluate=early)) for s in seeds]
    assert statistics.median(found) > 5 * statistics.median(chance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 7])
def test_asked_points_are_of_the_space(name, count):
    asked = strategy(name)(SPACE, OBJECTIVES, 0, {}).ask(count)
    assert len(asked) == count
    for point in asked:
        assert SPACE.decode(SPACE.encode(point)) == point


@pytest.mark.parametrize("name", NAMES)
def test_values_of_every_kind_and_single_choices(name):
    space = Space((Choice("kind", ("a", True, 2.5)), Choice("only", (8,)), Choice("n", (1, 2))))
    evaluate = lambda point, number, seed: Outcome({"error": number, "gain": point["n"]})  # noqa: E731
    trials = search(name, 6, space=space, evaluate=evaluate)
    assert {type(trial.point["kind"]) for trial in trials} == {str, bool, float}
    assert len({trial.key for trial in trials}) == 6


@pytest.mark.parametrize("name", NAMES)
def test_wrong_options_are_refused(name):
    with pytest.raises(InputError, match=rf"^strategy {name}: has no option 'popluation'; "):
        strategy(name)(SPACE, OBJECTIVES, 0, {"popluation": 3})


def test_options_of_nsga2_are_checked():
    for value, problem in (("20", "type int"), (True, "type int"), (1, "at least 2")):
        with pytest.raises(
            InputError, match=f"strategy nsga2: option population must be .*{problem}"
        ):
            Nsga2(SPACE, OBJECTIVES, 0, {"population": value})


def test_options_of_bayes_are_checked():
    bayes = strategy("bayes")
    with pytest.raises(InputError, match="has no surrogate 'forrest'; did you mean forest"):
        bayes(SPACE, OBJECTIVES, 0, {"surrogate": "forrest"})
    with pytest.raises(InputError, match="option start must be at least 2, got 1"):
        bayes(SPACE, OBJECTIVES, 0, {"start": 1})
    with pytest.raises(InputError, match=r"option local lies in 0 \.\. 1, got 1\.5"):
        bayes(SPACE, OBJECTIVES, 0, {"local": 1.5})


def test_bayes_chooses_beside_the_front_where_asked():
    space = Space(tuple(Choice(f"x{i}", tuple(range(6))) for i in range(5)))
    options = OPTIONS["bayes"] | {"local": 1.0}
    trials = search("bayes", 60, space=space, options=options)
    for place in range(8, 60):
        front = pareto.front(trials[:place], OBJECTIVES)
        beside = {p for t in front for p in neighbours(space, space.encode(t.point))}
        untried = beside - {space.encode(trial.point) for trial in trials[:place]}
        assert not untried or space.encode(trials[place].point) in untried


def test_a_forest_beats_random_too():
    options = {"surrogate": "forest", "start": 8, "candidates": 100}
    runs = [search("bayes", 100, seed=seed, batch=10, options=options) for seed in range(3)]
    chance = statistics.median(volume(search("random", 100, seed=seed)) for seed in range(3))
    assert statistics.median(map(volume, runs)) > 1.05 * chance


def test_options_of_reinforce_are_checked():
    reinforce = strategy("reinforce")
    for name, value in (("decay", 1.5), ("entropy", -0.1), ("learning_rate", 0.0), ("start", 0)):
        with pytest.raises(InputError, match=f"strategy reinforce: option {name} lies in "):
            reinforce(SPACE, OBJECTIVES, 0, {name: value})


def policy_draws(space, reward, **options):
    """Return the points of the last 100 of 300 trials with one objective."""
    evaluate = lambda point, number, seed: Outcome({"gain": reward(point)})  # noqa: E731
    trials = search(
        "reinforce", 300, space=space, evaluate=evaluate, objectives=OBJECTIVES[1:], options=options
    )
    return [trial.point for trial in trials[200:]]


def test_the_policy_settles_on_what_is_rewarded_and_entropy_keeps_it_open():
    space = Space(tuple(Choice(f"x{i}", tuple(range(10))) for i in range(6)))
    reward = lambda point: -abs(point["x0"] - 7) - abs(point["x1"] - 2)  # noqa: E731
    share = lambda points: sum(p["x0"] == 7 and p["x1"] == 2 for p in points) / 100  # noqa: E731
    settled = share(policy_draws(space, reward))
    assert settled > 0.5
    assert share(policy_draws(space, reward, entropy=10.0)) < settled / 2
    assert share(policy_draws(space, reward, learning_rate=1e-6)) < 0.1


def test_the_policy_learns_nothing_of_choices_that_do_not_count():
    """Idle choices stand at their first value; were that learned, 0 would be drawn too often."""
    idle = Choice("kernel", tuple(range(20)), Condition("layers", (3,)))
    space = Space((Choice("layers", (2, 3)), idle, Choice("width", tuple(range(500)))))
    options = {"start": 1, "learning_rate": 0.2, "entropy": 0.8}
    reinforce = strategy("reinforce")(space, OBJECTIVES[1:], 0, options)
    for number in range(200):
        (point,) = reinforce.ask(1)
        gain = float(point["layers"] == 2)
        key = str(tuple(point.values()))
        reinforce.tell([Trial(number, point, key, {"gain": gain}, {}, 0)])
    drawn_kernels = [p["kernel"] for p in reinforce.ask(500) if p["layers"] == 3]
    assert len(drawn_kernels) > 50
    assert drawn_kernels.count(0) < len(drawn_kernels) / 10


def test_population_changes_the_search():
    few = search("nsga2", 60, options={"population": 4})
    assert few[:4] == search("nsga2", 4)
    assert few != search("nsga2", 60, options={"population": 30})


def test_random_takes_every_point_once_before_any_twice():
    space = Space((Choice("a", (1, 2, 3)), Choice("b", ("x", "y")), Choice("c", (0,))))
    draws = Random(space, OBJECTIVES, 1, {}).ask(3 * space.size)
    for start in range(0, len(draws), space.size):
        assert len({tuple(point.items()) for point in draws[start : start + space.size]}) == 6


def test_exhaustive_takes_every_point_in_order():
    space = Space((Choice("a", (1, 2, 3)), Choice("b", ("x", "y")), Choice("c", (0,))))
    walk = Exhaustive(space, OBJECTIVES, 0, {})
    points = walk.ask(4) + walk.ask(3)
    assert [tuple(point.values())[:2] for point in points] == [
        (1, "x"), (1, "y"), (2, "x"), (2, "y"), (3, "x"), (3, "y"), (1, "x")
    ]  # fmt: skip
    vast = Space(tuple(Choice(f"x{i}", tuple(range(10))) for i in range(40)))
    with pytest.raises(InputError, match="too many to try all"):
        Exhaustive(vast, OBJECTIVES, 0, {})


def test_evolution_never_tries_a_point_twice():
    trials = search("evolution", 400)
    assert len({trial.key for trial in trials}) == 400
    space = Space((Choice("a", (1, 2, 3)), Choice("b", (1, 2)), Choice("c", (0,))))
    evaluate = lambda point, number, seed: Outcome({"error": point["a"], "gain": point["b"]})  # noqa: E731
    assert len(search("evolution", 6, space=space, evaluate=evaluate)) == 6


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_variations_stay_in_the_space(extents, seed):
    space = Space(tuple(Choice(f"x{i}", tuple(range(n))) for i, n in enumerate(extents)))
    random = np.random.default_rng(seed)
    left, right = drawn(space, random), drawn(space, random)
    child = mutated(space, left, random)
    assert space.encode(space.decode(child)) == child
    assert sum(a != b for a, b in zip(left, child, strict=True)) == (space.size > 1)
    mixed = crossed(space, left, right, random)
    assert all(x in (a, b) for x, a, b in zip(mixed, left, right, strict=True))
    near = list(neighbours(space, left))
    assert len(set(near)) == len(near) == sum(extents) - len(extents)
    tried = {left, *near}
    assert space.size == len(tried) or new_near(space, left, tried, random) not in tried


def test_random_is_uniform():
    space = Space((Choice("a", (1, 2, 3)), Choice("b", ("x", "y"))))
    pairs = Counter(
        tuple(tuple(point.values()) for point in Random(space, OBJECTIVES, seed, {}).ask(2))
        for seed in range(3000)
    )
    assert len(pairs) == 30  # every ordered pair of different points
    chi2 = sum((count - 100) ** 2 / 100 for count in pairs.values())
    assert chi2 < 58.3  # 29 degrees of freedom: passed by 99.9 % of uniform draws


def test_random_copes_with_more_points_than_a_machine_word_counts():
    space = Space(tuple(Choice(f"x{i}", tuple(range(10))) for i in range(40)))
    points = Random(space, OBJECTIVES, 0, {}).ask(50)
    assert {point["x39"] for point in points} == set(range(10))


def test_optuna_keeps_quiet_and_its_settings():
    code = (
        "import optuna, codesign.space as s, codesign.search.trial as t;"
        "import codesign.search.strategies.nsga2 as n;"
        "before = optuna.logging.get_verbosity();"
        "n.Nsga2(s.Space((s.Choice('a', (1, 2)),)), [t.Objective('lut', False)], 0, {});"
        "assert optuna.logging.get_verbosity() == before == optuna.logging.INFO"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_optuna_is_imported_only_where_it_is_used():
    code = (
        "import sys; import codesign.search.study, codesign.search.strategies.nsga2;"
        "sys.exit('optuna' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not NASBENCH.exists(), reason=f"no data at {NASBENCH}")
def test_nsga2_on_nasbench201():
    """CIFAR-10 accuracy [%] x FPGA latency [ms]; random search reaches 0.98 after 500 cells."""
    with NASBENCH.open(newline="") as file:
        cells = {row["ops"]: row for row in csv.DictReader(file)}

    def evaluate(point, number, seed):
        row = cells["".join(str(digit) for digit in point.values())]
        accuracy, latency = float(row["cifar10_test_ep200"]), float(row["fpga_ms"])
        return Outcome({"accuracy": accuracy, "latency": latency})

    objectives = (Objective("accuracy", maximize=True), Objective("latency", maximize=False))
    space = Space(tuple(Choice(f"edge{i}", tuple(range(5))) for i in range(6)))
    runs = [
        search("nsga2", 500, seed=seed, space=space, objectives=objectives, evaluate=evaluate)
        for seed in range(3)
    ]
    reference = {"accuracy": 10.0, "latency": 8.67856}
    shares = [volume(trials, objectives, reference) / 627.279 for trials in runs]
    assert statistics.median(shares) > 0.995
    assert max(shares) <= 1 + 1e-6
