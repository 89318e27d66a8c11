"""Nested, flat and two-stage search: fronts for as many trained networks.

    python -m benchmarks.formulations [--task cells|fashion_mnist] [--networks 24] [--seeds 3]
        [--strategy bayes] [--goal latency] [--boards zcu104 pynq_z2]

`cells`: a network is a cell of NAS-Bench-201; its accuracy is the table's (CIFAR-10 test [%] after
200 epochs), so no network is trained. What is fitted is a small one, with one cell a stage and 8
channels in the first: the task stands for a co-design problem, and says nothing of CIFAR-10 on
these boards. It is left out where `../shared/data/nasbench201/core.csv` is missing.

`fashion_mnist`: a network is a small `convnet`, trained for a few epochs on a part of the training
images; its accuracy is that of its integers on a part of the validation images. Trained networks
are kept in `runs/benchmark_trained.jsonl`, so none is trained twice by any way, board or seed. The
part is small so that all of it takes bounded time: the fronts can be compared with each other, the
accuracies are no measure of what the data set allows.

The front is that of accuracy and latency, and latency is what `fit` is asked for; to ask for the
shortest interval (`--goal interval`) is quicker, but then `nested` judges networks on other designs
than the front is about. The volume is that between a front, accuracy 10 %, and twice the longest
latency of any network that was fitted.

Each way of searching may spend the same number of different networks with an accuracy. Designs that
the board does not hold cost nothing, nor does a network that `flat` tries again on other engines;
but a search ends after four trials for each network, so `flat` may spend fewer (column `networks`).

`two_stage` learns of hardware only at its end, for its finalists: its front is made of them. Rows
marked `all` give it more than it is: hardware for every network that it ever trained.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from benchmarks.kept import kept
from benchmarks.search import NASBENCH, contestants, read_cells
from codesign.accuracy.dataset import Dataset
from codesign.accuracy.datasets.fashion_mnist import FashionMnist
from codesign.candidate import Target
from codesign.flow.prepare import most_layers
from codesign.hardware.board import Board
from codesign.network.families.convnet import Convnet
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.family import Family
from codesign.network.tensor import Tensor
from codesign.search import pareto
from codesign.search.formulation import Formulation
from codesign.search.formulations.pareto import Pareto
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.ranks import Ranks
from codesign.search.store import Store
from codesign.search.study import Budget, Progress, Study, trial_seed
from codesign.search.trial import Objective, Outcome, Trial
from codesign.space import Point, Space, Value

CELLS = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10, channels=8, cells=1)
SMALL = Convnet(
    Tensor((1, 28, 28), 8, signed=False),
    10,
    layers=(2, 3),
    widths=(4, 8, 16, 24),
    kernels=(3, 5),
    downsamples=("stride", "max"),
    residuals=(False, True),
    weight_bits=(4, 8),
    activation_bits=(8,),
)
IMAGES = 4_000
VALIDATION_IMAGES = 2_000
EPOCHS = 2
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))
LEAST_ACCURACY = 10.0
PATIENCE = 4
"""So many times the networks are tried at the most, where designs do not fit."""
OPTIONS: dict[str, dict[str, Value]] = {
    "bayes": {"start": 8},
    "evolution": {"population": 10, "sample": 5},
}
"""Small, as the budget is: by default the first 24 or 30 points are drawn at random."""

Accuracy = Callable[[Point], float]
"""Gives the accuracy [%] of a network."""


@dataclass(frozen=True)
class Task:
    """One board, and every network's best design that was found for it so far."""

    family: Family
    target: Target
    accuracy: Accuracy
    genes: Ranks
    known: dict[str, Outcome] = field(default_factory=dict)

    def nested(self, point: Point, _number: int, _seed: int) -> Outcome:
        """Judge a network on its best design."""
        key = self.family.canonical(point)
        if key not in self.known:
            self.known[key] = self.target.judged(self.family.decode(point))
        return self.told(self.known[key], point)

    def flat(self, point: Point, _number: int, _seed: int) -> Outcome:
        """Judge a network on the engines that its genes name."""
        network = self.genes.network(point)
        graph = self.family.decode(network)
        return self.told(self.target.at(self.genes.of(point)).judged(graph), network)

    def told(self, priced: Outcome, network: Point) -> Outcome:
        """Return a price with the accuracy, if the board holds the design."""
        if priced.violations:
            return priced
        return Outcome({**priced.values, "accuracy": self.accuracy(network)})

    def volume(self, trials: Sequence[Trial]) -> float:
        """Return the hypervolume between some trials and the reference."""
        longest = max(priced.values["latency_s"] for priced in self.known.values())
        reference = {"accuracy": LEAST_ACCURACY, "latency_s": 2 * longest}
        limit = [objective.cost(reference) for objective in OBJECTIVES]
        return pareto.hypervolume(pareto.costs(trials, OBJECTIVES), limit)


class SpentError(Exception):
    """All networks that a search may train are trained."""


class Purse:
    """Gives the accuracies of so many different networks."""

    def __init__(self, task: Task, networks: int) -> None:
        self._task = task
        self._networks = networks
        self._paid: set[str] = set()

    def __call__(self, point: Point) -> float:
        """Return an accuracy [%], or raise SpentError."""
        key = self._task.family.canonical(point)
        if key not in self._paid and len(self._paid) == self._networks:
            raise SpentError
        self._paid.add(key)
        return self._task.accuracy(point)


def main(argv: Sequence[str] = ()) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.formulations", description=__doc__)
    parser.add_argument("--task", choices=["cells", "fashion_mnist"], default="cells")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategy", choices=list(contestants()), default="bayes")
    parser.add_argument("--goal", choices=["latency", "interval"], default="latency")
    parser.add_argument("--boards", nargs="+", default=["zcu104", "pynq_z2"])
    asked = parser.parse_args(argv)
    if asked.task == "cells" and not NASBENCH.exists():
        print(f"nested, flat and two-stage search: left out, no {NASBENCH.name}")
        return
    family: Family = CELLS if asked.task == "cells" else SMALL
    accuracy = tabulated() if asked.task == "cells" else trained(FashionMnist().load())
    genes = Ranks(most_layers(family))
    for name in asked.boards:
        board = Board.load(name)
        clock_hz = board.clock_hz(board.typical_clock_mhz, "clock")
        task = Task(family, Target(board, (clock_hz,), asked.goal, ()), accuracy, genes)
        compare(task, asked.networks, asked.seeds, asked.strategy)


def tabulated() -> Accuracy:
    """Return the published accuracies."""
    cells = read_cells()
    return lambda point: cells[CELLS.cell(point).digits][0]


def trained(dataset: Dataset) -> Accuracy:
    """Return accuracies of networks that are trained when they are first asked for."""
    from codesign.accuracy.evaluators.ptq import Ptq

    part = Dataset(
        dataset.name,
        dataset.classes,
        dataset.train.take(np.arange(IMAGES)),
        dataset.validation.take(np.arange(VALIDATION_IMAGES)),
        dataset.test,
    )
    evaluator = Ptq(epochs=EPOCHS, correct_bias=True)
    keep = kept("trained")

    def accuracy(point: Point) -> float:
        key = SMALL.canonical(point)
        what = [key, asdict(evaluator), dataset.name, IMAGES, VALIDATION_IMAGES]

        def measure() -> dict[str, float]:
            answer = evaluator.evaluate(SMALL.decode(point), part, trial_seed(0, key))
            return {"accuracy": 100 * answer.validation_accuracy, "seconds": answer.seconds}

        return float(keep(what, measure)["accuracy"])

    return accuracy


def compare(task: Task, networks: int, seeds: int, strategy: str) -> None:
    """Print what each way of searching finds on a board."""
    space, two_stage = task.family.space(), TwoStage()

    def search(way: str, own: Space, form: Formulation) -> list[list[Trial]]:
        studies = [study(own, form, strategy, seed) for seed in range(seeds)]
        return [spent(task, way, one, networks) for one in studies]

    first_accuracy = search("nested", space, two_stage)
    found = {
        "nested": search("nested", space, Pareto()),
        "flat": search("flat", task.genes.joint(space), Pareto()),
        "two_stage": [list(two_stage.candidates(one, OBJECTIVES)) for one in first_accuracy],
        "two_stage, all": first_accuracy,
    }
    whole = task.volume([trial for runs in found.values() for one in runs for trial in one])
    print(
        f"{task.target.board.name}: {networks} networks, {strategy}, {seeds} seeds; share of the "
        "hypervolume of all fronts together"
    )
    print(
        f"  {'hardware':16}{'median':>9}{'worst':>9}{'front':>7}"
        f"{'networks':>10}{'trials':>8}{'best %':>8}"
    )
    for name, runs in found.items():
        shares = [task.volume(trials) / whole for trials in runs]
        made = first_accuracy if name == "two_stage" else runs
        fronts = [len(pareto.front(trials, OBJECTIVES)) for trials in runs]
        best = [max(trial.values["accuracy"] for trial in trials) for trials in runs]
        spent_on = [len({task.family.canonical(trial.point) for trial in one}) for one in made]
        asked = [max(trial.number for trial in trials) + 1 for trials in made]
        print(
            f"  {name:16}{statistics.median(shares):9.4f}{min(shares):9.4f}"
            f"{statistics.median(fronts):7.0f}{statistics.median(spent_on):10.0f}"
            f"{statistics.median(asked):8.0f}{statistics.median(best):8.2f}",
            flush=True,
        )


def study(space: Space, formulation: Formulation, strategy: str, seed: int) -> Study:
    """Return one search."""
    return Study(
        space=space,
        objectives=OBJECTIVES,
        strategy=contestants()[strategy],
        options=OPTIONS.get(strategy, {}),
        formulation=formulation,
        seed=seed,
        batch=4,
    )


def spent(task: Task, way: str, own: Study, networks: int) -> list[Trial]:
    """Return the trials with an accuracy, until so many different networks have one."""
    paying = replace(task, accuracy=Purse(task, networks))
    seen: list[Progress] = []
    with Store.open(None, own.definition()) as store, suppress(SpentError):
        evaluate = paying.flat if way == "flat" else paying.nested
        own.run(evaluate, Budget(PATIENCE * networks), store, watch=seen.append)
    return [one.trial for one in seen if "accuracy" in one.trial.values]


if __name__ == "__main__":
    main(sys.argv[1:])
