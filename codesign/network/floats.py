"""The real-valued answer of a network before quantisation: what calibration looks at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork
from codesign.network.op import Reals

Floats = Reals

_BATCH_ELEMENTS = 1 << 23
_HELD_ELEMENTS = 1 << 25
_BATCH_IMAGES = 256


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
        values[node.name] = answer(network, node, [values[name] for name in node.inputs])
    return values


def walk_floats(
    network: FloatNetwork, images: NDArray[np.floating], dtype: DTypeLike = np.float64
) -> Iterator[tuple[str, Floats]]:
    """Yield what the input and every node make, and hold it only while a later node reads it.

    The same as `execute_floats`, in any floating-point type.
    """
    values: dict[str, Floats] = {INPUT: images.astype(dtype)}
    yield INPUT, values[INPUT]
    unread = Counter(name for node in network.graph for name in node.inputs)
    for node in network.graph:
        values[node.name] = answer(network, node, [values[name] for name in node.inputs])
        yield node.name, values[node.name]
        unread.subtract(node.inputs)
        for name in {name for name in node.inputs if not unread[name]}:
            del values[name]


def answer_floats(
    network: FloatNetwork, images: NDArray[np.floating], dtype: DTypeLike = np.float64
) -> dict[str, Floats]:
    """Compute the outputs of a batch; the rest is dropped on the way."""
    wanted = set(network.graph.outputs)
    return {n: values for n, values in walk_floats(network, images, dtype) if n in wanted}


def predict_floats(network: FloatNetwork, images: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the class (index of the largest output) of real images, `[N]`."""
    classes = []
    for batch in batches(network.graph, images):
        outputs = answer_floats(network, batch)[network.graph.outputs[0]]
        classes.append(outputs.reshape(len(outputs), -1).argmax(axis=1))
    return np.concatenate(classes)


def batches(
    graph: Graph, images: NDArray[np.floating], holds_all: bool = False
) -> Iterator[NDArray[np.floating]]:
    """Yield some images at a time: as many as keep a tensor, or all of them, within bounds."""
    elements = [graph.input.elements, *(node.output.elements for node in graph)]
    most = _HELD_ELEMENTS // sum(elements) if holds_all else _BATCH_ELEMENTS // max(elements)
    count = min(max(1, most), _BATCH_IMAGES)
    for start in range(0, len(images), count):
        yield images[start : start + count]


def rectifies(node: Node) -> bool:
    """Whether a node's requantisation is a ReLU: it has one, and its output is unsigned."""
    return node.multiplier_bits > 0 and not node.output.signed


def real_sums(network: FloatNetwork, node: Node, sources: Sequence[Floats]) -> Floats:
    """Return what one node computes before its ReLU or clip, in the type of its sources."""
    own = network.parameters.get(node.name)
    if node.op.has_bias and own is None:
        raise ValueError(f"{node.name}: its real weights are missing")
    dtype = sources[0].dtype
    sums = node.op.real(sources, own.weights.astype(dtype, copy=False) if own else None)
    if own is not None:
        sums = sums + own.bias.reshape(-1, *(1,) * (sums.ndim - 2)).astype(dtype)
    return sums.astype(dtype, copy=False)


def activated(network: FloatNetwork, node: Node, sums: Floats) -> Floats:
    """Return a node's output: its sums after its ReLU and clip."""
    if rectifies(node):
        sums = np.maximum(sums, 0.0)
    if node.name in network.clips:
        sums = np.clip(sums, *network.clips[node.name])
    return sums


def answer(network: FloatNetwork, node: Node, sources: Sequence[Floats]) -> Floats:
    """Return the output of one node, in the type of its sources."""
    return activated(network, node, real_sums(network, node, sources))
