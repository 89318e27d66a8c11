"""From real weights to the integers that define a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.network.floats import Floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, Network, Parameters, accumulator_bits
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.network.scales import Kind, Scales, bias_range, choose_scales, weight_range
from codesign.network.tensor import Tensor, signed_bits


def post_training(
    network: FloatNetwork, images: NDArray[np.floating], scales: Kind = "power_of_two"
) -> Network:
    """Quantise a trained network without training it further.

    Args:
        network: the real weights; the graph's widths are what it becomes.
        images: calibration images, `N x` the input's shape.
        scales: `power_of_two` (every requantisation is a shift) or `multiplier` (a scale and an
            integer factor of 16 bits per output channel).

    Raises:
        InputError: there is no such kind of scales.
    """
    return quantize(network, choose_scales(network, images, scales))


def quantize(network: FloatNetwork, scales: Scales) -> Network:
    """Round the weights at given scales and derive every width that depends on them."""
    parameters: dict[str, Parameters] = {}
    known = {INPUT: network.graph.input}
    nodes: list[Node] = []
    for declared in network.graph:
        node = _typed(declared, network, scales, known)
        own = _parameters(node, network, scales)
        if node.multiplier_bits:
            multiplier, shift = _factor(scales.unit(node) / scales.tensors[node.name], node)
            own = replace(own, multiplier=multiplier, shift=shift)
        parameters[node.name] = own
        known[node.name] = node.output
        nodes.append(node)
    graph = _with_derived_widths(replace(network.graph, nodes=tuple(nodes)), parameters)
    return Network(graph, parameters, dict(scales.tensors))


def _typed(
    declared: Node, network: FloatNetwork, scales: Scales, known: Mapping[str, Tensor]
) -> Node:
    """Return the node with its kind of requantisation and the range of its integers.

    Its accumulator's width is yet to be derived.
    """
    op, output, inputs = declared.op, declared.output, [known[name] for name in declared.inputs]
    if op.rescales:
        op = replace(op, bits=signed_bits(0, int(scales.factors[declared.name].max())))  # type: ignore[type-var]
    if op.passes and not declared.multiplier_bits:
        low, high = op.accumulator_range(inputs, None)
        output = replace(inputs[0], shape=output.shape, bounds=(low, high))
    elif declared.name in network.clips:
        output = _clipped(output, network.clips[declared.name], scales.tensors[declared.name])
    return replace(
        declared,
        op=op.typed(inputs, output),
        output=output,
        multiplier_bits=scales.multiplier_bits if declared.multiplier_bits else 0,
        accumulator_bits=0,
    )


def _clipped(tensor: Tensor, clip: tuple[float, float], scale: float) -> Tensor:
    """Return the type with the integers of real bounds for its own."""
    low, high = (int(np.rint(np.clip(bound / scale, tensor.low, tensor.high))) for bound in clip)
    return replace(tensor, bounds=(low, high))


def _parameters(node: Node, network: FloatNetwork, scales: Scales) -> Parameters:
    """Return the integers of a node, but for its requantisation."""
    if node.op.has_bias:
        real = network.parameters[node.name]
        return Parameters(
            weights=_weight_integers(node, real.weights, scales),
            bias=_bias_integers(node, network.graph, real.bias, scales),
        )
    if node.op.rescales:
        return Parameters(weights=scales.factors[node.name])
    if isinstance(node.op, Table):
        source = scales.tensors[node.inputs[0]]
        return Parameters(weights=node.op.answers(source, scales.tensors[node.name]))
    return Parameters()


def _weight_integers(node: Node, real: Floats, scales: Scales) -> Integers:
    low, high = weight_range(node.op.weight_bits)
    steps = scales.weights[node.name].reshape(-1, *(1,) * (real.ndim - 1))
    return np.clip(np.rint(real / steps), low, high).astype(np.int64)


def _bias_integers(node: Node, graph: Graph, real: Floats, scales: Scales) -> Integers:
    low, high = bias_range(node, graph.inputs(node))
    return np.clip(np.rint(real / scales.unit(node)), low, high).astype(np.int64)


def _factor(ratio: Floats, node: Node) -> tuple[Integers, int]:
    """Return integers and one shift with `multiplier / 2**shift` next to `ratio`."""
    exponent = int(np.frexp(ratio.max())[1])
    shift = max(0, node.multiplier_bits - exponent)
    multiplier = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    return np.clip(multiplier, 1, (1 << node.multiplier_bits) - 1), shift


def _with_derived_widths(graph: Graph, parameters: Mapping[str, Parameters]) -> Graph:
    nodes = []
    for node in graph:
        bits = accumulator_bits(graph, node, parameters[node.name])
        is_sum = node.op.has_bias and node.multiplier_bits == 0
        output = replace(node.output, bits=bits) if is_sum else node.output
        nodes.append(replace(node, accumulator_bits=bits, output=output))
    return replace(graph, nodes=tuple(nodes))
