"""How much of a known front each strategy finds, and what a trial costs it.

    python -m benchmarks.search [--seeds 20] [--first 0] [--strategies bayes nsga2 ...]

The known front is that of NAS-Bench-201 (CIFAR-10 test accuracy [%] x FPGA latency [ms] of 15,625
cells, of which 13 pairs are on the front); it is left out where
`../shared/data/nasbench201/core.csv` is missing. Every point counts as an evaluation, also a cell
that computes the same as another. Defaults of strategies were chosen on seeds from 100 on.

Finished searches are kept in `runs/benchmark_search.jsonl`, so that what is interrupted goes on;
a search is made again when its strategy's code has changed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.kept import kept, sources
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
BUDGETS = (200, 500, 1000)
BARS = (0.998, 0.9993, 0.9997)
"""Mean shares that the best strategy has to reach."""
BAR_POINTS = 10
"""Points of the front that it has to find, in the mean."""
BEATEN_AT = 500
SEEDS = 20
WIDE = Space(tuple(Choice(f"x{i}", tuple(range(8))) for i in range(30)))
CELLS = Space(tuple(Choice(f"edge{i}", tuple(range(5))) for i in range(6)))
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency", maximize=False))
REFERENCE = {"accuracy": 10.0, "latency": 8.67856}


@dataclass(frozen=True, slots=True)
class Found:
    """What one search found after each of `BUDGETS`."""

    shares: tuple[float, ...]  # of the hypervolume of all points
    points: tuple[int, ...]  # of the true front, those that differ in their values
    seconds: float  # CPU time of the whole search


@dataclass(frozen=True, slots=True)
class Known:
    """A task with its whole answer."""

    task: Tabular
    reference: Mapping[str, float]
    volume: float
    front: frozenset[tuple[float, ...]]

    @classmethod
    def of(cls, task: Tabular, reference: Mapping[str, float]) -> Known:
        """Look every point up."""
        points = [task(CELLS.at(number), 0, 0).values for number in range(CELLS.size)]
        costs = [[objective.cost(values) for objective in OBJECTIVES] for values in points]
        limit = [objective.cost(reference) for objective in OBJECTIVES]
        kept = pareto.nondominated(costs)
        front = frozenset(tuple(cost) for cost, keep in zip(costs, kept, strict=True) if keep)
        return cls(task, reference, pareto.hypervolume(costs, limit), front)

    def search(self, strategy: type[Strategy], seed: int) -> Found:
        """Return what one search finds."""
        study = Study(space=CELLS, objectives=OBJECTIVES, strategy=strategy, seed=seed)
        seen: list[Progress] = []
        start = time.process_time()
        with Store.open(None, study.definition()) as store:
            study.run(self.task, Budget(max(BUDGETS)), store, watch=seen.append)
        seconds = time.process_time() - start
        after = [seen[budget - 1] for budget in BUDGETS]
        shares = tuple(one.hypervolume(self.reference) / self.volume for one in after)
        return Found(shares, tuple(self.found(one) for one in after), seconds)

    def found(self, progress: Progress) -> int:
        """Return how many points of the true front a search has found."""
        own = {tuple(row) for row in pareto.costs(progress.front, OBJECTIVES).tolist()}
        return len(own & self.front)


def main(argv: Sequence[str] = ()) -> bool:
    """Print the tables, and return whether the best strategy reaches the bars."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--strategies", nargs="+", default=list(contestants()))
    asked = parser.parse_args(argv)
    print("trials/s of ask and tell, 30 choices of 8 values, 300 trials, CPU time")
    chosen = {name: contestants()[name] for name in asked.strategies}
    for name, strategy in chosen.items():
        print(f"  {name:12}{rate(strategy):10,.0f}", flush=True)
    if not NASBENCH.exists():
        print(f"\nhypervolume: left out, no {NASBENCH.name}")
        return True
    print("\nNAS-Bench-201 x FPGA: share of the true hypervolume, and points of the front")
    cells = published()
    known = Known.of(tabular(cells, (cells, "fpga_ms")), REFERENCE)
    return table(known, chosen, range(asked.first, asked.first + asked.seeds))


def table(known: Known, strategies: Mapping[str, type[Strategy]], seeds: range) -> bool:
    """Print what every strategy finds; return whether one reaches every bar."""
    print(f"  mean of seeds {seeds.start} .. {seeds.stop - 1} (in brackets the worst)")
    columns = "".join(f"{f'after {budget}':>18}" for budget in BUDGETS)
    print(f"  {'strategy':12}{columns}{'points':>8}{'CPU s':>8}  against random")
    runs = {}
    for name in sorted(strategies, key=lambda name: name != "random"):
        runs[name] = [searched(known, strategies[name], seed) for seed in seeds]
        standing = compared(runs[name], runs.get("random"))
        print(f"  {name:12}{described(runs[name])}  {standing}", flush=True)
    best = max(runs, key=lambda name: statistics.mean(found.shares[-1] for found in runs[name]))
    means = [statistics.mean(column) for column in zip(*shares(runs[best]), strict=True)]
    points = statistics.mean(found.points[-1] for found in runs[best])
    met = points >= BAR_POINTS and all(m >= bar for m, bar in zip(means, BARS, strict=True))
    bars = " / ".join(f"{bar:g}" for bar in BARS)
    print(f"  bars for the best, {best}: {bars}, {BAR_POINTS} of {len(known.front)} points", end="")
    print(f" after {BUDGETS[-1]}: {'met' if met else 'MISSED'}", flush=True)
    return met


def searched(known: Known, strategy: type[Strategy], seed: int) -> Found:
    """Return what a search finds, from the file of finished ones if it is there."""
    told = [sources(strategy), strategy.name(), dict(strategy.defaults), seed, known.volume]
    row = kept("search")(told, lambda: asdict(known.search(strategy, seed)))
    return Found(tuple(row["shares"]), tuple(row["points"]), row["seconds"])


def described(runs: Sequence[Found]) -> str:
    """Return the columns of one strategy."""
    cells = [
        f"{statistics.mean(column):.5f} ({min(column):.4f})"
        for column in zip(*shares(runs), strict=True)
    ]
    points = statistics.mean(found.points[-1] for found in runs)
    seconds = statistics.mean(found.seconds for found in runs)
    return "".join(f"{cell:>18}" for cell in cells) + f"{points:8.1f}{seconds:8.1f}"


def compared(runs: Sequence[Found], chance: Sequence[Found] | None) -> str:
    """Say how a strategy stands beside random search, at `BEATEN_AT` evaluations."""
    if chance is None or runs is chance:
        return ""
    place = BUDGETS.index(BEATEN_AT)
    own, other = ([found.shares[place] for found in some] for some in (runs, chance))
    wins = sum(a > b for a, b in zip(own, other, strict=True))
    verdict = "better" if statistics.mean(own) > statistics.mean(other) else "NOT better"
    return f"{verdict} at {BEATEN_AT}, in {wins} of {len(own)} seeds"


def shares(runs: Sequence[Found]) -> list[tuple[float, ...]]:
    """Return the shares of the hypervolume, a row a search."""
    return [found.shares for found in runs]


def compare(task: Tabular, reference: Mapping[str, float], seeds: range = range(5)) -> None:
    """Print how much of the true front of another task every strategy finds."""
    table(Known.of(task, reference), contestants(), seeds)


def contestants() -> dict[str, type[Strategy]]:
    """Return the strategies by name, but for those that try everything, or learn from images."""
    left_out = ("differentiable", "exhaustive")
    names = [name for name in load.names("search.strategies") if name not in left_out]
    return {name: load.member("search.strategies", Strategy, name) for name in names}


def rate(strategy: type[Strategy]) -> float:
    """Return trials per second of CPU time, without any store or evaluation worth the name."""
    study = Study(space=WIDE, objectives=OBJECTIVES, strategy=strategy)

    def evaluate(point: Point, _number: int, _seed: int) -> Outcome:
        values = [int(value) for value in point.values()]
        return Outcome({"accuracy": sum(values), "latency": sum(v * v for v in values)})

    with Store.open(None, study.definition()) as store:
        start = time.process_time()
        study.run(evaluate, Budget(300), store)
    return 300 / (time.process_time() - start)


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
    main(sys.argv[1:])
