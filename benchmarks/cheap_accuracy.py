"""What savings are worth: python benchmarks/cheap_accuracy.py [--trials N] [--seeds N].

Searches networks for the digits and the zcu104, accuracy against latency, first with every
training in full, then with savings, the front in full at the end, and ever more trials until the
hypervolume is that of the full search. Counted are epochs: how often the training images were seen,
in real numbers or through the integers, in the search and at its end. Accuracies are those of the
integer reference on validation images. Networks that are asked for twice cost nothing in any of
the searches, so that part is no gain here.
"""

from __future__ import annotations

import argparse
import os
import statistics
from dataclasses import dataclass

from codesign.flow.prepare import Prepared, prepare
from codesign.flow.settings import load_settings
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.study import Budget
from codesign.search.workers import workers

TASK = ("search.objectives=[max accuracy, min latency_s]",)
STOPPING = ("training.patience=1", "training.gain=0.05", "training.finish=true")
PREDICTING = ("training.predictor=forest", "training.learn_after=10")
SAVINGS = {
    "early stopping": STOPPING,
    "and predictor": (*STOPPING, *PREDICTING),
    "and halving": (*STOPPING, *PREDICTING, "training.fidelity=halving"),
    "and synflow": (
        *STOPPING,
        *PREDICTING,
        "training.fidelity=halving",
        "training.proxy=synflow",
    ),
}
REFERENCE = {"accuracy": 0.8, "latency_s": 2e-5}
MORE = (1, 1.5, 2, 3, 4)
"""Times the trials of the full search that another one may take to reach its hypervolume."""
BAR = 5.0


@dataclass(frozen=True)
class Found:
    """What one search spent, and what it ended with."""

    trials: int
    trained: int
    finished: int
    epochs: float
    volume: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strategy", default="evolution")
    parser.add_argument("--only", choices=SAVINGS, action="append")
    arguments = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    print(
        "seed  search            trials  trained  in full  epochs  hypervolume  times fewer epochs"
    )
    for seed in range(arguments.seeds):
        full = search(seed, arguments.trials, arguments.strategy)
        print(row(seed, "in full", full, full), flush=True)
        for name in arguments.only or SAVINGS:
            for more in MORE:
                trials = round(more * arguments.trials)
                found = search(seed, trials, arguments.strategy, SAVINGS[name])
                print(row(seed, name, found, full), flush=True)
                if found.volume >= full.volume:
                    break
            ratio = full.epochs / found.epochs if found.volume >= full.volume else 0.0
            ratios.setdefault(name, []).append(ratio)
    for name, own in ratios.items():
        print(f"{name:16} median {statistics.median(own):.1f} (bar {BAR:g}), least {min(own):.1f}")


def search(seed: int, trials: int, strategy: str, savings: tuple[str, ...] = ()) -> Found:
    """Search, and count what that takes."""
    asked = (*TASK, *savings, f"search.strategy={strategy}", f"seed={seed}")
    ready = prepare(load_settings("quickstart", (*asked, f"search.trials={trials}")))
    if not isinstance(ready, Prepared):
        raise TypeError("the flow is for one board")
    training, study = ready.settings.options["training"], ready.study
    full = training["epochs"] + training["fine_tune_epochs"]
    with (
        Store.open(None, study.definition()) as store,
        workers(ready.judge, os.cpu_count() or 1) as pool,
    ):
        final = study.run(ready.judge, Budget(trials), store, pool=pool).trials
        trained = [trial for trial in store.trials() if "accuracy" in trial.values]
        finished = list(store.finished().values())
    return Found(
        trials=len(final),
        trained=len(trained),
        finished=len(finished),
        epochs=sum(trial.values.get("epochs", full) for trial in [*trained, *finished]),
        volume=pareto.hypervolume(
            pareto.costs(pareto.front(final, study.objectives), study.objectives),
            [objective.cost(REFERENCE) for objective in study.objectives],
        ),
    )


def row(seed: int, name: str, found: Found, full: Found) -> str:
    """Return a line of the table; hypervolume and epochs beside those of the full search."""
    volume, fewer = found.volume / full.volume, full.epochs / found.epochs
    return (
        f"{seed:4}  {name:16}  {found.trials:6}  {found.trained:7}  {found.finished:7}  "
        f"{found.epochs:6.0f}  {volume:11.4f}  {fewer:18.1f}"
    )


if __name__ == "__main__":
    main()
