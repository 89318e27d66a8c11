"""Accuracy and training time by width: python benchmarks/accuracy.py [--seeds N].

Trains one layout at several widths on the digits, on one core, and prints the test accuracy of
the real weights, of rounding them (ptq) and of training through the integers (qat). All but the
first are counted by the integer reference.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import accuracy
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.evaluators.qat import Qat
from codesign.network.families.convnet import Convnet
from codesign.network.floats import predict_floats
from codesign.network.graph import Graph
from codesign.network.tensor import Tensor
from codesign.space import Value

LAYOUTS = {"small": (8, 16, 16), "medium": (16, 24, 32)}
BITS = (8, 6, 4, 3, 2)


def graph_of(widths: tuple[int, ...], bits: int) -> Graph:
    """Return 3 x 3 convolutions with pooling between them, every type of `bits` bits."""
    family = Convnet(Tensor((1, 8, 8), 8, signed=False), 10)
    point: dict[str, Value] = {c.name: c.values[0] for c in family.space().choices}
    point |= {name: bits for name in point if "bits" in name}
    point |= {"layers": len(widths), "head": "average"}
    for layer, width in enumerate(widths):
        kind = "none" if layer == 0 else "max"
        point |= {f"width{layer}": width, f"kernel{layer}": 3, f"downsample{layer}": kind}
    return family.decode(point)


def measure(dataset: Dataset, graph: Graph, seed: int) -> list[float]:
    """Return accuracies (float, ptq, qat, qat with multipliers) and the seconds of one qat."""
    began = time.process_time()
    trained = Qat().evaluate(graph, dataset, seed)
    seconds = time.process_time() - began
    rounded = Ptq().evaluate(graph, dataset, seed, trained.floats)
    scaled = Qat(scales="multiplier").evaluate(graph, dataset, seed, trained.floats)
    real = predict_floats(trained.floats, dataset.test.images) == dataset.test.labels
    integers = [accuracy(t.network, dataset.test) for t in (rounded, trained, scaled)]
    return [float(real.mean()), *integers, seconds]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    dataset = Digits().load()
    measure(dataset, graph_of((4,), 8), 0)  # the first call pays for torch's start
    print(f"test accuracy on digits [%], mean of {seeds} seeds")
    print("layout  MACs     bits  float   ptq    qat    qat, multipliers  qat CPU [s]")
    for name, widths in LAYOUTS.items():
        for bits in BITS:
            graph = graph_of(widths, bits)
            rows = [measure(dataset, graph, seed) for seed in range(seeds)]
            real, rounded, trained, scaled, seconds = np.mean(rows, axis=0)
            print(
                f"{name:7} {graph.macs:7,}  {bits:4}  {100 * real:5.1f}  {100 * rounded:5.1f}  "
                f"{100 * trained:5.1f}  {100 * scaled:5.1f}             {seconds:5.2f}"
            )


if __name__ == "__main__":
    main()
