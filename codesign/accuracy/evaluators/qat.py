"""Quantisation-aware training: learn in real numbers, then learn through the integers."""

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
from codesign.accuracy.torch_module import IntegerModule
from codesign.accuracy.torch_training import Recipe, learn_floats, threads, train
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork
from codesign.network.scales import Kind, choose_scales

_LEAST = {
    "epochs": 1,
    "batch": 1,
    "learning_rate": 1e-6,
    "fine_tune_epochs": 1,
    "fine_tune_learning_rate": 1e-6,
    "shift": 0,
    "calibration": 1,
    "threads": 1,
}


@dataclass(frozen=True)
class Qat(Evaluator):
    """Train with batch normalisation, fuse it, choose scales, fine-tune with rounded weights.

    Weights to start from replace the first training; only fine-tuning is left.
    Source: Jacob et al., CVPR 2018, section 3.
    """

    epochs: int = 12
    fine_tune_epochs: int = 8
    batch: int = 64
    learning_rate: float = 0.02
    fine_tune_learning_rate: float = 0.01
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
        """Train, quantise and fine-tune a graph."""
        check_task(graph, dataset, start)
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        first = Recipe(self.epochs, self.batch, self.learning_rate, self.shift)
        tuning = Recipe(self.fine_tune_epochs, self.batch, self.fine_tune_learning_rate, self.shift)
        with threads(self.threads):
            floats = learn_floats(graph, dataset.train, first, generator, start)
            images = calibration_images(dataset.train, self.calibration)
            module = IntegerModule(floats, choose_scales(floats, images, self.scales))
            train(module, dataset.train, tuning, generator)
            network = module.network()
        share = accuracy(network, dataset.validation)
        return Trained(network, floats, share, time.perf_counter() - began)
