"""How long the import of a float ONNX model takes, and whether its answers stay.

    python -m benchmarks.onnx_import

Median processor time of five imports, file to network. ONNX Runtime computes one image, in single
precision. What codesign saved itself has to come back as the same network: operators, numbers,
MACs, parameters.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

from codesign.network.floats import answer_floats
from codesign.network.model import reference
from codesign.network.network import FloatNetwork
from codesign.network.onnx import load
from codesign.network.onnx.float_export import save_floats

REFERENCES = (
    *("resnet50", "mobilenet_v2", "efficientnet_lite0"),
    *("resnet34", "alexnet", "vgg16"),  # too large for the tests
)
BAR = 2.0
"""Seconds for ResNet-50, however it was saved."""
PUBLISHED = (4_089_184_256, 25_530_472)
"""MACs and parameters of ResNet-50; of torchvision's 25,557,032, batch normalisation has 53,120 and
leaves 26,560 biases."""
RUNS = 5
TOLERANCE = 1e-4
"""Of the largest number of an answer."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was seen of one file."""

    seconds: float
    error: float
    same: bool


def main() -> tuple[float, bool]:
    """Print a row per model; return the longest time for ResNet-50, and whether the bar is met.

    It is not if any model has become another network.
    """
    print(f"import of float ONNX, processor time; bar {BAR:g} s on ResNet-50")
    found: dict[str, Imported] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for exporter in ("torch, dynamo=False", "torch, dynamo=True"):
            export_resnet50(path, dynamo=exporter.endswith("True"))
            network, seconds = timed(path)
            same = (network.graph.macs, counted(network)) == PUBLISHED
            found[f"resnet50 of {exporter}"] = _row(path, network, seconds, same)
        for name in REFERENCES:
            original = reference(name).network()
            save_floats(original, path)
            network, seconds = timed(path)
            found[name] = _row(path, network, seconds, is_same(network, original))
    for name, own in found.items():
        kept = "the same network" if own.same else "ANOTHER NETWORK"
        print(f"  {name:34}{own.seconds:8.2f} s   differs by {own.error:.0e}   {kept}")
    longest = max(own.seconds for name, own in found.items() if name.startswith("resnet50"))
    right = all(own.same and own.error < TOLERANCE for own in found.values())
    return longest, right and longest < BAR


def timed(path: Path) -> tuple[FloatNetwork, float]:
    """Return the network of a file, and the median time of an import."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        network = load(path, input_signed=True)
        times.append(time.process_time() - start)
    assert isinstance(network, FloatNetwork)
    return network, median(times)


def _row(path: Path, network: FloatNetwork, seconds: float, same: bool) -> Imported:
    shape = network.graph.input.shape
    image = np.random.default_rng(0).random((1, *shape), dtype=np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    expected = session.run(None, {session.get_inputs()[0].name: image})
    answers = answer_floats(network, image, np.float32).values()
    errors = [
        float(np.abs(answer.reshape(wanted.shape) - wanted).max() / np.abs(wanted).max())
        for answer, wanted in zip(answers, expected, strict=True)
    ]
    return Imported(seconds, max(errors), same)


def counted(network: FloatNetwork) -> int:
    """Return how many weights and biases a network has."""
    return sum(own.weights.size + own.bias.size for own in network.parameters.values())


def is_same(network: FloatNetwork, other: FloatNetwork) -> bool:
    """Whether two networks have the same operators with the same numbers, in the same order."""
    pairs = list(zip(network.graph, other.graph, strict=False))
    return len(network.graph.nodes) == len(other.graph.nodes) and all(
        left.op == right.op
        and left.output.shape == right.output.shape
        and network.clips.get(left.name) == other.clips.get(right.name)
        and _equal(network.parameters.get(left.name), other.parameters.get(right.name))
        for left, right in pairs
    )


def _equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    return np.array_equal(left.weights, right.weights) and np.array_equal(left.bias, right.bias)


def export_resnet50(path: Path, *, dynamo: bool) -> None:
    """Write ResNet-50 (v1.5) with random weights by one of torch's exporters.

    Source: He et al., CVPR 2016, table 1; the stride is in the 3 x 3 convolutions.
    """
    import torch
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self, inputs: int, width: int, stride: int) -> None:
            super().__init__()
            outputs = 4 * width
            self.inner = nn.Sequential(
                *(nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
                nn.Conv2d(width, width, 3, stride, 1, bias=False),
                *(nn.BatchNorm2d(width), nn.ReLU()),
                *(nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)),
            )
            shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            kept = inputs == outputs and stride == 1
            self.shortcut = (
                nn.Identity() if kept else nn.Sequential(shortcut, nn.BatchNorm2d(outputs))
            )

        def forward(self, maps: Any) -> Any:
            return torch.relu(self.inner(maps) + self.shortcut(maps))

    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)]
    layers += [nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            layers.append(Bottleneck(inputs, 64 << stage, 2 if stage and not block else 1))
            inputs = 256 << stage
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 1000)]
    module = nn.Sequential(*layers).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = (torch.zeros(1, 3, 224, 224),)
        torch.onnx.export(module, image, path, dynamo=dynamo, verbose=False)


if __name__ == "__main__":
    main()
