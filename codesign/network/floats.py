"""The real-valued answer of a network before quantisation: what calibration looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.network.graph import INPUT, Node
from codesign.network.network import FloatNetwork
from codesign.network.op import Reals

Floats = Reals


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
        values[node.name] = _answer(network, node, sources)
    return values


def predict_floats(network: FloatNetwork, images: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the class (index of the largest output) of real images, `[N]`."""
    classes = []
    for start in range(0, len(images), 256):
        values = execute_floats(network, images[start : start + 256])
        outputs = values[network.graph.outputs[0]]
        classes.append(outputs.reshape(len(outputs), -1).argmax(axis=1))
    return np.concatenate(classes)


def rectifies(node: Node) -> bool:
    """Whether a node's requantisation is a ReLU: it has one, and its output is unsigned."""
    return node.multiplier_bits > 0 and not node.output.signed


def _answer(network: FloatNetwork, node: Node, sources: list[Floats]) -> Floats:
    own = network.parameters.get(node.name)
    if node.op.has_bias and own is None:
        raise ValueError(f"{node.name}: its real weights are missing")
    answer = node.op.real(sources, own.weights if own else None)
    if own is not None:
        answer = answer + own.bias.reshape(-1, *(1,) * (answer.ndim - 2))
    if rectifies(node):
        answer = np.maximum(answer, 0.0)
    if node.name in network.clips:
        answer = np.clip(answer, *network.clips[node.name])
    return answer
