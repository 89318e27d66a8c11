"""Bits of a network's weights and activations: reading them, and changing them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from codesign.errors import InputError, nearest
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.joins import is_free
from codesign.network.network import FloatNetwork
from codesign.network.op import Op
from codesign.network.tensor import Tensor, signed_bits

Widths = Mapping[str, int]
"""Bits by layer, or by tensor."""


def layers(graph: Graph) -> tuple[str, ...]:
    """Return the names of the nodes that have weights to round, in order."""
    return tuple(node.name for node in graph if node.op.has_bias)


def activations(graph: Graph) -> tuple[str, ...]:
    """Return the names of the tensors whose width can be chosen: the input, and what is rounded."""
    return (INPUT, *(node.name for node in graph if is_free(node)))


def weight_counts(graph: Graph) -> dict[str, int]:
    """Return the number of weights of each layer."""
    return {name: prod(graph[name].op.weight_shape or ()) for name in layers(graph)}


def weight_bits(graph: Graph) -> int:
    """Return the bits of all weights together."""
    return sum(count * graph[name].op.weight_bits for name, count in weight_counts(graph).items())


def with_widths(
    network: FloatNetwork, weights: Widths | None = None, tensors: Widths | None = None
) -> FloatNetwork:
    """Return a network that is to become one of other widths; the rest of it stays.

    Args:
        network: the real weights.
        weights: bits of one weight, by layer.
        tensors: bits of one element, by tensor ("input", or a node that is requantised or looked
            up).

    Raises:
        InputError: there is no such layer or tensor.
    """
    graph, weights, tensors = network.graph, weights or {}, tensors or {}
    _check("weights", weights, layers(graph))
    _check("activations", tensors, activations(graph))
    known = {INPUT: _widened(graph.input, tensors.get(INPUT))}
    nodes = []
    for node in graph:
        op: Op = node.op
        if node.name in weights:
            op = replace(op, bits=weights[node.name])  # type: ignore[type-var]
        output = _widened(node.output, tensors.get(node.name))
        sources = [known[name] for name in node.inputs]
        op = op.typed(sources, output)
        if not is_free(node):
            output = _holding(replace(node, op=op), sources)
        known[node.name] = output
        nodes.append(replace(node, op=op, output=output, accumulator_bits=0))
    changed = Graph(graph.name, known[INPUT], tuple(nodes), graph.outputs)
    return replace(network, graph=changed)


def _check(place: str, widths: Widths, known: tuple[str, ...]) -> None:
    for name in widths:
        if name not in known:
            raise InputError(place, f"there is no '{name}' with a width", nearest(name, known))


def _widened(tensor: Tensor, bits: int | None) -> Tensor:
    return tensor if bits is None else Tensor(tensor.shape, bits, tensor.signed)


def _holding(node: Node, sources: list[Tensor]) -> Tensor:
    """Return a type for an output that is the sums themselves, whatever the weights and bias."""
    low, high = node.op.accumulator_range(sources, None)
    if node.op.has_bias:
        return Tensor(node.output.shape, signed_bits(low, high) + 1, signed=True)
    if node.output.low <= low <= high <= node.output.high:
        return node.output
    bits = signed_bits(low, high)
    return Tensor(node.output.shape, bits if low < 0 else bits - 1, low < 0, (low, high))
