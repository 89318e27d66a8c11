"""From real weights to the integers that define a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.network.correct_bias import correct_bias
from codesign.network.equalise import equalise
from codesign.network.floats import Floats
from codesign.network.graph import INPUT, Node
from codesign.network.network import (
    MAX_SHIFT,
    FloatNetwork,
    Network,
    Parameters,
    sum_range,
)
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.network.scales import Kind, Method, Scales, choose_scales, weight_range
from codesign.network.tensor import Tensor, signed_bits


def post_training(
    network: FloatNetwork,
    images: NDArray[np.floating],
    scales: Kind = "power_of_two",
    method: Method | None = None,
) -> Network:
    """Quantise a trained network without training it further.

    Args:
        network: the real weights; the graph's widths are what it becomes.
        images: calibration images, `N x` the input's shape.
        scales: `power_of_two` (every requantisation is a shift) or `multiplier` (a scale and an
            integer factor of 16 bits per output channel).
        method: the calibration, and what else is done; by default nothing but least squared
            error.

    Raises:
        InputError: there is no such kind of scales, no image, or a value is not finite.
    """
    method = method or Method()
    balanced = equalise(network) if method.equalise else network
    chosen = choose_scales(balanced, images, scales, method)
    quantised = quantize(balanced, chosen)
    if not method.correct_bias:
        return quantised
    return quantize(correct_bias(balanced, quantised, chosen, images), chosen)


def quantize(network: FloatNetwork, scales: Scales) -> Network:
    """Round the weights at given scales and derive every width that depends on them."""
    parameters: dict[str, Parameters] = {}
    known = {INPUT: network.graph.input}
    nodes: list[Node] = []
    for declared in network.graph:
        inputs = [known[name] for name in declared.inputs]
        node = _typed(declared, network, scales, inputs)
        own = _parameters(node, network, scales)
        if node.multiplier_bits:
            multiplier, shift = _factor(scales.unit(node) / scales.tensors[node.name], node)
            own = replace(own, multiplier=multiplier, shift=shift)
            node = replace(node, multiplier_bits=int(multiplier.max()).bit_length())
        parameters[node.name] = own
        nodes.append(_with_derived_widths(node, inputs, own))
        known[node.name] = nodes[-1].output
    return Network(replace(network.graph, nodes=tuple(nodes)), parameters, dict(scales.tensors))


def _typed(declared: Node, network: FloatNetwork, scales: Scales, inputs: Sequence[Tensor]) -> Node:
    """Return the node with its kind of requantisation and the range of its integers.

    Its accumulator's width, and that of an output that is the sums, are yet to be derived.
    """
    op, output = declared.op, declared.output
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
            bias=scales.bias_integers(node, network.graph.inputs(node), real.bias),
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
    rounded = real / steps
    np.clip(np.rint(rounded, out=rounded), low, high, out=rounded)
    return rounded.astype(np.min_scalar_type(-high - 1))


def _factor(ratio: Floats, node: Node) -> tuple[Integers, int]:
    """Return integers and one shift with `multiplier / 2**shift` next to `ratio`.

    A power of two that divides all integers is left to the shift.
    """
    exponent = int(np.frexp(ratio.max())[1])
    shift = min(max(0, node.multiplier_bits - exponent), MAX_SHIFT)
    multiplier = np.rint(np.ldexp(ratio, shift)).astype(np.int64)
    multiplier = np.clip(multiplier, 1, (1 << node.multiplier_bits) - 1)
    ones = int(np.bitwise_or.reduce(multiplier))
    common = min((ones & -ones).bit_length() - 1, shift)
    return multiplier >> common, shift - common


def _with_derived_widths(node: Node, inputs: Sequence[Tensor], own: Parameters) -> Node:
    """Return the node with the width of its sums, which an output that is the sums takes over."""
    low, high = sum_range(node.op, inputs, own)
    bits, output = signed_bits(low, high), node.output
    if not node.multiplier_bits and node.op.has_bias:
        output = replace(output, bits=bits)
    elif not node.multiplier_bits and node.op.rescales:
        least, most = node.op.accumulator_range(inputs, None)
        width = signed_bits(least, most) - (least >= 0)
        output = Tensor(output.shape, width, least < 0, (least, most))
    return replace(node, accumulator_bits=bits, output=output)
