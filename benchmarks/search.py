"""How fast each strategy asks and is told, and how much of a known front it finds.

    python benchmarks/search.py

The known front is that of NAS-Bench-201 (CIFAR-10 test accuracy [%] x FPGA latency [ms] of
15,625 cells); it is left out where `../shared/data/nasbench201/core.csv` is missing.
"""

from __future__ import annotations

import csv
import statistics
import time
from pathlib import Path

from codesign import load
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Progress, Study
from codesign.search.trial import Objective, Outcome
from codesign.space import Choice, Point, Space

NASBENCH = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"
BUDGETS = (50, 200, 500, 1000)  # distinct evaluations
SEEDS = range(5)
WIDE = Space(tuple(Choice(f"x{i}", tuple(range(8))) for i in range(30)))
CELLS = Space(tuple(Choice(f"edge{i}", tuple(range(5))) for i in range(6)))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_ms", maximize=False))
REFERENCE = {"accuracy": 10.0, "latency_ms": 8.67856}


def main() -> None:
    """Print the tables."""
    names = [name for name in load.names("search.strategies") if name != "exhaustive"]
    members = {name: load.member("search.strategies", Strategy, name) for name in names}
    print("trials/s of ask and tell, 30 choices of 8 values, 1000 trials, CPU time")
    for name, strategy in members.items():
        print(f"  {name:10}{rate(strategy):10,.0f}")
    if not NASBENCH.exists():
        print(f"\nhypervolume: left out, no {NASBENCH.name}")
        return
    cells = read_cells()
    limit = [objective.cost(REFERENCE) for objective in OBJECTIVES]
    whole = pareto.hypervolume([[-accuracy, ms] for accuracy, ms in cells.values()], limit)
    print(
        f"\nshare of the hypervolume of NAS-Bench-201 x FPGA, median (worst) of {len(SEEDS)} seeds"
    )
    print(f"  {'evaluations':14}" + "".join(f"{budget:>18}" for budget in BUDGETS))
    for name, strategy in members.items():
        runs = [[volume / whole for volume in volumes(strategy, cells, seed)] for seed in SEEDS]
        columns = [f"{statistics.median(c):.4f} ({min(c):.4f})" for c in zip(*runs, strict=True)]
        print(f"  {name:14}" + "".join(f"{column:>18}" for column in columns))


def rate(strategy: type[Strategy]) -> float:
    """Return trials per second of CPU time, without any store or evaluation worth the name."""
    study = Study(space=WIDE, objectives=OBJECTIVES, strategy=strategy)

    def evaluate(point: Point, _number: int, _seed: int) -> Outcome:
        values = [int(value) for value in point.values()]
        return Outcome({"accuracy": sum(values), "latency_ms": sum(v * v for v in values)})

    with Store.open(None, study.definition()) as store:
        start = time.process_time()
        study.run(evaluate, Budget(1000), store)
    return 1000 / (time.process_time() - start)


def volumes(
    strategy: type[Strategy], cells: dict[str, tuple[float, float]], seed: int
) -> list[float]:
    """Return the hypervolume that one search has found after each of `BUDGETS`."""
    study = Study(space=CELLS, objectives=OBJECTIVES, strategy=strategy, seed=seed)
    seen: list[Progress] = []

    def evaluate(point: Point, _number: int, _seed: int) -> Outcome:
        accuracy, latency_ms = cells["".join(str(digit) for digit in point.values())]
        return Outcome({"accuracy": accuracy, "latency_ms": latency_ms})

    with Store.open(None, study.definition()) as store:
        study.run(evaluate, Budget(max(BUDGETS)), store, watch=seen.append)
    return [seen[budget - 1].hypervolume(REFERENCE) for budget in BUDGETS]


def read_cells() -> dict[str, tuple[float, float]]:
    """Return accuracy [%] and latency [ms] of each cell."""
    with NASBENCH.open(newline="") as file:
        return {
            row["ops"]: (float(row["cifar10_test_ep200"]), float(row["fpga_ms"]))
            for row in csv.DictReader(file)
        }


if __name__ == "__main__":
    main()
