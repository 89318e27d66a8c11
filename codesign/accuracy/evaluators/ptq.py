"""Post-training quantisation: learn in real numbers, then round."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.evaluator import (
    Evaluator,
    Trained,
    accuracy,
    calibration_images,
    check_options,
    check_task,
)
from codesign.accuracy.torch_training import Recipe, learn_floats, threads
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork
from codesign.network.quantize import post_training
from codesign.network.scales import Kind

_LEAST = {
    "epochs": 1,
    "batch": 1,
    "learning_rate": 1e-6,
    "shift": 0,
    "calibration": 1,
    "threads": 1,
}


@dataclass(frozen=True)
class Ptq(Evaluator):
    """Train with batch normalisation, fuse it, choose scales and round; no fine-tuning.

    Weights to start from replace the training: then nothing is trained at all. It serves wide
    types (6 bits and up); narrower ones need `qat`.
    """

    epochs: int = 12
    batch: int = 64
    learning_rate: float = 0.02
    shift: int = 0
    """Training images move by up to so many pixels at random."""
    scales: Kind = "power_of_two"
    calibration: int = 256
    """Training images that activations' scales are chosen on."""
    threads: int = 1

    def __post_init__(self) -> None:
        check_options(self, _LEAST)

    def evaluate(
        self, graph: Graph, dataset: Dataset, seed: int, start: FloatNetwork | None = None
    ) -> Trained:
        """Train and quantise a graph."""
        check_task(graph, dataset, start)
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        recipe = Recipe(self.epochs, self.batch, self.learning_rate, self.shift)
        with threads(self.threads):
            floats = learn_floats(graph, dataset.train, recipe, generator, start)
        images = calibration_images(dataset.train, self.calibration)
        network = post_training(floats, images, self.scales)
        share = accuracy(network, dataset.validation)
        return Trained(network, floats, share, time.perf_counter() - began)
