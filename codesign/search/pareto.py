"""Non-dominated points, their ranks, and the volume they dominate. Costs are minimised.

Sources: Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC
2002, sections III-A (ranks) and VI-A (constrained domination); Zitzler and Thiele, PPSN 1998
(hypervolume); While et al., IEEE TEC 2006 (hypervolume by slicing objectives).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.search.trial import Objective, Trial

Costs = NDArray[np.float64]


def nondominated(costs: ArrayLike) -> NDArray[np.bool_]:
    """Return which of `costs` `[points, objectives]` no other point dominates.

    A point dominates another when it is nowhere worse and somewhere better; equal points
    therefore stand or fall together.
    """
    array = _matrix(costs)
    keep = np.zeros(len(array), dtype=bool)
    # In lexicographic order no point is dominated by a later one, so the first that is left
    # belongs to the front.
    left = np.lexsort(array.T[::-1])
    while left.size:
        first = array[left[0]]
        equal = (array[left] == first).all(axis=1)
        keep[left[equal]] = True
        left = left[(array[left] < first).any(axis=1)]
    return keep


def ranks(costs: ArrayLike, violation: ArrayLike | None = None) -> NDArray[np.int64]:
    """Return the front each point belongs to, 0 being the best, by constrained domination.

    Args:
        costs: `[points, objectives]`.
        violation: `[points]`, total violation, 0 for a feasible point. Feasible points come
            first; the others follow by violation alone. None: all points are feasible.
    """
    array = _matrix(costs)
    distance = np.zeros(len(array)) if violation is None else np.asarray(violation, np.float64)
    rank = np.zeros(len(array), dtype=np.int64)
    left = np.flatnonzero(distance <= 0)
    level = 0
    while left.size:
        best = nondominated(array[left])
        rank[left[best]] = level
        left = left[~best]
        level += 1
    infeasible = distance > 0
    rank[infeasible] = level + np.unique(distance[infeasible], return_inverse=True)[1]
    return rank


def hypervolume(costs: ArrayLike, reference: ArrayLike) -> float:
    """Return the exact volume between `costs` `[points, objectives]` and `reference`.

    Points that are not better than the reference in every objective add nothing. The time
    grows with points ** (objectives - 1): meant for two or three objectives.
    """
    limit = np.asarray(reference, np.float64)
    array = _matrix(costs)
    if array.size == 0:
        return 0.0
    if array.shape[1] != limit.size:
        problem = f"{array.shape[1]} objectives do not match a reference of {limit.size}"
        raise ValueError(problem)
    inside = array[(array < limit).all(axis=1)]
    return _volume(inside[nondominated(inside)], limit)


def costs(trials: Sequence[Trial], objectives: Sequence[Objective]) -> Costs:
    """Return what is minimised, `[trials, objectives]`; every trial must have the values."""
    rows = [[objective.cost(trial.values) for objective in objectives] for trial in trials]
    return np.array(rows, np.float64).reshape(len(trials), len(objectives))


def trial_ranks(trials: Sequence[Trial], objectives: Sequence[Objective]) -> NDArray[np.int64]:
    """Return the front each trial belongs to, `[trials]`; infeasible ones may lack objectives."""
    values = [[o.cost(t.values) if t.feasible else 0.0 for o in objectives] for t in trials]
    return ranks(values, [trial.violation for trial in trials])


def front(trials: Sequence[Trial], objectives: Sequence[Objective]) -> list[Trial]:
    """Return the feasible trials that no feasible trial dominates, best first objective first."""
    feasible = [trial for trial in trials if trial.feasible]
    keep = nondominated(costs(feasible, objectives))
    best = [trial for trial, kept in zip(feasible, keep, strict=True) if kept]
    return sorted(best, key=lambda trial: (objectives[0].cost(trial.values), trial.number))


def _volume(array: Costs, limit: NDArray[np.float64]) -> float:
    if len(array) == 0:
        return 0.0
    order = np.argsort(array[:, -1], kind="stable")
    array = array[order]
    depths = np.diff(array[:, -1], append=limit[-1])
    if limit.size == 1:
        return float(depths.sum())
    if limit.size == 2:
        widths = limit[0] - np.minimum.accumulate(array[:, 0])
        return float(widths @ depths)
    slices = [_volume(array[: end + 1, :-1], limit[:-1]) for end in range(len(array))]
    return float(np.asarray(slices) @ depths)


def _matrix(costs: ArrayLike) -> Costs:
    array = np.asarray(costs, np.float64)
    if array.size == 0:
        return np.empty((0, 1))
    if array.ndim != 2:
        raise ValueError(f"costs are [points, objectives], not of shape {array.shape}")
    return array
