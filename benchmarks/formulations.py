"""Nested, flat and two-stage search on tabular accuracies: fronts for as many trained networks.

    python -m benchmarks.formulations [--networks 24] [--seeds 3] [--boards zcu104 pynq_z2]

A network is a cell of NAS-Bench-201; its accuracy is the table's (CIFAR-10 test [%] after 200
epochs), so no network is trained. What is fitted is a small one, with one cell a stage and 8
channels in the first: the task stands for a co-design problem, and says nothing of CIFAR-10 on
these boards. It is left out where `../shared/data/nasbench201/core.csv` is missing.

The front is that of accuracy and latency. `fit` is asked for the shortest interval, as in a run
without further options; so `flat` could find shorter latencies than `nested`.

The volume is that between a front, accuracy 10 %, and twice the longest latency of any network on
its best hardware.

Each way of searching may spend the same number of different networks with an accuracy. Designs that
the board does not hold cost nothing, nor does a network that `flat` tries again on other engines;
but a search ends after four trials for each network, so `flat` may spend fewer (column `networks`).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.search import NASBENCH, read_cells
from codesign.candidate import Target
from codesign.flow.prepare import most_layers
from codesign.hardware.board import Board
from codesign.load import member
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.tensor import Tensor
from codesign.search import pareto
from codesign.search.formulation import Formulation
from codesign.search.formulations.pareto import Pareto
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.ranks import Ranks
from codesign.search.store import Store
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Study
from codesign.search.trial import Objective, Outcome, Trial
from codesign.space import Point, Space

FAMILY = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10, channels=8, cells=1)
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))
LEAST_ACCURACY = 10.0
PATIENCE = 4
"""So many times the networks are tried at the most, where designs do not fit."""
STRATEGY = "evolution"
OPTIONS = {"population": 10, "sample": 5}
"""Small, as the budget is: the default draws its first 30 points at random."""


@dataclass(frozen=True)
class Task:
    """One board, and every network's best design that was found for it so far."""

    target: Target
    cells: dict[str, tuple[float, float]]
    known: dict[str, Outcome] = field(default_factory=dict)
    genes: Ranks = field(default_factory=lambda: Ranks(most_layers(FAMILY)))

    def nested(self, point: Point, _number: int, _seed: int) -> Outcome:
        """Judge a network on its best design."""
        key = FAMILY.canonical(point)
        if key not in self.known:
            self.known[key] = self.target.judged(FAMILY.decode(point))
        return self.told(self.known[key], point)

    def flat(self, point: Point, _number: int, _seed: int) -> Outcome:
        """Judge a network on the engines that its genes name."""
        network = self.genes.network(point)
        priced = self.target.at(self.genes.of(point)).judged(FAMILY.decode(network))
        return self.told(priced, network)

    def told(self, priced: Outcome, network: Point) -> Outcome:
        """Return a price with the accuracy, if the board holds the design."""
        if priced.violations:
            return priced
        accuracy, _ = self.cells[FAMILY.cell(network).digits]
        return Outcome({**priced.values, "accuracy": accuracy})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formulations", description=__doc__)
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--boards", nargs="+", default=["zcu104", "pynq_z2"])
    asked = parser.parse_args()
    if not NASBENCH.exists():
        print(f"nested, flat and two-stage search: left out, no {NASBENCH.name}")
        return
    cells = read_cells()
    for name in asked.boards:
        board = Board.load(name)
        clock_hz = board.clock_hz(board.typical_clock_mhz, "clock")
        compare(
            Task(Target(board, (clock_hz,), "interval", ()), cells), asked.networks, asked.seeds
        )


def compare(task: Task, networks: int, seeds: int) -> None:
    """Print what each way of searching finds on a board."""
    space = FAMILY.space()
    joint = task.genes.joint(space)
    ways: dict[str, Callable[[int], list[Trial]]] = {
        "nested": lambda seed: spent(networks, task.nested, space, Pareto(), seed),
        "flat": lambda seed: spent(networks, task.flat, joint, Pareto(), seed),
        "two_stage": lambda seed: spent(networks, task.nested, space, TwoStage(), seed),
    }
    found = {name: [way(seed) for seed in range(seeds)] for name, way in ways.items()}
    every = [trial for runs in found.values() for trials in runs for trial in trials]
    longest = max(priced.values["latency_s"] for priced in task.known.values())
    limit = {"accuracy": LEAST_ACCURACY, "latency_s": 2 * longest}
    whole = volume(every, limit)
    print(
        f"{task.target.board.name}: {networks} networks, {STRATEGY}, {seeds} seeds; share of the "
        f"hypervolume of all fronts together, at {LEAST_ACCURACY:g} % and "
        f"{limit['latency_s']:.3g} s"
    )
    print(
        f"  {'hardware':12}{'median':>9}{'worst':>9}{'front':>7}"
        f"{'networks':>10}{'trials':>8}{'best %':>8}"
    )
    for name, runs in found.items():
        shares = [volume(trials, limit) / whole for trials in runs]
        fronts = [len(pareto.front(trials, OBJECTIVES)) for trials in runs]
        best = [max(trial.values["accuracy"] for trial in trials) for trials in runs]
        spent_on = [len({FAMILY.canonical(trial.point) for trial in trials}) for trials in runs]
        asked = [max(trial.number for trial in trials) + 1 for trials in runs]
        print(
            f"  {name:12}{statistics.median(shares):9.4f}{min(shares):9.4f}"
            f"{statistics.median(fronts):7.0f}{statistics.median(spent_on):10.0f}"
            f"{statistics.median(asked):8.0f}"
            f"{statistics.median(best):8.2f}",
            flush=True,
        )


def volume(trials: Sequence[Trial], reference: dict[str, float]) -> float:
    """Return the hypervolume between some trials and a reference."""
    limit = [objective.cost(reference) for objective in OBJECTIVES]
    return pareto.hypervolume(pareto.costs(trials, OBJECTIVES), limit)


def spent(
    networks: int,
    evaluate: Callable[[Point, int, int], Outcome],
    space: Space,
    formulation: Formulation,
    seed: int,
) -> list[Trial]:
    """Return the trials with an accuracy, until so many different networks have one."""
    study = Study(
        space=space,
        objectives=OBJECTIVES,
        strategy=member("search.strategies", Strategy, STRATEGY),
        options=OPTIONS,
        formulation=formulation,
        seed=seed,
        batch=8,
    )
    with Store.open(None, study.definition()) as store:
        trials = study.run(evaluate, Budget(PATIENCE * networks), store).trials
    return list(first(trials, networks))


def first(trials: Sequence[Trial], networks: int) -> Iterator[Trial]:
    """Yield the trials with an accuracy up to the last that so many networks allow."""
    seen: set[str] = set()
    for trial in trials:
        if "accuracy" not in trial.values:
            continue
        seen.add(FAMILY.canonical(trial.point))
        if len(seen) > networks:
            return
        yield trial


if __name__ == "__main__":
    main()
