"""What one integer step is worth: the scales of a network that is to be quantised.

Two kinds are offered. With `power_of_two` every requantisation is a shift (no multiplier in
hardware); with `multiplier` each output channel has its own weight scale and one integer factor
of up to 16 bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.network.floats import Floats, execute_floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor

Kind = Literal["power_of_two", "multiplier"]

MULTIPLIER_BITS: Mapping[Kind, int] = {"power_of_two": 1, "multiplier": 16}
"""Bits of a requantisation's integer factor, by kind of scales."""

_CALIBRATION_VALUES = 1 << 16
_SMALLEST_CHANNEL = 2.0**-8


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Real value of one step of every tensor and of every weight.

    `tensors` has the input and every node; `weights` has, for nodes that learn, one value per
    output channel `[outputs]`; `factors` has, for nodes that rescale their inputs, one positive
    integer each.
    """

    multiplier_bits: int
    tensors: MutableMapping[str, float]
    weights: MutableMapping[str, Floats]
    factors: MutableMapping[str, Integers]

    def unit(self, node: Node) -> Floats:
        """Return the real value of one step of a node's accumulator, `[outputs]` or `[1]`."""
        sources = [self.tensors[name] for name in node.inputs]
        held = self.factors if node.op.rescales else self.weights
        return node.op.unit(sources, held.get(node.name))


def weight_range(bits: int) -> tuple[int, int]:
    """Return the smallest and largest integer that a weight of `bits` bits is given.

    The range is symmetric, so that negating a filter negates its answer; but two bits also use
    their fourth code, -2: measured on digits, that is worth one point of accuracy.
    """
    high = (1 << (bits - 1)) - 1
    return (-2, 1) if bits == 2 else (-high, high)


def bias_range(node: Node, inputs: tuple[Tensor, ...]) -> tuple[int, int]:
    """Return the range of a bias: that of the sums, for which the graph reserves one bit."""
    return node.op.accumulator_range(inputs, None)


def choose_scales(network: FloatNetwork, images: NDArray[np.floating], kind: Kind) -> Scales:
    """Choose the scales of least squared error on the weights and on calibration images.

    Args:
        network: the real weights.
        images: `N x` the input's shape; a few hundred do.
        kind: `power_of_two` or `multiplier`.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in MULTIPLIER_BITS:
        raise InputError("scales", f"there is no '{kind}'", nearest(kind, MULTIPLIER_BITS))
    graph = network.graph
    values = execute_floats(network, images)
    powers = kind == "power_of_two"
    tensors = {INPUT: _tensor_scale(values[INPUT], graph.input, 1.0 if powers else None)}
    scales = Scales(MULTIPLIER_BITS[kind], tensors, {}, {})
    for node in graph:
        sources = [tensors[name] for name in node.inputs]
        if node.op.has_bias:
            own, inputs = network.parameters[node.name], graph.inputs(node)
            scales.weights[node.name] = _layer_scales(node, own, powers, sources[0], inputs)
        if node.op.rescales:
            scales.factors[node.name] = joining_factors(sources, node.op.weight_bits)
        tensors[node.name] = _output_scale(network, node, scales, values[node.name], powers)
    return scales


def _output_scale(
    network: FloatNetwork, node: Node, scales: Scales, values: Floats, powers: bool
) -> float:
    """Return the scale of what a node makes."""
    unit = float(scales.unit(node)[0])
    if isinstance(node.op, Table):
        return _tensor_scale(values, node.output, 1.0 if powers else None)
    if not node.multiplier_bits:
        return unit
    base = unit if powers else _partner(network.graph, node, scales.tensors)
    wanted = _tensor_scale(values, node.output, base)
    # a right shift cannot make steps finer than those of the accumulator
    return max(wanted, unit) if powers else wanted


def joining_factors(scales: Sequence[float], bits: int) -> Integers:
    """Return positive integers in the ratio of some scales, as near as `bits` bits permit.

    The smallest is as small as possible, so that powers of two give 1 and powers of two. More
    bits are taken only where the ratio itself needs them.
    """
    ratios = np.array(scales) / min(scales)
    needed = math.ceil(math.log2(ratios.max())) + 2
    limit = (1 << (min(max(bits, needed), 16) - 1)) - 1
    fine = np.arange(1, max(1, int(limit / ratios.max())) + 1)[:, None]
    factors = np.minimum(np.rint(fine * ratios), limit).astype(np.int64)
    errors = np.abs(np.log(factors / (fine * ratios))).max(axis=1)
    best: Integers = factors[errors.argmin()]
    return best


def _partner(graph: Graph, node: Node, tensors: Mapping[str, float]) -> float | None:
    """Return the scale of what a node's output will be added to, where that is already chosen.

    A power of two of it makes the addition's integer weights exact.
    """
    for reader in graph.readers(node.name):
        if reader.op.rescales:
            for name in reader.inputs:
                if name in tensors:
                    return tensors[name]
    return None


def _layer_scales(
    node: Node, own: FloatParameters, powers: bool, source: float, inputs: tuple[Tensor, ...]
) -> Floats:
    """Return the scale of each output channel's weights; scores to be compared share one."""
    low, high = weight_range(node.op.weight_bits)
    outputs = len(own.weights)
    if powers or node.multiplier_bits == 0:
        base = 1.0 if powers else None
        return np.repeat(_best_scales(own.weights.reshape(1, -1), low, high, base), outputs)
    best = _best_scales(own.weights.reshape(outputs, -1), low, high, None)
    # a channel of weights near zero still needs a multiplier of some bits, and room for its bias
    room = np.abs(own.bias) / (source * bias_range(node, inputs)[1])
    scales: Floats = np.maximum(best, np.maximum(room, best.max() * _SMALLEST_CHANNEL))
    return scales


def _tensor_scale(values: Floats, tensor: Tensor, base: float | None) -> float:
    flat = values.reshape(1, -1)
    stride = max(1, flat.size // _CALIBRATION_VALUES) | 1
    return float(_best_scales(flat[:, ::stride], tensor.low, tensor.high, base)[0])


def _best_scales(rows: Floats, low: int, high: int, base: float | None) -> Floats:
    """Return the scale of least squared rounding and clipping error of each row, `[rows]`.

    With a `base`, it is a power of two times that.
    """
    largest = np.maximum(rows.max(axis=1) / high, rows.min(axis=1) / low if low else 0.0)
    largest = np.where(largest > 0, largest, 1.0)
    if base is None:
        candidates = largest * np.linspace(1.0, 0.2, 33)[:, None]
    else:
        exponents = np.ceil(np.log2(largest / base)) - np.arange(5)[:, None]
        candidates = np.ldexp(base, exponents.astype(np.int64))
    errors = [
        ((np.clip(np.rint(rows / step), low, high) * step - rows) ** 2).sum(axis=1)
        for step in candidates[:, :, None]
    ]
    best: Floats = candidates[np.argmin(errors, axis=0), np.arange(len(rows))]
    return best
