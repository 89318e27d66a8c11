"""Quantising without training: python benchmarks/precision.py [--seeds N].

Trains one layout on the digits in real numbers, and prints the test accuracy of its integers by
calibration, by what else is done, and by width; then that of mixed precision beside even widths
of as many weight bits; then what quantising networks of ImageNet size costs. All integers are
counted by the reference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from resource import RUSAGE_SELF, getrusage

import numpy as np

from benchmarks.accuracy import graph_of
from codesign import load
from codesign.accuracy.dataset import Dataset
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import accuracy, calibration_images
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.network.calibration import FOLDER, calibration
from codesign.network.floats import answer_floats, predict_floats
from codesign.network.model import reference
from codesign.network.network import FloatNetwork
from codesign.network.precision import mixed_precision
from codesign.network.quantize import post_training
from codesign.network.scales import Kind, Method
from codesign.network.sensitivity import Measure, Probe
from codesign.network.widths import activations, layers, weight_bits, with_widths

LAYOUT = (8, 16, 16)
BITS = (8, 6, 5, 4, 3)
KINDS: tuple[Kind, ...] = ("power_of_two", "multiplier")
MEASURES: tuple[Measure, ...] = ("noise", "divergence")
CALIBRATION_IMAGES = 256
LARGE = {"resnet50": 8, "mobilenet_v2": 8, "vgg16": 2}
"""Calibration images of networks whose quantisation is timed."""


def methods() -> Iterator[tuple[str, Method]]:
    """Yield what is compared, with its name."""
    for name in load.names(FOLDER):
        yield name, Method(calibration(name))
    yield "mse, equalised", Method(equalise=True)
    yield "mse, biases corrected", Method(correct_bias=True)
    yield "mse, both", Method(equalise=True, correct_bias=True)
    yield "mse, one scale a layer", Method(per_channel=False)


def trained(dataset: Dataset, seed: int) -> FloatNetwork:
    """Return real weights for the digits."""
    return Ptq().evaluate(graph_of(LAYOUT, 8), dataset, seed).floats


def narrowed(network: FloatNetwork, bits: int) -> FloatNetwork:
    """Return the network with all weights and activations of so many bits; the input keeps 8."""
    graph = network.graph
    tensors = dict.fromkeys(activations(graph)[1:], bits)
    return with_widths(network, dict.fromkeys(layers(graph), bits), tensors)


def share(
    network: FloatNetwork, dataset: Dataset, kind: Kind, method: Method | None = None
) -> float:
    """Return the test accuracy [%] after quantisation."""
    images = calibration_images(dataset.train, CALIBRATION_IMAGES)
    return 100 * accuracy(post_training(network, images, kind, method), dataset.test)


def column(shares: Iterable[float]) -> str:
    """Return the mean over seeds."""
    return f"{np.mean(list(shares)):8.1f}"


def by_method(networks: list[FloatNetwork], dataset: Dataset) -> None:
    """Print accuracies by calibration, kind of scales and width of weights and activations."""
    print(f"\n{'':26}{'powers of two':40}multipliers")
    print(f"  {'method':24}" + 2 * "".join(f"{f'{bits} bits':>8}" for bits in BITS))
    for name, method in methods():
        columns = [
            column(share(narrowed(n, bits), dataset, kind, method) for n in networks)
            for kind in KINDS
            for bits in BITS
        ]
        print(f"  {name:24}" + "".join(columns))


def by_budget(networks: list[FloatNetwork], dataset: Dataset) -> None:
    """Print accuracies of mixed weight bits beside even ones; activations keep 8."""
    images = calibration_images(dataset.train, CALIBRATION_IMAGES)
    print(f"\n  {'weight bits':24}{'scales':16}{'even':>8}{'mixed':>8}{'by KL':>8}")
    for bits in (5, 4, 3):
        even = [with_widths(n, dict.fromkeys(layers(n.graph), bits)) for n in networks]
        budget = weight_bits(even[0].graph)
        for kind in KINDS:
            columns = [column(share(network, dataset, kind) for network in even)]
            for measure in MEASURES:
                probe = Probe(scales=kind, measure=measure)
                mixed = [mixed_precision(n, images, budget, probe=probe).network for n in networks]
                columns.append(column(share(network, dataset, kind) for network in mixed))
            print(f"  {f'as many as {bits} each':24}{kind:16}" + "".join(columns))


def large() -> None:
    """Print seconds and memory of quantising networks of ImageNet size, on random images."""
    print(f"\n  {'network':16}{'images':>8}{'float [s]':>12}{'quantise [s]':>14}{'peak [GB]':>12}")
    for name, count in LARGE.items():
        network = reference(name).network(0)
        images = np.random.default_rng(0).random((count, *network.graph.input.shape))
        began = time.process_time()
        answer_floats(network, images, np.float32)
        middle = time.process_time()
        post_training(network, images)
        seconds = (middle - began, time.process_time() - middle)
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1e6
        print(f"  {name:16}{count:8}{seconds[0]:12.1f}{seconds[1]:14.1f}{peak:12.2f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    dataset = Digits().load()
    networks = [trained(dataset, seed) for seed in range(seeds)]
    real = [
        100 * (predict_floats(n, dataset.test.images) == dataset.test.labels).mean()
        for n in networks
    ]
    print(f"test accuracy on digits [%], mean of {seeds} seeds; in real numbers{column(real)}")
    by_method(networks, dataset)
    by_budget(networks, dataset)
    large()


if __name__ == "__main__":
    main()
