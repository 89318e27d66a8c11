"""Fronts, ranks and hypervolumes, against brute force and against others' numbers."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from codesign.search import pareto
from codesign.search.trial import Objective, Trial

NASBENCH = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"

GRID = 6  # few levels, so that ties and equal points are common
POINTS = st.integers(1, 3).flatmap(
    lambda objectives: hnp.arrays(
        np.int64, st.tuples(st.integers(0, 12), st.just(objectives)), elements=st.integers(0, GRID)
    )
)


def dominates(left, right):
    return all(left <= right) and any(left < right)


def brute_ranks(costs, violation):
    """Peel off, layer by layer, whatever nothing left constrained-dominates."""

    def better(i, j):
        if violation[i] > 0 or violation[j] > 0:
            return violation[i] < violation[j]
        return dominates(costs[i], costs[j])

    rank, left, level = {}, set(range(len(costs))), 0
    while left:
        layer = {j for j in left if not any(better(i, j) for i in left)}
        rank.update(dict.fromkeys(layer, level))
        left -= layer
        level += 1
    return [rank[i] for i in range(len(costs))]


def brute_volume(costs, reference):
    """Count the unit cells below the reference that some point dominates."""
    cells = itertools.product(*(range(limit) for limit in reference))
    return sum(any((point <= cell).all() for point in costs) for cell in cells)


@given(POINTS)
def test_nondominated_equals_brute_force(costs):
    expected = [not any(dominates(other, point) for other in costs) for point in costs]
    assert pareto.nondominated(costs).tolist() == expected


@given(POINTS, st.data())
def test_ranks_equal_brute_force(costs, data):
    levels = st.lists(st.sampled_from([0, 0, 0.5, 1]), min_size=len(costs), max_size=len(costs))
    violation = data.draw(levels)
    assert pareto.ranks(costs, violation).tolist() == brute_ranks(costs, violation)
    assert pareto.ranks(costs).tolist() == brute_ranks(costs, [0] * len(costs))


@given(POINTS, st.data())
def test_hypervolume_equals_the_count_of_cells(costs, data):
    reference = [data.draw(st.integers(0, GRID + 1)) for _ in range(costs.shape[1])]
    assert pareto.hypervolume(costs, reference) == brute_volume(costs, reference)


def test_hypervolume_of_zdt1():
    """Source: pymoo 0.6 documentation, "Performance Indicators", Hypervolume: 0.96316...

    Every tenth of 100 points on the front of ZDT1, times 1.1, reference (1.2, 1.2).
    """
    first = np.linspace(0, 1, 100)
    costs = np.stack([first, 1 - np.sqrt(first)], axis=1)[::10] * 1.1
    assert pareto.hypervolume(costs, [1.2, 1.2]) == pytest.approx(0.9631646448182305, rel=1e-12)


def test_hypervolume_of_a_sphere():
    """Points on the sphere of radius 1 around (1, 1, 1), facing the origin: 1 - pi / 6 to be."""
    angle = (np.arange(48) + 0.5) / 48 * np.pi / 2
    polar, turn = (grid.ravel() for grid in np.meshgrid(angle, angle))
    outward = [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)]
    volume = pareto.hypervolume(1 - np.stack(outward, axis=1), [1, 1, 1])
    assert volume < np.pi / 6  # the points stand inside the limit surface
    assert volume == pytest.approx(np.pi / 6, rel=0.03)


def test_large_sets_equal_optuna():
    from optuna._hypervolume import compute_hypervolume
    from optuna.study._multi_objective import _fast_non_domination_rank

    random = np.random.default_rng(5)
    costs = np.round(random.random((400, 3)), 2)
    violation = np.maximum(random.random(400) - 0.7, 0)
    assert (
        pareto.ranks(costs, violation) == _fast_non_domination_rank(costs, penalty=violation)
    ).all()
    reference = np.array([1.0, 0.9, 1.1])
    inside = costs[(costs <= reference).all(axis=1)]
    expected = compute_hypervolume(inside, reference)
    assert pareto.hypervolume(costs, reference) == pytest.approx(expected, rel=1e-12)


@pytest.mark.skipif(not NASBENCH.exists(), reason=f"no data at {NASBENCH}")
def test_front_of_nasbench201():
    """15,625 cells, CIFAR-10 error [%] x FPGA latency [ms]: known front and volume."""
    with NASBENCH.open(newline="") as file:
        rows = [
            (float(row["fpga_ms"]), 100 - float(row["cifar10_test_ep200"]))
            for row in csv.DictReader(file)
        ]
    costs = np.array(rows)
    assert len(np.unique(costs[pareto.nondominated(costs)], axis=0)) == 13
    assert pareto.hypervolume(costs, [8.67856, 90.0]) == pytest.approx(627.279, abs=5e-4)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="2 objectives do not match a reference of 3"):
        pareto.hypervolume([[1, 2]], [3, 3, 3])
    with pytest.raises(ValueError, match=r"not of shape \(2,\)"):
        pareto.nondominated([1, 2])


def trial(number, accuracy, latency_s, violation=0.0):
    values = {"accuracy": accuracy, "latency_s": latency_s}
    violations = {"lut<=1": violation} if violation else {}
    return Trial(number, {}, str(number), values, violations, seed=0)


def test_front_of_trials():
    objectives = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))
    trials = [
        trial(0, 0.9, 3.0),
        trial(1, 0.8, 1.0),
        trial(2, 0.8, 2.0),  # dominated by trial 1
        trial(3, 1.0, 0.5, violation=0.1),  # the best of all, but it cannot be built
        trial(4, 0.9, 3.0),  # as good as trial 0
    ]
    assert [t.number for t in pareto.front(trials, objectives)] == [0, 4, 1]
    assert pareto.front(trials[3:4], objectives) == []
    assert pareto.costs(trials[:1], objectives).tolist() == [[-0.9, 3.0]]
