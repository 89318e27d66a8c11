"""How fast each strategy asks and is told, and how much of a known front it finds.

    python benchmarks/search.py

The known front is that of NAS-Bench-201 (CIFAR-10 test accuracy [%] x FPGA latency [ms] of
15,625 cells); it is left out where `../shared/data/nasbench201/core.csv` is missing.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from codesign import load
from codesign.network.cell import Cell
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.strategy import Strategy
from codesign.search.study import Budget, Progress, Study
from codesign.search.tabular import Tabular
from codesign.search.trial import Objective, Outcome
from codesign.space import Choice, Point, Space
from codesign.table import Table

NASBENCH = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "core.csv"
BUDGETS = (50, 200, 500, 1000)  # distinct evaluations
SEEDS = range(5)
WIDE = Space(tuple(Choice(f"x{i}", tuple(range(8))) for i in range(30)))
CELLS = Space(tuple(Choice(f"edge{i}", tuple(range(5))) for i in range(6)))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency", maximize=False))
REFERENCE = {"accuracy": 10.0, "latency": 8.67856}


def main() -> None:
    """Print the tables."""
    print("trials/s of ask and tell, 30 choices of 8 values, 1000 trials, CPU time")
    for name, strategy in contestants().items():
        print(f"  {name:10}{rate(strategy):10,.0f}")
    if not NASBENCH.exists():
        print(f"\nhypervolume: left out, no {NASBENCH.name}")
        return
    print(
        f"\nshare of the hypervolume of NAS-Bench-201 x FPGA, median (worst) of {len(SEEDS)} seeds"
    )
    cells = published()
    compare(tabular(cells, (cells, "fpga_ms")), REFERENCE)


def compare(task: Tabular, reference: Mapping[str, float]) -> None:
    """Print how much of the true front of a task every strategy finds."""
    limit = [objective.cost(reference) for objective in OBJECTIVES]
    points = [task(CELLS.at(number), 0, 0).values for number in range(CELLS.size)]
    costs = [[objective.cost(values) for objective in OBJECTIVES] for values in points]
    whole = pareto.hypervolume(costs, limit)
    print(f"  {'evaluations':14}" + "".join(f"{budget:>18}" for budget in BUDGETS))
    for name, strategy in contestants().items():
        runs = [
            [volume / whole for volume in volumes(strategy, task, reference, seed)]
            for seed in SEEDS
        ]
        columns = [f"{statistics.median(c):.4f} ({min(c):.4f})" for c in zip(*runs, strict=True)]
        print(f"  {name:14}" + "".join(f"{column:>18}" for column in columns))


def contestants() -> dict[str, type[Strategy]]:
    """Return the strategies by name, but for the one that tries everything."""
    names = [name for name in load.names("search.strategies") if name != "exhaustive"]
    return {name: load.member("search.strategies", Strategy, name) for name in names}


def rate(strategy: type[Strategy]) -> float:
    """Return trials per second of CPU time, without any store or evaluation worth the name."""
    study = Study(space=WIDE, objectives=OBJECTIVES, strategy=strategy)

    def evaluate(point: Point, _number: int, _seed: int) -> Outcome:
        values = [int(value) for value in point.values()]
        return Outcome({"accuracy": sum(values), "latency": sum(v * v for v in values)})

    with Store.open(None, study.definition()) as store:
        start = time.process_time()
        study.run(evaluate, Budget(1000), store)
    return 1000 / (time.process_time() - start)


def volumes(
    strategy: type[Strategy], task: Tabular, reference: Mapping[str, float], seed: int
) -> list[float]:
    """Return the hypervolume that one search has found after each of `BUDGETS`."""
    study = Study(space=CELLS, objectives=OBJECTIVES, strategy=strategy, seed=seed)
    seen: list[Progress] = []
    with Store.open(None, study.definition()) as store:
        study.run(task, Budget(max(BUDGETS)), store, watch=seen.append)
    return [seen[budget - 1].hypervolume(reference) for budget in BUDGETS]


def published() -> Table:
    """Return the published cells, by index and digits."""
    return Table.load(NASBENCH, name="ops", index="arch_index")


def tabular(cells: Table, latency: tuple[Table, str]) -> Tabular:
    """Return the task of published accuracies [%] and any latency by published index."""

    def index(point: Point) -> int:
        return Cell.parse("".join(str(digit) for digit in point.values())).index

    return Tabular(index, {"accuracy": (cells, "cifar10_test_ep200"), "latency": latency})


def read_cells() -> dict[str, tuple[float, float]]:
    """Return accuracy [%] and latency [ms] of each cell."""
    cells = published()
    return {name: (cells[name]["cifar10_test_ep200"], cells[name]["fpga_ms"]) for name in cells}


if __name__ == "__main__":
    main()
