"""What is decided about intervals: which is the shortest, and what no design there contains."""

from collections.abc import Sequence

import numpy as np
import pytest
from brute_force import CLOCK_HZ, small_problems

from codesign.fit.optimum import ANY, Effort, minimise
from codesign.fit.problem import Problem
from codesign.fit.solver import Solver, Verdict

FITS, NONE, UNKNOWN = Verdict.FITS, Verdict.NONE, Verdict.UNKNOWN


class Told(Solver):
    """A solver whose verdicts are given; a span is ruled out where it is short and has none."""

    def __init__(self, told: Sequence[Verdict], reach: int) -> None:
        self.told, self.reach, self.effort = told, reach, ANY

    def verdict(self, interval: int, effort: Effort | None = None) -> Verdict:
        return self.told[interval]

    def _none_of(self, among: Sequence[int]) -> bool:
        return len(among) <= self.reach and all(self.told[n] is NONE for n in among)


@pytest.mark.parametrize("seed", range(20))
def test_the_shortest_interval_is_found_though_longer_ones_do_not_fit(seed: int) -> None:
    random = np.random.default_rng(seed)
    for reach in (1, 3, 8, 100):
        kinds = (FITS, NONE, NONE, NONE, UNKNOWN)
        told = [*(kinds[n] for n in random.integers(0, 5, random.integers(0, 60))), FITS]
        found, bound = Told(told, reach).shortest(range(len(told)))
        assert found == told.index(FITS)
        assert bound == min(n for n, verdict in enumerate(told) if verdict is not NONE)


def test_what_a_full_board_rules_out_is_in_no_design() -> None:
    ruled_out = 0
    for _, graph, board in small_problems(12):
        problem = Problem(graph, board, CLOCK_HZ, board.budget)
        loose = Solver(problem)
        interval = loose.intervals[len(loose.intervals) // 2]
        costs = loose.costs(interval)
        smallest = loose.cheapest(interval).items
        assert smallest is not None
        available = 1.02 * (costs[smallest].sum(axis=0) + problem.taken)
        full = Solver(problem, np.minimum(available, problem.available))
        kept = full.affordable(costs, interval)
        assert kept is not None
        impossible = full._impossible(costs, kept)
        assert not np.any(impossible[smallest])
        for item in np.flatnonzero(impossible)[::3]:
            only = kept & (problem.table != problem.table[item])
            only[item] = True
            found = minimise(full.dual(costs, only), ANY, any_will_do=True)
            assert found.items is None
            assert found.bound == np.inf
            ruled_out += 1
    assert ruled_out > 20
