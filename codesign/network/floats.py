"""The real-valued answer of a network before quantisation: what calibration looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.network.graph import INPUT, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d

Floats = NDArray[np.float64]


def execute_floats(network: FloatNetwork, images: NDArray[np.floating]) -> dict[str, Floats]:
    """Compute a batch in double precision.

    Args:
        network: the real weights.
        images: `N x` the input's shape.

    Returns:
        every node's output by name, `N x` its shape, and the images under "input".
    """
    values: dict[str, Floats] = {INPUT: images.astype(np.float64)}
    for node in network.graph:
        sources = [values[name] for name in node.inputs]
        values[node.name] = _answer(node, sources, network.parameters.get(node.name))
    return values


def predict_floats(network: FloatNetwork, images: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the class (index of the largest output) of real images, `[N]`."""
    classes = []
    for start in range(0, len(images), 256):
        values = execute_floats(network, images[start : start + 256])
        outputs = values[network.graph.nodes[-1].name]
        classes.append(outputs.reshape(len(outputs), -1).argmax(axis=1))
    return np.concatenate(classes)


def rectifies(node: Node) -> bool:
    """Whether a node's requantisation is a ReLU: it has one, and its output is unsigned."""
    return node.multiplier_bits > 0 and not node.output.signed


def _answer(node: Node, sources: list[Floats], own: FloatParameters | None) -> Floats:
    answer = sources[0] + sources[1] if len(sources) == 2 else _layer(node, sources[0], own)
    return np.maximum(answer, 0.0) if rectifies(node) else answer


def _layer(node: Node, maps: Floats, own: FloatParameters | None) -> Floats:
    op = node.op
    if isinstance(op, Pool2d):
        patches = op.window.patches(maps, pad_value=-np.inf if op.kind == "max" else 0.0)
        pooled: Floats = patches.max(axis=(4, 5)) if op.kind == "max" else patches.mean(axis=(4, 5))
        return pooled
    if own is None:
        raise ValueError(f"{node.name}: its real weights are missing")
    if isinstance(op, Dense):
        return maps.reshape(len(maps), -1) @ own.weights.T + own.bias
    if not isinstance(op, Conv2d):
        raise TypeError(f"{node.name}: {type(op).__name__} has no real-valued answer")
    patches = op.window.patches(maps)
    sums = np.tensordot(patches, own.weights, axes=((1, 4, 5), (1, 2, 3)))
    return sums.transpose(0, 3, 1, 2) + own.bias.reshape(-1, 1, 1)
