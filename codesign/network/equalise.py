"""Cross-layer equalisation: the same function, with weights that round better.

A channel between two layers can be made smaller in the first and larger in the second by the
same factor, as long as all that lies between them passes positive factors through. Where all
output channels of a layer share one scale, channels of like range lose least.

Source: Nagel et al., Data-free quantization through weight equalization and bias correction,
ICCV 2019, section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from codesign.network.floats import Floats
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table

_ROUNDS = 40
_SETTLED = 1e-3
_HOMOGENEOUS = ("leaky_relu",)
"""Functions that, besides ReLU, pass positive factors through."""


def equalise(network: FloatNetwork) -> FloatNetwork:
    """Return a network that computes the same, its channels balanced between layers.

    A pair of layers is left alone where the channel between them is clipped, is read by others
    too, or goes through a function that does not pass factors on.
    """
    pairs = list(_pairs(network))
    parameters = dict(network.parameters)
    for _ in range(_ROUNDS):
        changes = [0.0]
        for first, second in pairs:
            giver, taker = parameters[first.name], parameters[second.name]
            rows = giver.weights.reshape(len(giver.weights), -1)
            columns = _by_input(second, taker.weights, len(rows))
            factors = _factors(np.abs(rows).max(axis=1), np.abs(columns).max(axis=(1, 3)).ravel())
            parameters[first.name] = FloatParameters(
                (rows / factors[:, None]).reshape(giver.weights.shape), giver.bias / factors
            )
            grown = columns * factors.reshape(len(columns), 1, -1, 1)
            parameters[second.name] = replace(taker, weights=grown.reshape(taker.weights.shape))
            changes.append(float(np.abs(np.log(factors)).max()))
        if max(changes) < _SETTLED:
            break
    return replace(network, parameters=parameters)


def _pairs(network: FloatNetwork) -> Iterator[tuple[Node, Node]]:
    """Yield layers with the layer that alone reads what they make."""
    for node in network.graph:
        if not node.op.has_bias:
            continue
        reader: Node | None = node
        while reader is not None and _passes_factors(network, reader, is_layer=reader is node):
            reader = _only_reader(network.graph, reader)
            if reader is not None and reader.op.has_bias:
                yield node, reader
                break


def _only_reader(graph: Graph, node: Node) -> Node | None:
    readers = graph.readers(node.name)
    return readers[0] if len(readers) == 1 and node.name not in graph.outputs else None


def _passes_factors(network: FloatNetwork, node: Node, is_layer: bool) -> bool:
    """Whether each channel of a node's output grows by as much as that of its sums or input."""
    if node.name in network.clips:
        return False
    if isinstance(node.op, Table):
        return node.op.function in _HOMOGENEOUS
    keeps_channels = node.op.passes and not isinstance(node.op, Slice)
    return is_layer or keeps_channels or isinstance(node.op, Pool2d)


def _factors(first: Floats, second: Floats) -> Floats:
    """Return what makes the ranges of both layers' channels equal (equation 11)."""
    found = np.ones(len(first))
    used = (first > 0) & (second > 0)
    found[used] = np.sqrt(first[used] / second[used])
    return found


def _by_input(node: Node, weights: Floats, channels: int) -> Floats:
    """Return weights as `[groups, outputs / groups, channels / groups, weights of a channel]`.

    A map that is flattened gives each of its channels several inputs.
    """
    groups = node.op.groups if isinstance(node.op, Conv2d | ConvTranspose2d) else 1
    return weights.reshape(groups, len(weights) // groups, channels // groups, -1)
