"""`fit` beside every design of small random networks: python -m benchmarks.fit_exact [NETWORKS].

For each network three budgets that bind, and for each budget every objective: the shortest
interval, the least resources at a rate, latency, energy, and a mix of all four. 500 networks take
about half an hour on one core; `tests/test_fit.py` and `test_fit_objectives.py` take a few.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from brute_force import Brute, small_problems
from test_fit import check_interval, check_resources
from test_fit_objectives import MIXTURE, Reference, check

from codesign.fit.goal import GOALS

NETWORKS = 500


def main(networks: int = NETWORKS) -> tuple[int, int]:
    """Print and return how many answers were compared, and how many are not the best."""
    compared = wrong = 0
    for seed, graph, board in small_problems(networks):
        brute = Brute(graph, board)
        for name, compare in comparisons(brute, np.random.default_rng(seed)):
            compared += 1
            try:
                compare()
            except AssertionError as error:
                wrong += 1
                print(f"  network {seed}, {name}: {error}", flush=True)
    print(f"fit against brute force: {networks} networks, {compared} answers, {wrong} wrong")
    return compared, wrong


def comparisons(
    brute: Brute, random: np.random.Generator
) -> list[tuple[str, Callable[[], object]]]:
    """Return what is to be compared for one network, by the objective's name."""
    known = Reference.of(brute)
    found: list[tuple[str, Callable[[], object]]] = []
    for budget in brute.budgets(random):
        longest = int(random.choice(brute.intervals))
        found += [
            ("interval", lambda own=budget: check_interval(brute, brute.graph, own)),
            (
                "resources",
                lambda own=budget, most=longest: check_resources(brute, brute.graph, own, most),
            ),
        ]
        for name, goal in (*GOALS.items(), ("mix", MIXTURE)):
            found.append((name, lambda own=budget, goal=goal: check(brute, known, goal, own)))
    return found


if __name__ == "__main__":
    sys.exit(1 if main(*map(int, sys.argv[1:2]))[1] else 0)
