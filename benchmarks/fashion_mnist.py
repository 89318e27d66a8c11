"""Fashion-MNIST in few bits: python benchmarks/fashion_mnist.py.

Trains one network of at most 200 k parameters on two cores, quantises it in three ways, and
prints the accuracy of each on all 10,000 test images. But for the real weights, the integer
reference counts. Takes about ten minutes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.datasets.fashion_mnist import FashionMnist
from codesign.accuracy.evaluator import accuracy, calibration_images
from codesign.accuracy.evaluators.qat import Qat
from codesign.accuracy.torch_training import Recipe, learn_floats, threads
from codesign.network.floats import predict_floats
from codesign.network.graph import INPUT, Graph
from codesign.network.layers import LINEAR, Layers, Style, square
from codesign.network.network import FloatNetwork, Network
from codesign.network.precision import mixed_precision
from codesign.network.quantize import post_training
from codesign.network.scales import Method
from codesign.network.sensitivity import Probe
from codesign.network.tensor import Tensor
from codesign.network.widths import activations, layers, weight_bits, weight_counts, with_widths

LARGEST = 200_000
"""Parameters that the network may have."""

LEAST = 0.92
"""Accuracy of the real weights."""

RECIPE = Recipe(epochs=14, batch=128, learning_rate=0.01, shift=1, flip=True)
SEED = 0
CALIBRATION = 512
THREADS = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: how much accuracy may be lost, and what was measured."""

    what: str
    allowed: float
    """Points that it may lie below the real weights [%]."""
    accuracy: float
    weight_bits: float
    """Mean of all weights."""
    seconds: float


def graph() -> Graph:
    """Return four sizes of maps with one residual block: 135 k parameters, 4.9 M MACs."""
    written = Layers(Tensor((1, 28, 28), 8, signed=False), 8, 8)
    maps = INPUT
    for width in (16, 32):
        maps = written.pool(written.conv(maps, width, square(3), Style()), "max", square(2, 2))
    maps = written.conv(maps, 64, square(3), Style())
    maps = written.add(maps, written.conv(maps, 64, square(3), Style(LINEAR)), "relu")
    maps = written.conv(maps, 128, square(3, 2), Style())
    written.dense(written.average(maps), 10)
    return written.graph("fashion")


def few_bits(floats: FloatNetwork) -> FloatNetwork:
    """Return the network with 4 bits everywhere, but 8 in its first and last layer."""
    inner = layers(floats.graph)[1:-1]
    tensors = [name for name in activations(floats.graph) if name != INPUT]
    return with_widths(floats, dict.fromkeys(inner, 4), dict.fromkeys(tensors, 4))


def trained_through(network: FloatNetwork, dataset: Dataset) -> Network:
    """Fine-tune through the integers, with the real weights for a teacher."""
    evaluator = Qat(
        fine_tune_epochs=4,
        fine_tune_learning_rate=5e-4,
        batch=RECIPE.batch,
        shift=RECIPE.shift,
        flip=RECIPE.flip,
        scales="multiplier",
        calibration_images=CALIBRATION,
        distill=0.7,
        threads=THREADS,
    )
    return evaluator.evaluate(network.graph, dataset, SEED, start=network).network


def measure() -> list[Figure]:
    """Return the four figures, the real weights first."""
    dataset = FashionMnist().load()
    images = calibration_images(dataset.train, CALIBRATION)
    began = time.perf_counter()
    with threads(THREADS):
        generator = torch.Generator().manual_seed(SEED)
        floats = learn_floats(graph(), dataset.train, RECIPE, generator, None)
    right = predict_floats(floats, dataset.test.images) == dataset.test.labels
    figures = [Figure("float", 0.0, float(right.mean()), 32, time.perf_counter() - began)]

    def add(what: str, allowed: float, network: Network, since: float) -> None:
        mean = weight_bits(network.graph) / sum(weight_counts(network.graph).values())
        share = accuracy(network, dataset.test)
        figures.append(Figure(what, allowed, share, mean, time.perf_counter() - since))

    began = time.perf_counter()
    add("8 bits, rounded", 0.3, post_training(floats, images, "multiplier"), began)
    began = time.perf_counter()
    add("4 bits, trained through", 1.0, trained_through(few_bits(floats), dataset), began)
    began = time.perf_counter()
    budget = 4 * sum(weight_counts(floats.graph).values())
    mixed = mixed_precision(floats, images, budget, probe=Probe(scales="multiplier"))
    method = Method(correct_bias=True)
    rounded = post_training(mixed.network, images, "multiplier", method)
    add("mixed, 4 bits in the mean, rounded", 0.5, rounded, began)
    return figures


def main() -> bool:
    """Print the table, and return whether every bar is reached."""
    network = graph()
    print(f"Fashion-MNIST, {network.parameters:,} parameters, {network.macs:,} MACs")
    print(f"{'':36}weight bits  test [%]  lost  allowed    seconds")
    real, *quantised = measure()
    met = network.parameters <= LARGEST and real.accuracy >= LEAST
    print(f"{real.what:36}{'float':>11}  {100 * real.accuracy:8.2f}{real.seconds:26.0f}")
    for row in quantised:
        lost = 100 * (real.accuracy - row.accuracy)
        met &= lost <= row.allowed
        print(
            f"{row.what:36}{row.weight_bits:11.2f}  {100 * row.accuracy:8.2f}  {lost:4.2f}  "
            f"{row.allowed:7.1f}{row.seconds:11.0f}"
        )
    return met


if __name__ == "__main__":
    main()
