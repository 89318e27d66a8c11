"""Spaces whose choices hang on one another: what counts, how many points differ, variations."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.search.store import Store
from codesign.search.strategies.evolution import Evolution
from codesign.search.strategies.exhaustive import Exhaustive
from codesign.search.study import Budget, Stop, Study
from codesign.search.trial import Objective, Outcome
from codesign.search.variation import crossed, drawn, mutated, neighbours, new_near
from codesign.space import Choice, Condition, Space

LAYERED = Space(
    (
        Choice("depth", (1, 2, 3)),
        Choice("kernel1", (3, 5)),
        Choice("kernel2", (3, 5), Condition("depth", (2, 3))),
        Choice("kernel3", (3, 5, 7), Condition("depth", (3,))),
    )
)


@st.composite
def spaces(draw):
    """Small spaces in which any choice may hang on any values of an earlier one."""
    choices = []
    for place in range(draw(st.integers(1, 6))):
        values = tuple(range(draw(st.integers(1, 3))))
        when = None
        if place and draw(st.booleans()):
            parent = choices[draw(st.integers(0, place - 1))]
            kept = draw(st.sets(st.sampled_from(parent.values), min_size=1))
            when = Condition(parent.name, tuple(kept))
        choices.append(Choice(f"x{place}", values, when))
    return Space(tuple(choices))


def every(space):
    return itertools.product(*(range(extent) for extent in space.shape))


def test_a_choice_counts_where_its_condition_holds():
    assert LAYERED.counts((0, 1, 1, 2)) == (True, True, False, False)
    assert LAYERED.counts((1, 1, 1, 2)) == (True, True, True, False)
    assert LAYERED.settled((1, 1, 1, 2)) == (1, 1, 1, 0)
    assert (LAYERED.size, LAYERED.distinct) == (36, 2 + 4 + 12)


def test_what_hangs_on_an_idle_choice_is_idle():
    space = Space(
        (
            Choice("skip", (False, True)),
            Choice("kind", ("a", "b"), Condition("skip", (False,))),
            Choice("size", (1, 2), Condition("kind", ("a",))),
        )
    )
    assert space.counts((1, 0, 0)) == (True, False, False)
    assert space.distinct == 1 + 1 + 2


@given(spaces())
def test_the_count_of_different_points_is_that_of_settled_ones(space):
    settled = {space.settled(point) for point in every(space)}
    assert space.distinct == len(settled)
    assert all(space.settled(point) == point for point in settled)
    assert all(space.encode(space.decode(point)) == point for point in settled)


@given(spaces(), st.integers(0, 2**32 - 1))
def test_variations_are_settled_and_change_what_counts(space, seed):
    random = np.random.default_rng(seed)
    left, right = drawn(space, random), drawn(space, random)
    child, mixed = mutated(space, left, random), crossed(space, left, right, random)
    near = list(neighbours(space, left))
    assert all(space.settled(point) == point for point in (left, child, mixed, *near))
    assert (child == left) == (space.distinct == 1)
    both = zip(space.counts(left), space.counts(child), left, child, strict=True)
    assert sum(a and b and x != y for a, b, x, y in both) <= 1
    for place, counts in enumerate(space.counts(mixed)):
        parents = [p[place] for p in (left, right) if space.counts(p)[place]]
        assert not counts or mixed[place] in parents
    assert len(set(near)) == len(near)
    assert left not in near
    assert space.distinct == 1 or new_near(space, left, {left}, random) != left


def test_a_choice_that_begins_to_count_is_drawn_evenly():
    random = np.random.default_rng(1)
    children = [mutated(LAYERED, (0, 0, 0, 0), random) for _ in range(2000)]
    third = np.array([child[3] for child in children if child[0] == 2])
    assert 380 < len(third) < 620
    assert np.bincount(third, minlength=3).min() > len(third) / 4


def test_a_crossover_takes_a_choice_from_where_it_counts():
    random = np.random.default_rng(1)
    deep, shallow = (2, 0, 1, 2), (0, 1, 0, 0)
    children = {crossed(LAYERED, deep, shallow, random) for _ in range(200)}
    assert children == {(2, 0, 1, 2), (2, 1, 1, 2), (0, 0, 0, 0), (0, 1, 0, 0)}


@given(spaces())
def test_points_are_numbered_in_their_order(space):
    assert [space.encode(space.at(number)) for number in range(space.size)] == list(every(space))
    for number in (-1, space.size):
        with pytest.raises(ValueError, match="no point"):
            space.at(number)


def test_a_space_may_have_more_choices_than_an_array_has_axes():
    space = Space(tuple(Choice(f"x{place}", (0, 1, 2)) for place in range(100)))
    assert space.encode(space.at(space.size - 1)) == (2,) * 100
    assert space.encode(space.at(5)) == (0,) * 98 + (1, 2)


@pytest.mark.parametrize("strategy", [Evolution, Exhaustive])
def test_a_search_ends_when_all_different_points_were_tried(strategy):
    study = Study(
        space=LAYERED,
        objectives=(Objective("cost", maximize=False),),
        strategy=strategy,
        canonical=lambda point: str(LAYERED.settled(LAYERED.encode(point))),
    )
    with Store.open(None, study.definition()) as store:
        result = study.run(
            lambda point, number, seed: Outcome({"cost": point["depth"]}), Budget(1000), store
        )
    assert (result.stop, len(result.trials)) == (Stop.EXHAUSTED, LAYERED.distinct)


@pytest.mark.parametrize("name", ["kernel1", "nothing", "depth"])
def test_a_condition_names_an_earlier_choice(name):
    with pytest.raises(ValueError, match="no choice before it"):
        Space((Choice("kernel1", (1,), Condition(name, (1,))), Choice("depth", (1, 2))))
