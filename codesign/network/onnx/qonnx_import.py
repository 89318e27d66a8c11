"""What the quantisers of the QONNX dialect mean: `Quant`, `BipolarQuant` and `Trunc`.

QONNX rounds after it has added the zero point, ONNX before: with an odd zero point they differ on
what lies exactly half way. Here it is rounded before.

Source: Pappalardo et al., "QONNX: Representing Arbitrary-Precision Quantized Neural Networks",
arXiv 2206.07527, section IV; the operator documents of the qonnx project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.network.onnx.quantised_types import Quantiser, Stored
from codesign.network.op import Reals

DOMAINS = ("qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas")
OPERATORS = ("BipolarQuant", "IntQuant", "Quant", "Trunc")
MAX_BITS = 16

Constants = Sequence[NDArray[Any]]


def activation(operator: str, settings: Constants, attributes: Mapping[str, Any]) -> Quantiser:
    """Return how a node quantises a tensor that depends on the images.

    Args:
        operator: one of `OPERATORS`.
        settings: the node's constant inputs, scale first.
        attributes: the node's attributes.

    Raises:
        ValueError: a form that no exact integers follow from.
    """
    scale = _one(settings[0], "scale")
    if scale <= 0:
        raise ValueError(f"a scale of {scale}")
    if operator == "BipolarQuant":
        return Quantiser(scale, 0, -1, 1, "sign")
    if operator == "Trunc":
        return _truncation(scale, settings, attributes)
    zero, low, high = _range(settings, attributes)
    return Quantiser(scale, zero, low, high)


def constant(
    values: NDArray[np.floating],
    operator: str,
    settings: Constants,
    attributes: Mapping[str, Any],
) -> Stored:
    """Return a node's answer for a constant.

    Raises:
        ValueError: a form that no exact integers follow from.
    """
    scale, axis = _along(settings[0], values.ndim)
    if not (scale > 0).all():
        raise ValueError("a scale that is not positive")
    steps = values.astype(np.float64) / settings[0]
    if operator == "BipolarQuant":
        return Stored(np.where(steps >= 0, 1, -1), scale, axis)
    if operator == "Trunc":
        raise ValueError("it is known for tensors that depend on the images only")
    zero, low, high = _range(settings, attributes)
    integers = np.rint(np.clip(steps + zero, low, high)).astype(np.int64) - zero
    return Stored(integers, scale, axis)


def _truncation(step: float, settings: Constants, attributes: Mapping[str, Any]) -> Quantiser:
    """Return the quantiser of a `Trunc` node.

    Its first version (5 inputs) keeps the scale and saturates nowhere; the second one (6) brings
    a scale and a range of its own.
    """
    mode = str(attributes.get("rounding_mode", "FLOOR")).upper()
    if mode != "FLOOR":
        raise ValueError(f"rounding mode {mode}: FLOOR is exact")
    zero, before, after = (_whole(_one(settings[index], "setting")) for index in (1, 2, -1))
    if zero:
        raise ValueError(f"a zero point of {zero}: 0 is exact")
    if not 1 <= after <= before <= 2 * MAX_BITS:
        raise ValueError(f"from {before} to {after} bits")
    if len(settings) == 4:
        low, high = -(1 << before), 1 << before
        return Quantiser(step, 0, low, high, "truncate", before - after, step)
    scale = _one(settings[3], "scale")
    cut = float(np.log2(scale / step)) if scale > 0 else -1.0
    if cut < 0 or not cut.is_integer():
        raise ValueError(f"from steps of {step} to {scale}, which is no power of two of it")
    low, high = _integers(after, attributes)
    return Quantiser(scale, 0, low, high, "truncate", int(cut), step)


def _range(settings: Constants, attributes: Mapping[str, Any]) -> tuple[int, int, int]:
    """Return zero point, smallest and largest integer of a `Quant` node."""
    mode = attributes.get("rounding_mode", "ROUND")
    if str(mode).upper() not in ("ROUND", "HALF_EVEN"):
        raise ValueError(f"rounding mode {mode}: ROUND (half to even) is known")
    if len(settings) != 3:
        raise ValueError(f"{len(settings) + 1} inputs instead of 4")
    zero, bits = (_whole(_one(x, "setting")) for x in settings[1:])
    if not 1 <= bits <= MAX_BITS:
        raise ValueError(f"{bits} bits: 1 to {MAX_BITS} are known")
    if bits == 1 and attributes.get("signed", 1):
        raise ValueError("one signed bit, which tools read differently: say BipolarQuant")
    low, high = _integers(bits, attributes)
    return zero, low, high


def _integers(bits: int, attributes: Mapping[str, Any]) -> tuple[int, int]:
    """Return the smallest and largest integer of so many bits."""
    narrow = int(bool(attributes.get("narrow", 0)))
    if attributes.get("signed", 1):
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _along(scale: NDArray[Any], rank: int) -> tuple[Reals, int]:
    """Return a scale that varies along one axis at most, and that axis."""
    extents = (1,) * (rank - scale.ndim) + scale.shape
    axes = [axis for axis, extent in enumerate(extents) if extent != 1]
    if len(axes) > 1 or len(extents) > max(rank, 1):
        raise ValueError(f"scales of shape {scale.shape}: one per tensor or per channel is known")
    flat = scale.astype(np.float64).reshape(-1)
    return (flat, axes[0]) if axes else (flat.reshape(()), 0)


def _one(values: NDArray[Any], what: str) -> float:
    if values.size != 1:
        raise ValueError(f"a {what} of shape {values.shape}: one per tensor is known")
    return float(values.reshape(()))


def _whole(value: float) -> int:
    if not float(value).is_integer():
        raise ValueError(f"{value} instead of an integer")
    return int(value)
