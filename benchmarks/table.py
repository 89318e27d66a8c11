"""How long `codesign table family=nasbench201 board=zcu104` takes: a sample, and all projected.

    python -m benchmarks.table [--networks 100] [--table FOLDER]

CPU seconds of one core for different cells drawn at random, options and all. The first networks
price layers that later ones have, too: the projection takes the mean of the second half. With a
finished table, strategies are compared on it: NAS-Bench-201's accuracies (CIFAR-10 test [%]) x our
modelled latency on the board; left out where `../shared/data/nasbench201/core.csv` is missing.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from pathlib import Path

from benchmarks import search
from codesign.flow.tabulate import Pricer
from codesign.hardware.board import Board
from codesign.network.cell import CELLS, Cell, normal
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.tensor import Tensor
from codesign.table import Table

BAR_S = 20 * 60
CORES = 2
FAMILY = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10)
BOARD = "zcu104"


def main(networks: int = 100, table: Path | None = None) -> float:
    """Print the tables; return the seconds that the whole space would take."""
    different = {normal(Cell.at(index)).text: index for index in range(CELLS)}
    drawn = random.Random(0).sample(sorted(different.values()), networks)  # noqa: S311
    board = Board.load(BOARD)
    pricer = Pricer(FAMILY, board, board.typical_clock_mhz * 1e6)
    seconds, found = [], []
    for number, index in enumerate(drawn):
        start = time.process_time()
        found.append(pricer(FAMILY.point(Cell.at(index)), number, 0))
        seconds.append(time.process_time() - start)
    steady = statistics.mean(seconds[networks // 2 :])
    whole = (sum(seconds) + steady * (len(different) - networks)) / CORES
    print(f"{CELLS} cells are {len(different)} networks; {networks} of them on {BOARD}, CPU s")
    print(f"  mean {statistics.mean(seconds):.3f}, of the second half {steady:.3f}, ", end="")
    print(f"median {statistics.median(seconds):.3f}, most {max(seconds):.2f}")
    print(f"  whole table on {CORES} cores {whole / 60:.1f} min (bar {BAR_S / 60:g})")
    fitting = sum(own.values["fits"] for own in found)
    proven = sum(own.values["gap"] == 0 for own in found)
    gaps = [own.values["resource_gap"] for own in found]
    print(f"  {fitting:.0f} fit; of {proven} the interval is proven to be the shortest; ", end="")
    print(f"resources within {statistics.mean(gaps):.2%} of the least, at most {max(gaps):.2%}")
    if table is not None:
        compare(table)
    return whole


def compare(folder: Path) -> None:
    """Print how much of the true front each strategy finds in a table of ours."""
    if not search.NASBENCH.exists():
        print(f"\nhypervolume: left out, no {search.NASBENCH.name}")
        return
    priced = Table.load(folder)
    latency = "latency_s"
    reference = {"accuracy": 10.0, "latency": 1.01 * max(priced.column(latency).values())}
    print(f"\nshare of the hypervolume of NAS-Bench-201 x modelled latency on {BOARD}")
    search.compare(search.tabular(search.published(), (priced, latency)), reference)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=__doc__)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    main(given.networks, given.table)
