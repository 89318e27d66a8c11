"""Trainings saved by a predictor and by duplicates: python benchmarks/cheap_cells.py [--seeds N].

Searches the cells of NAS-Bench-201, CIFAR-10 test accuracy against FPGA latency, from the published
tables, where an accuracy costs the 200 epochs that it took. In full, every different cell that is
asked for is trained. With savings, cells of one normal form are trained once, and those that the
predictor holds for clearly worse are left out; the search ends at the hypervolume of the full one.
Cells of one normal form are one network: they all get the accuracy of the first of them, as what is
published differs by the chances of training, and the least of their latencies, as others price
operations that do nothing.

Data: `../shared/data/nasbench201/core.csv`; without it there is nothing to search. The tables have
no accuracy of shorter trainings, so `benchmarks/cheap_accuracy.py` measures those.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from codesign import load
from codesign.accuracy.predictor import Predictor
from codesign.accuracy.thrift import Guide, Hint, Thrift
from codesign.network.cell import Cell
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.tensor import Tensor
from codesign.search.store import Store
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Progress, Study
from codesign.search.trial import Objective, Outcome
from codesign.space import Point

TABLE = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"
EPOCHS = 200
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_ms", maximize=False))
REFERENCE = {"accuracy": 0.1, "latency_ms": 8.67856}
STRATEGIES = ("random", "evolution", "nsga2")
TRIALS = 500
MOST = 4 * TRIALS
BATCH = 20
BAR = 5.0


class ReachedError(Exception):
    """The hypervolume that was asked for is there."""


@dataclass(frozen=True)
class Cells:
    """The published accuracy [0..1] and latency [ms] of each cell, by its digits."""

    family: Nasbench201
    table: dict[str, tuple[float, float]]

    def __call__(self, point: Point, number: int, seed: int, hint: Hint | None = None) -> Outcome:
        """Look a cell up, unless the hint speaks against it."""
        accuracy, latency = self.table[self.family.cell(point).digits]
        values = {"latency_ms": latency}
        shortfall = 0.0 if hint is None else hint.shortfall(hint.costs(values))
        if shortfall > 0:
            return Outcome(values, {"predicted accuracy": shortfall})
        return Outcome({**values, "accuracy": accuracy, "epochs": float(EPOCHS)})


@dataclass
class Trace:
    """Follows a search, and ends it at a hypervolume."""

    goal: float = float("inf")
    trials: int = 0
    trained: int = 0
    volume: float = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take the next trial."""
        self.trials += 1
        self.trained += "accuracy" in progress.trial.values
        self.volume = progress.hypervolume(REFERENCE)
        if self.volume >= self.goal:
            raise ReachedError


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--predictor", default="forest")
    arguments = parser.parse_args()
    if not TABLE.exists():
        print(f"left out: no {TABLE.name}")
        return
    family = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10)
    cells = Cells(family, read(family))
    cls = load.member("accuracy.predictors", Predictor, arguments.predictor)
    print(f"epochs until the hypervolume of {TRIALS} full trainings, {arguments.predictor}")
    print("strategy   seed   in full   once each   predictor too   full / these")
    for name in STRATEGIES:
        ratios = [compared(name, seed, cells, cls()) for seed in range(arguments.seeds)]
        least, middle = min(ratios), statistics.median(ratios)
        print(f"{name:9} median {middle:.1f} (bar {BAR:g}), least {least:.1f}", flush=True)


def compared(name: str, seed: int, cells: Cells, predictor: Predictor) -> float:
    """Print the epochs of one search in full and with savings; return their ratio."""
    strategy = load.member("search.strategies", Strategy, name)
    study = Study(
        space=cells.family.space(),
        objectives=OBJECTIVES,
        strategy=strategy,
        seed=seed,
        batch=BATCH,
    )
    full = traced(study, cells, TRIALS)
    once = replace(study, canonical=cells.family.canonical)
    unique = traced(once, cells, MOST, full.volume)
    guide = Guide(Thrift(predictor="given"), study.space, OBJECTIVES, (), seed, EPOCHS, predictor)
    saving = traced(replace(once, guide=guide), cells, MOST, full.volume)
    ratio = full.trained / saving.trained if saving.volume >= full.volume else 0.0
    counts = [trace.trained * EPOCHS for trace in (full, unique, saving)]
    print(f"{name:9} {seed:5} {counts[0]:9,} {counts[1]:11,} {counts[2]:15,} {ratio:14.1f}")
    return ratio


def traced(study: Study, cells: Cells, trials: int, goal: float = float("inf")) -> Trace:
    """Return the trace of one search, which ends at the goal or when the trials are spent."""
    trace = Trace(goal)
    with Store.open(None, study.definition()) as store, suppress(ReachedError):
        study.run(cells, Budget(trials), store, trace)
    return trace


def read(family: Nasbench201) -> dict[str, tuple[float, float]]:
    """Return accuracy [0..1] and latency [ms] of each cell, by its digits."""
    with TABLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    keys = [family.canonical(family.point(Cell.parse(row["ops"]))) for row in rows]
    accuracy: dict[str, float] = {}
    latency: dict[str, float] = {}
    for key, row in zip(keys, rows, strict=True):
        accuracy.setdefault(key, float(row["cifar10_test_ep200"]) / 100)
        latency[key] = min(latency.get(key, float("inf")), float(row["fpga_ms"]))
    cells = zip(rows, keys, strict=True)
    return {row["ops"]: (accuracy[key], latency[key]) for row, key in cells}


if __name__ == "__main__":
    main()
