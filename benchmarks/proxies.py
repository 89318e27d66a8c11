"""Zero-cost proxies against their published values: python benchmarks/proxies.py [--cells N].

Builds cells of NAS-Bench-201 by the family, scores them untrained, and compares the order with
the published columns and with the published accuracy on validation images (CIFAR-10, 200 epochs).

Data: `../shared/data/nasbench201/zero_cost_491.csv`, from NASLib (Krishnakumar et al., NeurIPS
2022 datasets and benchmarks, arXiv 2210.03230); without it there is nothing to compare. CIFAR-10
itself is not needed: what looks at images sees Fashion-MNIST in frames of 3 x 32 x 32, or noise.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from codesign import load
from codesign.accuracy.dataset import Labelled
from codesign.accuracy.datasets.fashion_mnist import FashionMnist
from codesign.accuracy.framing import framed
from codesign.accuracy.proxies.synflow import Synflow
from codesign.accuracy.proxy import Proxy
from codesign.errors import InputError
from codesign.network.cell import Cell
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.graph import Graph
from codesign.network.tensor import Tensor

PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "zero_cost_491.csv"
COLUMNS = {"synflow": "synflow", "jacob_cov": "jacov", "snip": "snip", "grad_norm": "grad_norm"}
DATASET = "cifar10"
SHAPE = (3, 32, 32)
CELLS = 50
IMAGES = 16
BAR = 0.95
Row = dict[str, str]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=CELLS)
    parser.add_argument("--images", type=int, default=IMAGES)
    arguments = parser.parse_args()
    if not PUBLISHED.exists():
        print(f"left out: no {PUBLISHED.name}")
        return
    rows = published(arguments.cells)
    images, seen = batch(arguments.images)
    print(f"{len(rows)} cells of NAS-Bench-201; proxies with images see {len(images)} of {seen}")
    print("proxy      rank correlation with: published column   accuracy   CPU s per network")
    for name in load.names("accuracy.proxies"):
        cls = load.member("accuracy.proxies", Proxy, name)
        proxy = cls() if cls is Synflow else load.build(cls, {"images": len(images)}, name)
        scores, seconds = scored(rows, lambda graph, p=proxy: p.score(graph, images, 0))  # type: ignore[misc]
        column = rank(scores, rows, COLUMNS[name]) if name in COLUMNS else None
        shown = "      -" if column is None else f"{column:7.4f}"
        accuracy = rank(scores, rows, "val_accuracy")
        print(f"{name:10} {shown:>45} {accuracy:10.4f} {seconds:19.2f}", flush=True)


def synflow_rank(cells: int = CELLS) -> float:
    """Return the rank correlation of synflow with the published column."""
    rows = published(cells)
    blank = Labelled(np.zeros((1, *SHAPE), np.float32), np.zeros(1, np.int64))
    scores, _ = scored(rows, lambda graph: Synflow().score(graph, blank, 0))
    return rank(scores, rows, "synflow")


def published(count: int) -> list[Row]:
    """Return `count` of the published cells, spread evenly over the file."""
    with PUBLISHED.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == DATASET]
    places = np.linspace(0, len(rows) - 1, min(count, len(rows))).round().astype(int)
    return [rows[place] for place in places]


def scored(rows: list[Row], score: Callable[[Graph], float]) -> tuple[list[float], float]:
    """Return the score of each cell's network, and the median CPU time of one [s]."""
    family = Nasbench201(Tensor(SHAPE, 8, signed=False), 10)
    found, seconds = [], []
    for row in rows:
        graph = family.decode(family.point(Cell.parse(row["ops"])))
        began = time.process_time()
        found.append(score(graph))
        seconds.append(time.process_time() - began)
    return found, statistics.median(seconds)


def rank(scores: list[float], rows: list[Row], column: str) -> float:
    """Return Spearman's rank correlation with a column."""
    return float(spearmanr(scores, [float(row[column]) for row in rows]).statistic)


def batch(count: int) -> tuple[Labelled, str]:
    """Return images with labels, and what they are."""
    try:
        own = FashionMnist().load().train
    except InputError:
        random = np.random.default_rng(0)
        noise = random.random((count, *SHAPE)).astype(np.float32)
        return Labelled(noise, random.integers(10, size=count)), "noise"
    return Labelled(framed(own.images[:count], SHAPE), own.labels[:count]), "Fashion-MNIST"


if __name__ == "__main__":
    main()
