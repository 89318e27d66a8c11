"""The real numbers that a network's integers stand for."""

from __future__ import annotations

import numpy as np

from codesign.network.network import FloatParameters, Network


def realised(network: Network) -> dict[str, FloatParameters]:
    """Return real weights and biases, by node, of the nodes that learned them.

    A node's sums have the step `s_y m / 2**shift`, its weights that step over its input's.
    """
    found = {}
    for node in network.graph:
        own = network.parameters[node.name]
        if not node.op.has_bias or own.weights is None or own.bias is None:
            continue
        factor = np.ones(1) if own.multiplier is None else own.multiplier / 2.0**own.shift
        unit = np.broadcast_to(network.scales[node.name] * factor, own.bias.shape)
        steps = unit / network.scales[node.inputs[0]]
        by_channel = steps.reshape(-1, *(1,) * (own.weights.ndim - 1))
        found[node.name] = FloatParameters(own.weights * by_channel, own.bias * unit)
    return found
