"""Bias correction: rounding moves the mean of what layers compute; their biases move it back.

Source: Nagel et al., Data-free quantization through weight equalization and bias correction,
ICCV 2019, section 4.2, with the means measured on images (its appendix D).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.network.floats import Floats, activated, real_sums
from codesign.network.graph import INPUT
from codesign.network.network import FloatNetwork, Network, accumulator_bits, finish
from codesign.network.op import Exact, exact_type
from codesign.network.scales import Scales

_ELEMENTS = 1 << 25


def correct_bias(
    network: FloatNetwork, quantised: Network, scales: Scales, images: NDArray[np.floating]
) -> FloatNetwork:
    """Return the real network with biases that give every sum its right mean when rounded.

    Layers are corrected in order, each on what the corrected ones before it make of the images.

    Args:
        network: the real weights.
        quantised: its integers.
        scales: those that the integers were chosen with.
        images: `N x` the input's shape; of many large ones some are used.
    """
    graph = network.graph
    largest = max(graph.input.elements, *(node.output.elements for node in graph))
    images = images[:: -(-len(images) * largest // _ELEMENTS)]
    integers: dict[str, Exact] = {INPUT: quantised.quantize_input(images)}
    reals: dict[str, Floats] = {INPUT: images.astype(np.float64)}
    parameters = dict(network.parameters)
    unread = Counter(name for node in graph for name in node.inputs)
    for node, rounded in zip(graph, quantised.graph, strict=True):
        own, bits = quantised.parameters[node.name], rounded.accumulator_bits
        sources = [integers[name] for name in node.inputs]
        sums = rounded.op.accumulate(sources, own.weights, exact_type(bits))
        right = real_sums(network, node, [reals[name] for name in node.inputs])
        if node.op.has_bias:
            bias = _means(right) - _means(sums) * scales.unit(node)
            parameters[node.name] = replace(parameters[node.name], bias=bias)
            own = replace(own, bias=scales.bias_integers(node, graph.inputs(node), bias))
            bits = accumulator_bits(quantised.graph, rounded, own)
        wide = sums.astype(exact_type(bits), copy=False)
        made = finish(replace(rounded, accumulator_bits=bits), own, wide)
        # where sums themselves are the output, later nodes still expect those of the old bias
        integers[node.name] = np.clip(made, rounded.output.low, rounded.output.high)
        reals[node.name] = activated(network, node, right)
        unread.subtract(node.inputs)
        for name in {name for name in node.inputs if not unread[name]}:
            del integers[name], reals[name]
    return replace(network, parameters=parameters)


def _means(sums: Exact) -> Floats:
    """Return the mean of each channel, `[outputs]`."""
    axes = tuple(axis for axis in range(sums.ndim) if axis != 1)
    return np.asarray(sums.mean(axis=axes, dtype=np.float64))
