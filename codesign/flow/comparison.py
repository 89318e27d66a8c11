"""A network's integers beside its real weights, on the same images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.flow.samples import Part, Samples
from codesign.network.floats import Floats, answer_floats, batches
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.report.quantised import Comparison


def answers_classes(graph: Graph) -> bool:
    """Whether the (first) answer is a score per class."""
    return graph.output.pixels == 1 and graph.output.channels > 1


def compared(network: FloatNetwork, quantised: Network, part: Part, samples: Samples) -> Comparison:
    """Return how far the integers' answers are from those of the real weights.

    Args:
        network: the real weights.
        quantised: their integers.
        part: images, in the shape that both read.
        samples: where they were taken from.
    """
    graph = network.graph
    noises, signals = dict.fromkeys(graph.outputs, 0.0), dict.fromkeys(graph.outputs, 0.0)
    classes: list[NDArray[np.int64]] = []
    for images in batches(graph, part.images):
        real = answer_floats(network, images, np.float32)
        integers = quantised.answers(quantised.quantize_input(images))
        for name, values in real.items():
            wanted = values.astype(np.float64)
            difference = integers[name] * quantised.scales[name] - wanted
            noises[name] += float((difference**2).sum())
            signals[name] += float((wanted**2).sum())
        first = graph.outputs[0]
        classes.append(np.stack([_classes(real[first]), _classes(integers[first])]))
    found = np.concatenate(classes, axis=1)
    known = answers_classes(graph)
    right = None if part.labels is None else (found == part.labels).mean(axis=1)
    return Comparison(
        images=len(part),
        of=len(samples.measuring),
        apart=samples.are_apart,
        noise={name: noises[name] / (signals[name] or 1.0) for name in graph.outputs},
        agreement=float((found[0] == found[1]).mean()) if known else None,
        accuracies=None if right is None else (float(right[0]), float(right[1])),
    )


def _classes(scores: Floats | NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the index of the largest score of each image."""
    best: NDArray[np.int64] = scores.reshape(len(scores), -1).argmax(axis=1)
    return best
