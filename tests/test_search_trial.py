"""Objectives, constraints and trials."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.search.trial import Constraint, Objective, Trial, violations

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("max accuracy", Objective("accuracy", maximize=True)),
        ("  min   latency_s ", Objective("latency_s", maximize=False)),
        ("min accuracy", Objective("accuracy", maximize=False)),
        ("accuracy", Objective("accuracy", maximize=True)),
        ("fps", Objective("fps", maximize=True)),
    ],
)
def test_objective_is_read(text, objective):
    assert Objective.parse(text) == objective
    assert Objective.parse(objective.text) == objective


@pytest.mark.parametrize("text", ["", "max", "latency_s", "maximise fps", "max fps lut", "max 3"])
def test_wrong_objective_is_refused(text):
    with pytest.raises(InputError, match=r"^search\.objectives: .*; write"):
        Objective.parse(text, place="search.objectives")


def test_cost_is_smaller_where_the_objective_is_better():
    assert Objective.parse("max fps").cost({"fps": 2.0}) == -2.0
    assert Objective.parse("min lut").cost({"lut": 2.0}) == 2.0


@pytest.mark.parametrize(
    ("text", "constraint"),
    [
        ("fps>=1000", Constraint("fps", ">=", 1000.0)),
        ("latency_s <= 1e-3", Constraint("latency_s", "<=", 0.001)),
        (" accuracy>=0.97 ", Constraint("accuracy", ">=", 0.97)),
        ("lut<=50_000", Constraint("lut", "<=", 50000.0)),
        ("margin>=-.5", Constraint("margin", ">=", -0.5)),
    ],
)
def test_constraint_is_read(text, constraint):
    assert Constraint.parse(text) == constraint


@given(st.sampled_from(["<=", ">="]), FINITE)
def test_constraint_text_loses_nothing(operator, bound):
    constraint = Constraint("lut", operator, bound)
    assert Constraint.parse(constraint.text) == constraint


@pytest.mark.parametrize(
    "text",
    [
        *("", "fps", "fps>1000", "fps=1000", "fps=>1000", "1000<=fps"),
        *("fps>=fast", "fps>=", ">=3", "fps>=nan", "fps>=inf", "fps>=1 000", "fps>=1 lut<=3"),
    ],
)
def test_wrong_constraint_is_refused(text):
    with pytest.raises(InputError, match=r"^flow\.yaml: constraints: .* is no constraint; write"):
        Constraint.parse(text, place="flow.yaml: constraints")


@pytest.mark.parametrize("parse", [Constraint.parse, Objective.parse])
def test_unknown_quantity_names_the_nearest(parse):
    text = "latncy_s<=1" if parse == Constraint.parse else "min latncy_s"
    with pytest.raises(InputError, match=r"'latncy_s'; did you mean latency_s\?"):
        parse(text, known=("accuracy", "latency_s"))


@pytest.mark.parametrize(
    ("text", "value", "distance"),
    [
        ("fps>=1000", 1000, 0.0),
        ("fps>=1000", 2000, 0.0),
        ("fps>=1000", 750, 0.25),
        ("latency_s<=0.001", 0.003, 2.0),
        ("lut<=50000", 49999, 0.0),
        ("margin>=-2", -3, 0.5),
        ("margin<=0", 3, 3.0),
    ],
)
def test_violation_is_the_relative_distance(text, value, distance):
    constraint = Constraint.parse(text)
    assert constraint.violation({constraint.name: value}) == pytest.approx(distance)


@given(FINITE, FINITE, st.sampled_from(["<=", ">="]))
def test_violation_is_zero_exactly_where_the_bound_is_met(value, bound, operator):
    met = value <= bound if operator == "<=" else value >= bound
    assert (Constraint("x", operator, bound).violation({"x": value}) == 0) == met


def test_only_values_that_are_there_are_judged():
    constraints = [Constraint.parse(text) for text in ("lut<=10", "fps>=5", "accuracy>=0.9")]
    assert violations({"lut": 15, "fps": 7}, constraints) == {"lut<=10": 0.5}


def trial(**changes):
    defaults = {"number": 0, "point": {}, "key": "k", "values": {}, "violations": {}, "seed": 0}
    return Trial(**{**defaults, **changes})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_trial_has_finite_values(value):
    with pytest.raises(ValueError, match="trial 0: fps is"):
        trial(values={"fps": value})


@pytest.mark.parametrize("distance", [0.0, -1.0, math.nan, math.inf])
def test_trial_states_only_real_violations(distance):
    with pytest.raises(ValueError, match="'fps>=1' is violated by"):
        trial(violations={"fps>=1": distance})


def test_trial_adds_up_its_violations():
    assert trial().feasible
    assert trial().violation == 0
    broken = trial(violations={"lut<=1": 0.5, "fps>=1": 0.25})
    assert not broken.feasible
    assert broken.violation == 0.75


def test_trials_are_equal_however_long_they_took():
    assert trial(seconds=1.0) == trial(seconds=2.0)
    assert trial(seed=1) != trial(seed=2)
