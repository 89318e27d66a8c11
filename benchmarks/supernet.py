"""One supernet for many networks, boards and budgets: python -m benchmarks.supernet [--epochs N].

Fashion-MNIST, every 2 x 2 pixels averaged, some of its training images. First a supernet is trained
on a family of small networks. Then random networks of it are judged twice: by the weights that they
inherit, and after a training alone. Both accuracies are those of the integer reference. At last
one network for each board and budget is chosen by inherited accuracies alone; nothing is trained.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.datasets.fashion_mnist import FashionMnist
from codesign.accuracy.evaluators.supernet import FILE
from codesign.candidate import Judge, unpack
from codesign.cost.estimate import estimate
from codesign.flow.folder import RunFolder
from codesign.flow.prepare import Several, prepare
from codesign.flow.run import choose, search
from codesign.flow.settings import load_settings
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.search.store import Store
from codesign.search.trial import Constraint, violations

BAR = 0.8
BOARDS = ("zcu104", "pynq_z2", "kv260")
BUDGETS = (
    ("lut<=10000", "fps>=50000"),
    ("lut<=10000", "fps>=200000"),
    ("lut<=16000", "fps>=400000"),
)
FAMILY = (
    "network.layers=[1, 2, 3]",
    "network.widths=[4, 8, 16, 32]",
    "network.kernels=[1, 3]",
    "network.downsamples=[max]",
    "network.residuals=[false]",
    "network.weight_bits=[8]",
    "network.activation_bits=[8]",
    "network.heads=[average]",
)
ALONE_LEARNING_RATE = 0.02


@dataclass(frozen=True, slots=True)
class Judged:
    """One network: what it inherits, and what it learns alone."""

    parameters: int
    inherited: float
    alone: float


@dataclass(frozen=True, slots=True)
class Served:
    """The network that a board gets within a budget."""

    board: str
    budget: tuple[Constraint, ...]
    trial: int
    accuracy: float
    values: Mapping[str, float]
    """Of its best design, priced anew."""

    @property
    def kept(self) -> bool:
        """Whether the budget is."""
        return not violations(self.values, self.budget)


def options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.supernet", description=__doc__)
    parser.add_argument("--images", type=int, default=6000, help="training images")
    parser.add_argument("--judges", type=int, default=2000, help="validation images")
    parser.add_argument("--epochs", type=int, default=60, help="of the supernet")
    parser.add_argument("--paths", type=int, default=2, help="networks of a step")
    parser.add_argument("--alone", type=int, default=6, help="epochs of a network alone")
    parser.add_argument("--networks", type=int, default=30, help="judged twice")
    parser.add_argument("--trials", type=int, default=12, help="networks for a budget")
    return parser.parse_args()


def halved(split: Split, count: int) -> Split:
    """Return the first images, every 2 x 2 pixels averaged."""
    images = split.images[:count]
    rows, columns = images.shape[2] // 2, images.shape[3] // 2
    pixels = images.reshape(len(images), 1, rows, 2, columns, 2).mean((3, 5))
    return Split(pixels.astype(np.float32), split.labels[:count])


def write_data(path: Path, images: int, judges: int) -> None:
    """Write the reduced task as a file that flows read."""
    whole: Dataset = FashionMnist().load()
    arrays = {}
    splits = {"train": (whole.train, images), "val": (whole.validation, judges)}
    for name, (split, count) in {**splits, "test": (whole.test, judges)}.items():
        small = halved(split, count)
        arrays |= {f"x_{name}": small.images, f"y_{name}": small.labels}
    np.savez(path, **arrays)  # type: ignore[arg-type]


def flow(folder: Path, *changes: str) -> list[str]:
    """Return the changes of the default flow that every part has in common."""
    data = ("dataset=npz", f"dataset.path={folder / 'data.npz'}")
    return [*data, "training=supernet", "training.batch=128", "search=random", *FAMILY, *changes]


def compared(folder: Path, asked: argparse.Namespace) -> list[Judged]:
    """Return random networks, judged twice; the folder then holds the supernet."""
    changes = flow(folder, f"training.epochs={asked.epochs}", f"training.paths={asked.paths}")
    judge = prepare(load_settings("quickstart", changes)).judge
    assert isinstance(judge, Judge)
    family, data = judge.family, judge.dataset
    alone = replace(judge.evaluator, epochs=asked.alone, learning_rate=ALONE_LEARNING_RATE)
    began = time.process_time()
    inheriting = judge.evaluator.begin(family, data, 0, folder, print)
    print(f"trained in {time.process_time() - began:.0f} s of CPU", flush=True)
    print("     parameters  inherited  alone [%]")
    judged = []
    for number, graph in enumerate(drawn(family, asked.networks)):
        inherited = inheriting.evaluate(graph, data, number).validation_accuracy
        own = alone.evaluate(graph, data, number).validation_accuracy
        judged.append(Judged(graph.parameters, inherited, own))
        figures = f"{100 * inherited:11.2f}{100 * own:11.2f}"
        print(f"{number:4}{graph.parameters:11,}{figures}", flush=True)
    return judged


def drawn(family: Family, count: int) -> list[Graph]:
    """Return different random networks; none of them is what steps are drawn by."""
    random, found = np.random.default_rng(2026), {}
    while len(found) < count:
        point = family.space().sample(random)
        found.setdefault(family.canonical(point), family.decode(point))
    return list(found.values())


def served(folder: Path, asked: argparse.Namespace) -> list[Served]:
    """Return what every board gets within every budget; all networks inherit, none is trained."""
    found = []
    for number, budget in enumerate(BUDGETS):
        kept = f"training.supernet={folder / FILE}"
        changes = flow(folder, f"board={','.join(BOARDS)}", *budget, kept)
        changes += [f"search.trials={asked.trials}", "search.workers=1"]
        changes += ["search.objectives=[max accuracy, min latency_s]"]
        several = prepare(load_settings("quickstart", changes))
        assert isinstance(several, Several)
        run = RunFolder.create(folder, "several", f"budget{number}")
        trials = search(several, run, lambda *_: None, print).trials
        wish = several.settings.wish
        with Store.read(run.trials) as store:
            for board, one in several.boards.items():
                views = tuple(several.fleet.view(trial, board, ()) for trial in trials)
                trial = choose(views, one.settings.objectives, wish, board)
                artifact = store.artifact(trial.number)
                assert artifact is not None
                values = estimate(one.target.fit(unpack(artifact).graph).design).values()
                share = trial.values["accuracy"]
                found.append(Served(board, wish, trial.number, share, values))
    return found


def main() -> tuple[float, list[Served]]:
    """Print both tables; return the rank correlation, and what boards get."""
    asked = options()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_data(folder / "data.npz", asked.images, asked.judges)
        judged = compared(folder, asked)
        inherited, alone = ([getattr(own, key) for own in judged] for key in ("inherited", "alone"))
        rank = float(spearmanr(inherited, alone).statistic)
        print(f"Spearman {rank:.3f} of {len(judged)} networks (to reach: {BAR:g})", flush=True)
        found = served(folder, asked)
    print("\nboard     budget                   network  accuracy [%]    LUT        fps")
    for own in found:
        verdict = "" if own.kept else "  VIOLATED"
        budget = " ".join(constraint.text for constraint in own.budget)
        figures = f"{100 * own.accuracy:14.2f}{own.values['lut']:7,.0f}{own.values['fps']:11,.0f}"
        print(f"{own.board:10}{budget:25}{own.trial:7}{figures}{verdict}")
    return rank, found


if __name__ == "__main__":
    rank, found = main()
    sys.exit(0 if rank >= BAR and all(own.kept for own in found) else 1)
