"""What evaluators that train with torch have in common: learn in real numbers, then quantise."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch

from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.economy import Economy
from codesign.accuracy.evaluator import Evaluator, Trained, accuracy, check_options, check_task
from codesign.accuracy.torch_training import Recipe, learn_economically, learn_floats, threads
from codesign.network.calibration import calibration
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.network.scales import Kind, Method


@dataclass(frozen=True)
class TorchEvaluator(Evaluator):
    """Trains with batch normalisation, fuses it, and quantises as its members say.

    Weights to start from replace the training.
    """

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 0.02
    shift: int = 0
    """Training images move by up to so many pixels at random."""
    flip: bool = False
    """Whether half of the training images, at random, are mirrored left to right."""
    scales: Kind = "power_of_two"
    calibration: str = "mse"
    """What chooses activations' scales: a member of `codesign.network.calibrations`."""
    calibration_images: int = 256
    """Training images that they are chosen on."""
    per_channel: bool = True
    """Whether output channels have weight scales of their own, where scales are multipliers."""
    equalise: bool = False
    """Whether channels are balanced between layers before scales are chosen."""
    threads: int = 1

    least: ClassVar[Mapping[str, float]] = {
        "epochs": 1,
        "batch": 1,
        "learning_rate": 1e-6,
        "shift": 0,
        "calibration_images": 1,
        "threads": 1,
    }
    """The least value of each option that is a number."""

    def __post_init__(self) -> None:
        check_options(self, self.least)
        calibration(self.calibration)

    @abstractmethod
    def quantized(self, floats: FloatNetwork, split: Split, generator: torch.Generator) -> Network:
        """Return the integers of a trained network.

        Args:
            floats: the real weights.
            split: training images, to calibrate with or to learn from.
            generator: where every random number comes from.
        """

    def tuning_epochs(self) -> int:
        """Return how often `quantized` sees every training image."""
        return 0

    def tuned_for(self, share: float) -> Self:
        """Return this evaluator with its fine-tuning shortened to a share, rounded up."""
        return self

    def evaluate(
        self, graph: Graph, dataset: Dataset, seed: int, start: FloatNetwork | None = None
    ) -> Trained:
        """Train and quantise a graph."""
        return self.economise(graph, dataset, seed, Economy(), start)

    def full_epochs(self) -> int:
        """Return the epochs in real numbers."""
        return self.epochs

    def economise(
        self,
        graph: Graph,
        dataset: Dataset,
        seed: int,
        economy: Economy,
        start: FloatNetwork | None = None,
    ) -> Trained:
        """Train and quantise a graph; what ends early is fine-tuned for as small a share."""
        check_task(graph, dataset, start)
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        recipe = self.recipe(self.epochs, self.learning_rate)
        with threads(self.threads):
            if start is None:
                floats, epochs = learn_economically(graph, dataset, recipe, generator, economy)
            else:
                floats, epochs = learn_floats(graph, dataset.train, recipe, generator, start), 0
            short = self.tuned_for(epochs / self.epochs) if epochs else self
            network = short.quantized(floats, dataset.train, generator)
        share = accuracy(network, dataset.validation)
        seconds = time.perf_counter() - began
        return Trained(network, floats, share, seconds, epochs + short.tuning_epochs())

    def method(self) -> Method:
        """Return how scales are chosen, by the options."""
        return Method(calibration(self.calibration), self.per_channel, self.equalise)

    def recipe(self, epochs: int, learning_rate: float) -> Recipe:
        """Return how to learn for some epochs, by the options."""
        return Recipe(epochs, self.batch, learning_rate, self.shift, self.flip)
