"""The form of an evaluator: from a graph to the integers that compute it, and their accuracy.

Members live in `codesign.accuracy.evaluators`, one file each: frozen dataclasses of options.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.economy import Economy
from codesign.errors import InputError
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A graph with its learned numbers, and what they are worth.

    `floats` are the real weights before quantisation, which can `start` a graph of the same
    shapes but other widths.
    """

    network: Network
    floats: FloatNetwork
    validation_accuracy: float
    """Share of validation images that the integer reference classifies rightly."""
    seconds: float
    epochs: int = 0
    """How often every training image was seen."""


@dataclass(frozen=True)
class Evaluator(ABC):
    """Judges one graph on one data set."""

    @abstractmethod
    def evaluate(
        self, graph: Graph, dataset: Dataset, seed: int, start: FloatNetwork | None = None
    ) -> Trained:
        """Train and quantise a graph.

        The answer depends on the arguments and options alone, to the bit.

        Args:
            graph: what to train; its input has the data set's shape, its output the classes.
            dataset: training images to learn from, validation images to judge by.
            seed: of initial weights, order and augmentation.
            start: weights to start from instead of random ones, of the graph's shapes.

        Raises:
            InputError: graph and data set, or graph and start, do not belong together.
        """

    def begin(
        self,
        family: Family,
        dataset: Dataset,
        seed: int,
        folder: Path,
        say: Callable[[str], None],
    ) -> Evaluator:
        """Do once, before a search, what all its evaluations share; return what judges them.

        Most members share nothing. Called again with the same folder, it takes what is there.

        Args:
            family: what the search chooses from.
            dataset: that of every evaluation.
            seed: of everything random.
            folder: where to keep what is shared.
            say: takes a line for the user when something long begins.
        """
        return self

    def full_epochs(self) -> int:
        """Return the epochs in real numbers of a training that nothing ends early; 0: not told."""
        return 0

    def economise(
        self,
        graph: Graph,
        dataset: Dataset,
        seed: int,
        economy: Economy,
        start: FloatNetwork | None = None,
    ) -> Trained:
        """Evaluate more cheaply. A member that cannot does so in full."""
        return self.evaluate(graph, dataset, seed, start)


def check_task(graph: Graph, dataset: Dataset, start: FloatNetwork | None) -> None:
    """Refuse a graph that does not fit the data, or weights that do not fit the graph.

    Raises:
        InputError: names both shapes.
    """
    if graph.input.shape != dataset.shape:
        shapes = f"reads {graph.input.shape}, images of {dataset.name} are {dataset.shape}"
        raise InputError(graph.name, shapes)
    if graph.output.elements != dataset.classes:
        counts = f"scores {graph.output.elements} classes, {dataset.name} has {dataset.classes}"
        raise InputError(graph.name, counts)
    for node in graph:
        if start is None or not node.op.has_bias:
            continue
        own = start.parameters.get(node.name)
        found = None if own is None else own.weights.shape
        if found != node.op.weight_shape:
            problem = f"starts from weights {found}, its shape is {node.op.weight_shape}"
            raise InputError(f"{graph.name}: {node.name}", problem)


def check_options(member: object, least: Mapping[str, float]) -> None:
    """Refuse a member with an option below its least value.

    Raises:
        ValueError: names the option.
    """
    for option, limit in least.items():
        value = getattr(member, option)
        if value < limit:
            raise ValueError(f"{option} is at least {limit:g}, got {value}")


def calibration_images(split: Split, count: int) -> NDArray[np.float32]:
    """Return at most `count` images, spread evenly over the split."""
    return split.images[:: max(1, len(split) // count)][:count]


def accuracy(network: Network, split: Split) -> float:
    """Return the share of images whose class the integer reference predicts."""
    return float((network.predict(split.images) == split.labels).mean())
