"""What one integer step is worth: the scales of a network that is to be quantised.

Two kinds are offered. With `power_of_two` every requantisation is a shift (no multiplier in
hardware); with `multiplier` each output channel has its own weight scale and one integer factor
of up to 16 bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.network.calibration import Calibration
from codesign.network.calibrations.mse import Mse
from codesign.network.floats import Floats
from codesign.network.graph import INPUT, Node
from codesign.network.histogram import observe
from codesign.network.joins import is_free
from codesign.network.network import FloatNetwork
from codesign.network.op import Integers
from codesign.network.rounding import best_steps
from codesign.network.steps import TensorSteps, step_of_one
from codesign.network.tensor import Tensor

Kind = Literal["power_of_two", "multiplier"]

MULTIPLIER_BITS: Mapping[Kind, int] = {"power_of_two": 1, "multiplier": 16}
"""Bits of a requantisation's integer factor, by kind of scales."""

_SMALLEST_CHANNEL = 2.0**-8
_MOST_FACTOR_BITS = 31


@dataclass(frozen=True, slots=True)
class Method:
    """How a trained network is quantised."""

    calibration: Calibration = field(default_factory=Mse)
    """What decides the scales of the input and of what layers make."""
    per_channel: bool = True
    """Each output channel has its own weight scale, where scales are multipliers."""
    equalise: bool = False
    """Balance the channels of layers that follow one another before the scales are chosen."""
    correct_bias: bool = False
    """Take from every bias the mean error that rounding causes on the calibration images."""


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

    def bias_integers(self, node: Node, inputs: tuple[Tensor, ...], real: Floats) -> Integers:
        """Return real biases as integers at the scale of a layer's sums, `[outputs]`."""
        rounded = np.rint(real / self.unit(node))
        return np.clip(rounded, *bias_range(node, inputs)).astype(np.int64)


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


def choose_scales(
    network: FloatNetwork,
    images: NDArray[np.floating],
    kind: Kind,
    method: Method | None = None,
) -> Scales:
    """Choose the scales of weights by least squared error, the others by calibration.

    Args:
        network: the real weights.
        images: `N x` the input's shape; a few hundred small ones do.
        kind: `power_of_two` or `multiplier`.
        method: the calibration, and whether output channels have scales of their own.

    Raises:
        InputError: there is no such kind, no image, or a value is not finite.
    """
    if kind not in MULTIPLIER_BITS:
        raise InputError("scales", f"there is no '{kind}'", nearest(kind, MULTIPLIER_BITS))
    method = method or Method()
    graph, bits = network.graph, MULTIPLIER_BITS[kind]
    base = 1.0 if kind == "power_of_two" else None
    steps = TensorSteps(graph, observe(network, images), method.calibration, base)
    scales = Scales(bits, {INPUT: steps.choose(INPUT, step_of_one(graph, base), 0.0)}, {}, {})
    for node in graph:
        sources = [scales.tensors[name] for name in node.inputs]
        if node.op.has_bias:
            own, split = network.parameters[node.name], has_channel_scales(node, kind, method)
            limit = bias_range(node, graph.inputs(node))[1] / (2 if method.correct_bias else 1)
            found = weight_steps(own.weights, node.op.weight_bits, base, split)
            found = _with_room(found, own.bias / (sources[0] * limit), base, split)
            if not found.any():
                # nothing is computed, with any step: the sums can have that of the output
                free = is_free(node)
                found += (steps.choose(node.name, 1.0, 0.0) if free else 1.0) / sources[0]
            scales.weights[node.name] = found
        if node.op.rescales:
            scales.factors[node.name] = joining_factors(sources, node.op.weight_bits)
        scales.tensors[node.name] = _output_step(node, float(scales.unit(node).max()), steps, kind)
    return scales


def _output_step(node: Node, unit: float, steps: TensorSteps, kind: Kind) -> float:
    """Return the step of what a node makes of sums of (at most) that unit."""
    if not is_free(node):
        return steps.fix(node.name, unit)
    if not node.multiplier_bits:
        return steps.choose(node.name, unit, 0.0)
    # a shift to the right cannot make steps finer than those of the sums, nor can a multiplier
    # make them finer by more than its bits
    least = unit / (1 << (MULTIPLIER_BITS[kind] - 1))
    return steps.choose(node.name, unit, least, unit if kind == "power_of_two" else None)


def has_channel_scales(node: Node, kind: Kind, method: Method) -> bool:
    """Whether each output channel has its own weight scale; scores to be compared share one."""
    return kind == "multiplier" and method.per_channel and node.multiplier_bits > 0


def weight_steps(weights: Floats, bits: int, base: float | None, split: bool) -> Floats:
    """Return the step of each output channel's weights of least squared error, `[outputs]`.

    Args:
        weights: a layer's real weights, `[outputs, ...]`.
        bits: those of one integer weight.
        base: steps are powers of two times that; None permits any.
        split: whether channels have steps of their own.
    """
    rows = weights.reshape(len(weights) if split else 1, -1)
    steps = best_steps(rows, *weight_range(bits), base)
    return np.broadcast_to(steps, (len(weights),)).copy()


def _with_room(steps: Floats, room: Floats, base: float | None, split: bool) -> Floats:
    """Return steps that are large enough for the biases, and not all too far apart.

    Args:
        steps: `[outputs]`; 0 for channels without any weight.
        room: the steps at which each bias is the largest that the sums have room for, or its
            negative.
        base: steps are powers of two times that; None permits any.
        split: whether channels have steps of their own.

    Returns:
        `[outputs]`; all 0 if there is neither weight nor bias.
    """
    found = np.maximum(steps, np.abs(room))
    if base is not None and found.max() > 0:
        found = np.ldexp(base, np.ceil(np.log2(found.max(keepdims=True) / base)).astype(np.int64))
    # a channel of weights near zero still needs a multiplier of some bits
    common: Floats = np.maximum(found, found.max() * (_SMALLEST_CHANNEL if split else 1.0))
    return common


def joining_factors(scales: Sequence[float], bits: int) -> Integers:
    """Return positive integers in the ratio of some scales, as near as `bits` bits permit.

    The smallest is as small as possible, so that powers of two give 1 and powers of two. More
    bits are taken only where the ratio itself needs them; ratios beyond 2**29 are cut short.
    """
    ratios = np.array(scales) / min(scales)
    needed = math.ceil(math.log2(ratios.max())) + 2
    limit = (1 << (min(max(bits, needed), _MOST_FACTOR_BITS) - 1)) - 1
    fine = np.arange(1, max(1, int(limit / ratios.max())) + 1)[:, None]
    factors = np.minimum(np.rint(fine * ratios), limit).astype(np.int64)
    errors = np.abs(np.log(factors / (fine * ratios))).max(axis=1)
    best: Integers = factors[errors.argmin()]
    return best
