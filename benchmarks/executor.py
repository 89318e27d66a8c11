"""How fast the integer reference computes: multiply-accumulates per second, exact to the bit.

    python -m benchmarks.executor

One image at a time, all cores that the BLAS library takes; the median of five runs.
"""

from __future__ import annotations

import time
from statistics import median

import numpy as np

from codesign.network.model import reference
from codesign.network.network import Network
from codesign.network.quantize import post_training

NETWORKS = ("resnet8", "mobilenet_v1_025", "mobilenet_v2", "resnet50")
BAR = 5e9
"""Multiply-accumulates per second on ResNet-50, two cores."""
RUNS = 5


def main() -> None:
    """Print a row per network."""
    print(f"integer reference, one image; bar {BAR / 1e9:g} GMAC/s on resnet50")
    for name in NETWORKS:
        network, images = quantised(name)
        seconds = seconds_per_image(network, images)
        macs = network.graph.macs
        print(f"  {name:18}{seconds * 1e3:8.1f} ms{macs / seconds / 1e9:10.1f} GMAC/s")


def quantised(name: str) -> tuple[Network, np.ndarray]:
    """Return a reference network in 8 bits, and one random image as its integers."""
    floats = reference(name).network()
    random = np.random.default_rng(0)
    images = random.random((2, *floats.graph.input.shape), dtype=np.float32)
    network = post_training(floats, images)
    return network, network.quantize_input(images[:1])


def seconds_per_image(network: Network, images: np.ndarray) -> float:
    """Return the median time of one image."""
    network.answers(images)
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        network.answers(images)
        times.append(time.perf_counter() - start)
    return median(times)


def speed() -> float:
    """Return the multiply-accumulates per second on ResNet-50."""
    network, images = quantised("resnet50")
    return network.graph.macs / seconds_per_image(network, images)


if __name__ == "__main__":
    main()
