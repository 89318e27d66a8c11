"""Latency, energy and mixes of them: `fit` against every design of small networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from brute_force import CLOCK_HZ, Brute, small_problems

from codesign.cost.energy import dynamic_energy_j
from codesign.design import Design
from codesign.fit.dataflow import Fit, fit
from codesign.fit.goal import GOALS, Goal, Measure
from codesign.fit.optimum import SAME
from codesign.fit.problem import Problem
from codesign.fit.solver import Solver

NETWORKS = 8
PROBLEMS = tuple(small_problems(NETWORKS))
MIXTURE = Goal(interval=1.0, latency=0.5, energy=0.3, resources=0.2)


@dataclass(frozen=True)
class Reference:
    """What brute force takes from `fit`: what figures are relative to, and possible intervals."""

    measure: Measure
    intervals: tuple[int, ...]

    @staticmethod
    def of(brute: Brute) -> Reference:
        problem = Problem(brute.graph, brute.board, CLOCK_HZ, brute.board.budget)
        intervals = tuple(Solver(problem).intervals)
        # engines that others beat in everything may have intervals of their own
        assert intervals[0] == brute.intervals[0]
        return Reference(Measure(problem), intervals)


def energy_j(design: Design, interval: int) -> float:
    static = design.board.static_power_w.value * interval / CLOCK_HZ
    return static + dynamic_energy_j(design).value


def values(
    brute: Brute, known: Reference, goal: Goal, amounts: np.ndarray, numbers: list[int]
) -> list[float]:
    """Return what each design counts at every interval for which its FIFOs may be laid out."""
    measure = known.measure
    found = []
    every = [(n, t) for t in known.intervals for n in numbers if brute.slowest[n] <= t]
    if measure.per_cycle(goal) == 0:
        # the interval does not count: FIFOs are those of the shortest that fits
        fitting = [t for t in known.intervals if brute.fitting(t, amounts)]
        every = [(n, t) for t in fitting[:1] for n in numbers]
    for number, interval in every:
        if np.any(brute.needed(number, interval) > amounts + 1e-6):
            continue
        found.append(
            goal.interval * interval / measure.interval
            + goal.latency * brute.latencies[number] / measure.latency
            + goal.energy * energy_j(brute.designs[number], interval) / measure.energy_j
            + goal.resources * brute.cost(number, interval, amounts)
        )
    return found


def check(brute: Brute, known: Reference, goal: Goal, budget: Mapping[str, int]) -> Fit:
    """Compare the answer, whatever its FIFOs, with the best of all designs."""
    amounts = brute.amounts(budget)
    name = next((name for name, own in GOALS.items() if own == goal), goal)
    answer = fit(brute.graph, brute.board, CLOCK_HZ, name, budget=budget)
    every = values(brute, known, goal, amounts, list(range(len(brute.designs))))
    assert answer.feasible == bool(every)
    if not every:
        return answer
    chosen = [(design.engines, design.port_lanes) for design in brute.designs]
    number = chosen.index((answer.design.engines, answer.design.port_lanes))
    own = min(values(brute, known, goal, amounts, [number]))
    assert own <= min(every) * (1 + 2 * SAME)
    assert answer.gap == 0
    assert answer.interval == brute.slowest[number]
    assert answer.latency == pytest.approx(brute.latencies[number])
    assert answer.energy_j == pytest.approx(energy_j(answer.design, answer.interval))
    return answer


@pytest.mark.parametrize("part", range(4))
def test_every_goal_equals_brute_force(part: int) -> None:
    for seed, graph, board in PROBLEMS[part::4]:
        brute = Brute(graph, board)
        known = Reference.of(brute)
        for budget in brute.budgets(np.random.default_rng(seed)):
            for goal in (*GOALS.values(), MIXTURE):
                check(brute, known, goal, budget)
