"""How much a network can hold and compute: what stands in for accuracy where nothing is trained.

Source: Lin et al., "MCUNet: tiny deep learning on IoT devices", NeurIPS 2020 (arXiv 2007.10319),
section 3.1: spaces whose networks compute more within the limits hold better networks.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from codesign.network.graph import INPUT, Graph
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import map_shape


class Capacity(NamedTuple):
    """What a network has; of two that differ in one number, the larger one can do more."""

    macs: int
    parameters: int
    weight_bits: int
    """Of all weights: width times number."""
    activation_bits: int
    """Of all maps between layers: width times number."""
    receptive_field: int
    """Rows, or steps of a series, that one output of a convolution depends on at the most."""
    layers: int
    """Operators."""


def capacity(graph: Graph) -> Capacity:
    """Return what a graph has."""
    weights = [
        prod(node.op.weight_shape) * node.op.weight_bits
        for node in graph
        if node.op.has_bias and node.op.weight_shape is not None
    ]
    return Capacity(
        graph.macs,
        graph.parameters,
        sum(weights),
        sum(node.output.elements * node.output.bits for node in graph),
        _receptive_field(graph),
        len(graph.nodes),
    )


def _receptive_field(graph: Graph) -> int:
    """Return the rows that a convolution's output depends on, the input's at the most."""
    fields, steps = {INPUT: 1}, {INPUT: 1}
    widest = 1
    for node in graph:
        field = max(fields[name] for name in node.inputs)
        step = max(steps[name] for name in node.inputs)
        window = getattr(node.op, "window", None)
        if window is not None:
            field += (max(window.kernel) - 1) * step
            step *= max(window.stride)
        fields[node.name], steps[node.name] = field, step
        if isinstance(node.op, Conv2d):
            widest = max(widest, field)
    return min(widest, max(map_shape(graph.input.shape)[1:]))
