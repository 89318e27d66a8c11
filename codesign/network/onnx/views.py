"""ONNX operators that change no number: other shapes and orders, and what the host is left with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from onnx import TensorProto

from codesign.network.onnx.reader import Step
from codesign.network.onnx.values import Value, reshaped, transposed
from codesign.network.op import Shape
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window

_REAL_TYPES = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def _flatten(step: Step) -> Value:
    value = step.value(0)
    axis = step.attributes.get("axis", 1)
    if not -len(value.shape) <= axis <= len(value.shape):
        raise ValueError(f"axis {axis} of a tensor of shape {value.shape}")
    axis += len(value.shape) if axis < 0 else 0
    shape = (math.prod(value.shape[:axis]), math.prod(value.shape[axis:]))
    return _viewed(step, value, shape)


def _reshape(step: Step) -> Value:
    value = step.value(0)
    target = step.integers(1)
    if not step.attributes.get("allowzero", 0):
        kept = (*value.shape, *(0 for _ in target))
        target = [kept[axis] if extent == 0 else extent for axis, extent in enumerate(target)]
    if target.count(-1) == 1:
        known = -math.prod(target)
        target[target.index(-1)] = math.prod(value.shape) // known if known else 0
    return _viewed(step, value, tuple(target))


def _squeeze(step: Step) -> Value:
    value = step.value(0)
    chosen = _axes(step)
    ones = [axis for axis, extent in enumerate(value.shape) if extent == 1]
    axes = ones if chosen is None else [axis % len(value.shape) for axis in chosen]
    kept = tuple(extent for axis, extent in enumerate(value.shape) if axis not in axes)
    return _viewed(step, value, kept)


def _unsqueeze(step: Step) -> Value:
    value = step.value(0)
    chosen = _axes(step) or []
    rank = len(value.shape) + len(chosen)
    axes = [axis % rank for axis in chosen]
    if len(set(axes)) != len(axes):
        raise ValueError(f"the axes {chosen} repeat each other")
    rest = iter(value.shape)
    return _viewed(step, value, tuple(1 if axis in axes else next(rest) for axis in range(rank)))


def _axes(step: Step) -> list[int] | None:
    """Return the axes of a node, which early operator sets hold as an attribute."""
    if step.has(1):
        return step.integers(1)
    axes = step.attributes.get("axes")
    return None if axes is None else list(axes)


def _viewed(step: Step, value: Value, shape: Shape) -> Value:
    """Return a value in another shape; without its batch of one it can only end the model."""
    whole = math.prod(shape) == math.prod(value.shape) and min(shape, default=1) > 0
    if whole and value.shape[0] == 1 and len(shape) < 2:
        return _left_to_host(step)
    if not whole or shape[:1] != value.shape[:1]:
        step.refuse(f"from {value.shape} to {shape}", "images have to stay apart, and whole")
    return reshaped(step.same(value), shape)


def _transpose(step: Step) -> Value:
    value = step.value(0)
    rank = len(value.shape)
    axes = list(step.attributes.get("perm", reversed(range(rank))))
    if sorted(axes) != list(range(rank)):
        raise ValueError(f"axes {axes} of a tensor of shape {value.shape}")
    if axes[0] != 0:
        step.refuse(f"to axes {axes}", "images have to stay apart: the first axis remains")
    return transposed(step.same(value), axes)


def _cast(step: Step) -> Value:
    if step.attributes.get("to") not in _REAL_TYPES:
        step.refuse("to a type that is not real", "only casts that change no number are known")
    return step.same(step.value(0))


def _dropout(step: Step) -> Value:
    if step.has(2) and bool(step.constant(2).any()):
        step.refuse("in training mode", "export the model in evaluation mode")
    return step.same(step.value(0))


def _identity(step: Step) -> Value:
    return step.same(step.value(0))


def _quantised(step: Step) -> Value:
    value = step.value(0)
    again = step.attributes.get("requantises", 0) and not value.alone
    if value.quantised or again:
        value = step.append("pool", Pool2d("max", Window((1, 1))), (value,), like=value)
    return replace(value, alone=False, quantised=True)


def _left_to_host(step: Step) -> Value:
    value = step.value(0)
    step.reader.notes.append(f"{step.node.op_type} '{step.label}' is left to the host")
    return replace(value, alone=False, left_to_host=True)


VIEWS: Mapping[str, Callable[[Step], Value]] = {
    "ArgMax": _left_to_host,
    "Cast": _cast,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Identity": _identity,
    "LogSoftmax": _left_to_host,
    "Quantised": _quantised,
    "Reshape": _reshape,
    "Softmax": _left_to_host,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
