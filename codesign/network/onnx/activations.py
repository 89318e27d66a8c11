"""ONNX operators on single numbers: rectifiers and clips, and functions that become tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from codesign.network.functions import FUNCTIONS
from codesign.network.onnx.float_export import FUNCTIONS as OPERATORS
from codesign.network.onnx.reader import Step
from codesign.network.onnx.values import Layer, Value, per_channel
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.windows import Window

_NAMES = {operator: (name, parameters) for name, (operator, parameters) in OPERATORS.items()}

_FREE = (("min", -math.inf), ("max", math.inf))


def bounded(step: Step, value: Value, low: float, high: float) -> Value:
    """Return the value clipped to `low .. high`.

    The layer before does it, or one before a pooling or view of it; else a 1 x 1 maximum.
    """
    if math.isnan(low) or math.isnan(high) or low > high:
        raise ValueError(f"bounds of {low} and {high}")
    changes = low > -math.inf and (low > 0 or step.reader.is_signed(value))
    if not changes and high == math.inf:
        return step.same(value)
    layers = _holders(step, value, low, high)
    if layers:
        kept = step.same(value)
    else:
        kind = "relu" if (low, high) == (0.0, math.inf) else "clip"
        kept = step.append(kind, Pool2d("max", Window((1, 1))), (value,), like=value)
        layers = [step.reader.layers[kept.layer]]
    last = layers[-1]
    last.bounds = (_within(last.bounds[0], low, high), _within(last.bounds[1], low, high))
    for layer in layers:
        layer.signed = layer.signed and last.bounds[0] < 0
    return kept


def _within(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _holders(step: Step, value: Value, low: float, high: float) -> list[Layer]:
    """Return the layers from the one before back to the one that can clip, which is the last.

    What only passes numbers on may as well pass clipped ones on, if nobody else reads them.
    """
    found: list[Layer] = []
    while value.alone and value.layer in step.reader.layers:
        layer = step.reader.layers[value.layer]
        found.append(layer)
        keeps_zero = low <= 0 <= high or not isinstance(layer.op, Pad2d)
        if not layer.op.passes or layer.is_bounded or not keeps_zero:
            break
        value = layer.sources[0]
    return found


def _relu(step: Step) -> Value:
    return bounded(step, step.value(0), 0.0, math.inf)


def _clip(step: Step) -> Value:
    """Bounds are inputs, or attributes in early operator sets."""
    value, own = step.value(0), step.attributes
    bounds = [float(own.get(name, default)) for name, default in _FREE]
    for index in (1, 2):
        if step.has(index):
            bounds[index - 1] = _scalar(step, index)
    return bounded(step, value, *bounds)


def _minimum(step: Step) -> Value:
    return _extreme(step, lambda bound: (-math.inf, bound))


def _maximum(step: Step) -> Value:
    return _extreme(step, lambda bound: (bound, math.inf))


def _extreme(step: Step, bounds: Callable[[float], tuple[float, float]]) -> Value:
    if len(step.node.input) != 2 or not (step.is_constant(0) or step.is_constant(1)):
        step.refuse("of computed tensors", "a tensor and one number can be compared")
    index = 0 if step.is_constant(1) else 1
    return bounded(step, step.value(index), *bounds(_scalar(step, 1 - index)))


def _scalar(step: Step, index: int) -> float:
    """Return a constant bound, which may be infinite."""
    stored = step.constant(index)
    if stored.size != 1 or stored.dtype.kind in "cOSU":
        step.refuse(f"with a bound of shape {stored.shape}", "one number can be read")
    return float(stored.reshape(()))


def table(step: Step, value: Value, function: str, parameters: tuple[float, ...] = ()) -> Value:
    """Append a function of every number; several slopes are one per channel."""
    channels = len(parameters) if function == "leaky_relu" and len(parameters) > 1 else 1
    if not all(map(math.isfinite, parameters)):
        raise ValueError(f"parameters of {parameters}")
    op = Table(function, parameters, (0, 0), (0, 0), channels)
    made = step.append(function, op, (value,), like=value)
    grows = function != "selu" or parameters[1] >= 0  # what is positive stays so
    signed = step.reader.is_signed(value) or not grows
    step.reader.layers[made.layer].signed = signed and FUNCTIONS[function].least < 0
    return made


def _function(step: Step) -> Value:
    name, attributes = _NAMES[step.node.op_type]
    if step.attributes.get("approximate", "none") != "none":
        step.refuse("by its approximation", "export it as the exact function")
    defaults = FUNCTIONS[name].defaults
    given = (step.attributes.get(key) for key in attributes)
    parameters = [d if g is None else g for g, d in zip(given, defaults, strict=True)]
    return table(step, step.value(0), name, tuple(float(value) for value in parameters))


def _celu(step: Step) -> Value:
    return _with_unit_alpha(step, "elu", (1.0,))


def _swish(step: Step) -> Value:
    return _with_unit_alpha(step, "silu", ())


def _with_unit_alpha(step: Step, function: str, parameters: tuple[float, ...]) -> Value:
    alpha = float(step.attributes.get("alpha", 1.0))
    if alpha != 1:
        step.refuse(f"with alpha {alpha}", "1 is known")
    return table(step, step.value(0), function, parameters)


def _prelu(step: Step) -> Value:
    value, slopes = step.value(0), step.reals(1)
    found = per_channel(value, step.reader.own(value), slopes)
    if found is None:
        remedy = "one slope per channel, or one for all, can be read"
        step.refuse(f"with slopes of shape {slopes.shape} for a tensor of {value.shape}", remedy)
    same = np.unique(found)
    return table(step, value, "leaky_relu", tuple((same if len(same) == 1 else found).tolist()))


def _recognised(step: Step) -> Value:
    """Read what `codesign.network.onnx.patterns` has put for several nodes."""
    return table(step, step.value(0), step.attributes["function"])


ACTIVATIONS: Mapping[str, Callable[[Step], Value]] = {
    **dict.fromkeys(_NAMES, _function),
    "Celu": _celu,
    "Clip": _clip,
    "Max": _maximum,
    "Min": _minimum,
    "PRelu": _prelu,
    "Recognised": _recognised,
    "Relu": _relu,
    "Swish": _swish,
}
