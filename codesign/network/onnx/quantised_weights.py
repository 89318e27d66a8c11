"""The integers behind the real weights of a layer that came quantised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from codesign.network.network import FloatParameters
from codesign.network.onnx import model_file
from codesign.network.onnx.quantised_types import Stored, Stripped
from codesign.network.op import Integers, Reals

MAX_WEIGHT_BITS = 16
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_EXACT = 1e-2
"""How far from an integer the quotient of rounded single-precision numbers may be."""
_SAME = 1e-5
_FINE_BITS = 14


@dataclass(frozen=True, slots=True)
class Steps:
    """Real value of a step of the weights, and their largest integer, per output channel."""

    scale: Reals
    largest: Integers


@dataclass(frozen=True, slots=True)
class Layer:
    """Integers of a layer: weights as its operator shapes them, bias in steps of the sums.

    `scale` is that of the weights, `[outputs]`; `bias` may lie between integers.
    """

    weights: Integers
    bias: Reals
    scale: Reals


def weight_steps(stripped: Stripped, names: Mapping[str, str]) -> dict[str, Steps]:
    """Return the steps of the weights of every layer, by the layer's name.

    Args:
        stripped: the float model with its quantised constants.
        names: the layer that makes each of its tensors.

    Raises:
        ValueError: scales run along another axis than the outputs.
    """
    found = {}
    for node in stripped.model.graph.node:
        stored = stripped.constants.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type in _WEIGHTED and stored is not None and node.output[0] in names:
            found[names[node.output[0]]] = _per_output(node, stored)
    return found


def from_steps(real: FloatParameters, steps: Steps, source: float) -> Layer:
    """Return the integers of weights whose steps are known.

    What was multiplied into a channel since (batch normalisation) scales its steps; a negative
    factor negates its integers.

    Args:
        real: weights and bias as they are now.
        steps: of the weights as they were stored.
        source: real value of one step of the layer's input.

    Raises:
        ValueError: the weights are no longer integers times a scale.
    """
    rows = real.weights.reshape(len(real.weights), -1)
    nominal = steps.scale * np.maximum(steps.largest, 1)
    gains = np.abs(rows).max(axis=1) / nominal
    unchanged = (steps.largest == 0) | (gains == 0) | (np.abs(gains - 1) < _SAME)
    scale = steps.scale * np.where(unchanged, 1.0, gains)
    live = (steps.largest > 0) & (gains > 0)
    if live.any():  # the scale of a channel without weights is anything, and would cost bits
        scale = np.clip(scale, scale[live].min(), scale[live].max())
    quotients = real.weights / scale.reshape(-1, *(1,) * (real.weights.ndim - 1))
    integers = np.rint(quotients)
    if np.abs(quotients - integers).max() > _EXACT:
        raise ValueError("what follows its weights leaves them no integers of one scale")
    return Layer(integers.astype(np.int64), real.bias / (source * scale), scale)


def from_factors(real: FloatParameters, source: float) -> Layer:
    """Return the integers of one real factor per channel: powers of two, the scale does the rest.

    They are large enough that the bias is as good as exact.
    """
    sizes = np.abs(real.weights.reshape(-1))
    scale = np.where(sizes > 0, sizes, 1.0)
    bias = real.bias / (source * scale)
    for bits in range(_FINE_BITS + 1):
        fine = bias * 2.0**bits
        if np.abs(fine - np.rint(fine)).max() < _SAME:
            break
    integers = np.sign(real.weights).astype(np.int64) << bits
    return Layer(integers, fine, scale / 2.0**bits)


def _per_output(node: onnx.NodeProto, stored: Stored) -> Steps:
    integers, outputs = stored.integers, 0
    attributes = model_file.attributes(node)
    groups = 1
    if node.op_type == "ConvTranspose":
        outputs, groups = 1, int(attributes.get("group", 1))
    elif node.op_type == "MatMul" or (node.op_type == "Gemm" and not attributes.get("transB", 0)):
        outputs = 1
    if integers.ndim < 2 or (stored.scale.ndim and stored.axis != outputs):
        raise ValueError(f"the weights of '{model_file.label(node)}' have no scale per output")
    inner = tuple(axis for axis in range(integers.ndim) if axis != outputs)
    largest = np.abs(integers).max(axis=inner)
    if groups > 1:
        parts = integers.reshape(groups, -1, *integers.shape[1:])
        largest = np.abs(parts).max(axis=tuple(x for x in range(parts.ndim) if x not in (0, 2)))
        largest = largest.reshape(-1)
    scale = np.resize(np.broadcast_to(stored.scale, integers.shape[outputs]), largest.shape)
    return Steps(scale.astype(np.float64), largest)
