"""What savings are worth: python benchmarks/cheap_accuracy.py [--trials N] [--seeds N].

Searches networks for the digits and the zcu104, accuracy against latency, first with every
training in full, then with savings, until the same hypervolume is reached. Counted are epochs:
how often the training images were seen, in real numbers or through the integers. Accuracies are
those of the integer reference on validation images. Networks that are asked for twice cost
nothing in any of the searches, so that part is no gain here.
"""

from __future__ import annotations

import argparse
import os
import statistics
from contextlib import suppress
from dataclasses import dataclass, field

from codesign.flow.prepare import Prepared, prepare
from codesign.flow.settings import load_settings
from codesign.search.store import Store
from codesign.search.study import Budget, Progress
from codesign.search.workers import workers

TASK = ("search.objectives=[max accuracy, min latency_s]", "search.strategy=evolution")
STOPPING = ("training.patience=1", "training.gain=0.01")
PREDICTING = ("training.predictor=forest", "training.learn_after=10")
SAVINGS = {
    "early stopping": STOPPING,
    "and predictor": (*STOPPING, *PREDICTING),
    "and halving": (*STOPPING, *PREDICTING, "training.fidelity=halving"),
    "and parents": (
        *STOPPING,
        *PREDICTING,
        "training.fidelity=halving",
        "training.inherit=true",
    ),
    "and synflow": (
        *STOPPING,
        *PREDICTING,
        "training.fidelity=halving",
        "training.inherit=true",
        "training.proxy=synflow",
    ),
}
REFERENCE = {"accuracy": 0.8, "latency_s": 2e-5}
PATIENCE = 4
"""Times the trials of the full search that another one may take to reach its hypervolume."""
BAR = 5.0


class ReachedError(Exception):
    """The hypervolume that was asked for is there."""


@dataclass
class Trace:
    """Follows a search, and ends it at a hypervolume."""

    full_epochs: int
    goal: float = float("inf")
    epochs: float = 0.0
    trained: int = 0
    trials: int = 0
    volumes: list[float] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        """Take the next trial."""
        values = progress.trial.values
        self.trials += 1
        if "accuracy" in values:
            self.trained += 1
            self.epochs += values.get("epochs", self.full_epochs)
        self.volumes.append(progress.hypervolume(REFERENCE))
        if self.volumes[-1] >= self.goal:
            raise ReachedError


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", choices=SAVINGS, action="append")
    arguments = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    print("seed  search          trials  trained  epochs  hypervolume   epochs, full / these")
    for seed in range(arguments.seeds):
        full = search(seed, arguments.trials)
        print(row(seed, "in full", full, full.volumes[-1]), flush=True)
        for name in arguments.only or SAVINGS:
            goal = full.volumes[-1]
            found = search(seed, PATIENCE * arguments.trials, SAVINGS[name], goal)
            ratio = full.epochs / found.epochs if found.volumes[-1] >= goal else 0.0
            ratios.setdefault(name, []).append(ratio)
            print(f"{row(seed, name, found, goal)}  {ratio:7.1f}", flush=True)
    for name, own in ratios.items():
        print(f"{name:16} median {statistics.median(own):.1f} (bar {BAR:g}), least {min(own):.1f}")


def search(
    seed: int, trials: int, savings: tuple[str, ...] = (), goal: float = float("inf")
) -> Trace:
    """Return the trace of one search, which ends at the goal or when the trials are spent."""
    asked = (*TASK, *savings, f"seed={seed}", f"search.trials={trials}")
    ready = prepare(load_settings("quickstart", asked))
    if not isinstance(ready, Prepared):
        raise TypeError("the flow is for one board")
    training = ready.settings.options["training"]
    trace = Trace(training["epochs"] + training["fine_tune_epochs"], goal)
    count = os.cpu_count() or 1
    with (
        Store.open(None, ready.study.definition()) as store,
        workers(ready.judge, count) as pool,
        suppress(ReachedError),
    ):
        ready.study.run(ready.judge, Budget(trials), store, trace, pool)
    return trace


def row(seed: int, name: str, trace: Trace, goal: float) -> str:
    """Return a line of the table; the hypervolume as a share of the full search's."""
    share = trace.volumes[-1] / goal
    return (
        f"{seed:4}  {name:14}  {trace.trials:6}  {trace.trained:7}  {trace.epochs:6.0f}  "
        f"{share:11.4f}"
    )


if __name__ == "__main__":
    main()
