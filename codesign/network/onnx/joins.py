"""ONNX operators that join tensors, or take parts of one.

Arithmetic with constants is a matter of factors and offsets (`codesign.network.onnx.factors`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from codesign.network.onnx.factors import batch_norm, scaled
from codesign.network.onnx.reader import ANY_BITS, Step
from codesign.network.onnx.values import Places, Value, ordered, positions
from codesign.network.op import Op, Reals
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.slice import Slice
from codesign.network.tensor import map_shape
from codesign.network.windows import Window

_ONE = np.ones(())
_ZERO = np.zeros(())
_MOST_FACTOR = 1e30
"""Smallest and largest divisors are within single precision, and so are their inverses."""


def _add(step: Step) -> Value:
    return _with_constant(step, lambda constant: (_ONE, constant)) or _sum(step)


def _sum(step: Step) -> Value:
    total = step.value(0)
    for index in range(1, len(step.node.input)):
        total = _added(step, total, step.value(index))
    return total if len(step.node.input) > 1 else step.same(total)


def _subtract(step: Step) -> Value:
    if step.is_constant(0):
        return scaled(step, step.value(1), -_ONE, step.reals(0))
    left = step.value(0)
    if step.is_constant(1):
        return scaled(step, left, _ONE, -step.reals(1))
    return _added(step, left, scaled(step, step.value(1), -_ONE, _ZERO))


def _negate(step: Step) -> Value:
    return scaled(step, step.value(0), -_ONE, _ZERO)


def _multiply(step: Step) -> Value:
    return _with_constant(step, lambda constant: (constant, _ZERO)) or _product(step)


def _divide(step: Step) -> Value:
    if not step.is_constant(1):
        step.refuse("by a computed tensor", "a tensor can be divided by constants")
    divisors = step.reals(1)
    if not divisors.size or not 1 / _MOST_FACTOR < np.abs(divisors).min() < _MOST_FACTOR:
        raise ValueError("divides by zero, or by what is next to it")
    return scaled(step, step.value(0), 1 / divisors, _ZERO)


def _with_constant(step: Step, line: Callable[[Reals], tuple[Reals, Reals]]) -> Value | None:
    """Read an operator whose one input is constant; `line` gives its factor and offset."""
    index = next((i for i in range(len(step.node.input)) if step.is_constant(i)), None)
    if index is None or len(step.node.input) != 2:
        return None
    return scaled(step, step.value(1 - index), *line(step.reals(index)))


def _added(step: Step, left: Value, right: Value) -> Value:
    if left.shape != right.shape:
        step.refuse(f"of shapes {left.shape} and {right.shape}", "both have to be the same")
    left, right = _alike(step, left, right)
    return step.append("add", Add(ANY_BITS), (left, right), like=left)


def _product(step: Step) -> Value:
    left, right = step.value(0), step.value(1)
    if math.prod(left.shape) < math.prod(right.shape):
        left, right = right, left
    if left.shape == right.shape:
        left, right = _alike(step, left, right)
    elif not _is_per_channel(step, left, right):
        remedy = "both have to be the same, or one has one number per channel"
        step.refuse(f"of shapes {left.shape} and {right.shape}", remedy)
    return step.append("multiply", Multiply(), (left, right), like=left)


def _alike(step: Step, *values: Value) -> list[Value]:
    """Return tensors whose elements lie alike; a vector becomes a map of one pixel.

    Raises:
        UnsupportedOperator: they lie in different orders.
    """
    own = [step.reader.own(value) for value in values]
    ranks = {len(shape) for shape in own}
    if len(ranks) > 1:
        values = tuple(
            _as_map(step, value) if len(shape) == 1 else value
            for value, shape in zip(values, own, strict=True)
        )
    first = values[0]
    for value in values[1:]:
        if step.reader.own(value) != step.reader.own(first) or not _same_order(value, first):
            step.refuse("of tensors in different orders", "reshape both in the same way")
    return list(values)


def _as_map(step: Step, value: Value) -> Value:
    return step.append("map", Pool2d("max", Window((1, 1))), (value,), like=value)


def _same_order(left: Value, right: Value) -> bool:
    if left.places is None or right.places is None:
        return left.places is right.places
    return np.array_equal(left.places.reshape(-1), right.places.reshape(-1))


def _is_per_channel(step: Step, maps: Value, factors: Value) -> bool:
    """Whether the second tensor has one element for each channel of the first."""
    own = map_shape(step.reader.own(maps))
    if map_shape(step.reader.own(factors)) != (own[0], 1, 1):
        return False
    if len(factors.shape) > len(maps.shape) or factors.shape[:1] != maps.shape[:1]:
        return False
    if len(factors.shape) != len(maps.shape):  # an axis would meet the batch's
        return False
    pixels = own[1] * own[2]
    if maps.places is None and factors.places is None and maps.shape[1] == factors.shape[1]:
        return math.prod(factors.shape[2:]) == 1 and maps.shape[1] == own[0]
    try:
        spread = np.broadcast_to(positions(factors), maps.shape[1:])
    except ValueError:
        return False
    return np.array_equal(positions(maps) // pixels, spread)


def _concat(step: Step) -> Value:
    values = [step.value(index) for index in range(len(step.node.input))]
    axis = _axis(step, values[0])
    if len(values) == 1:
        return step.same(values[0])
    shapes = [list(value.shape) for value in values]
    rest = [shape[:axis] + shape[axis + 1 :] for shape in shapes]
    if axis == 0 or len({len(s) for s in shapes}) > 1 or any(r != rest[0] for r in rest):
        step.refuse(f"along axis {axis} of {shapes}", "channels can be put in a row")
    if len({len(step.reader.own(value)) for value in values}) > 1:
        values = [_as_map(step, v) if len(step.reader.own(v)) == 1 else v for v in values]
    own = [step.reader.own(value) for value in values]
    if len({shape[1:] for shape in own}) > 1:
        step.refuse(f"of tensors made as {own}", "maps have to have the same size")
    made = step.append("concat", Concat(len(values), ANY_BITS), tuple(values))
    shape = list(shapes[0])
    shape[axis] = sum(extents[axis] for extents in shapes)
    places = None
    if axis != 1 or any(value.places is not None for value in values):
        places = ordered(_in_a_row(values, axis))
    return replace(made, shape=tuple(shape), places=places)


def _in_a_row(values: list[Value], axis: int) -> Places:
    """Return where the elements of several tensors lie in the channels of all."""
    parts, before = [], 0
    for value in values:
        parts.append(positions(value) + before)
        before += math.prod(value.shape[1:])
    return np.concatenate(parts, axis=axis - 1, dtype=np.int32)


def _split(step: Step) -> list[Value]:
    value = replace(step.value(0), alone=False)  # the parts read it, each for itself
    axis, outputs = _axis(step, value), len(step.node.output)
    extent = value.shape[axis]
    if step.has(1):
        sizes = step.integers(1)
    elif "split" in step.attributes:
        sizes = list(step.attributes["split"])
    else:
        each = -(-extent // step.attributes.get("num_outputs", outputs))
        sizes = [min(each, extent - start) for start in range(0, extent, max(1, each))]
    if len(sizes) != outputs or min(sizes) < 1 or sum(sizes) != extent:
        raise ValueError(f"{outputs} parts of sizes {sizes} out of {extent}")
    ends = np.cumsum(sizes).tolist()
    return [
        _part(step, value, axis, slice(end - size, end), index)
        for index, (end, size) in enumerate(zip(ends, sizes, strict=True))
    ]


def _slice(step: Step) -> Value:
    """Cut axis after axis; bounds are inputs, or attributes in early operator sets."""
    value, own = step.value(0), step.attributes
    if step.has(1):
        starts, ends = step.integers(1), step.integers(2)
        axes = step.integers(3) if step.has(3) else list(range(len(starts)))
        steps = step.integers(4) if step.has(4) else [1] * len(starts)
    else:
        starts, ends = list(own.get("starts", ())), list(own.get("ends", ()))
        axes, steps = list(own.get("axes", range(len(starts)))), [1] * len(starts)
    rank = len(value.shape)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise ValueError(f"starts {starts}, ends {ends}, axes {axes} and steps {steps}")
    for start, end, axis, stride in zip(starts, ends, axes, steps, strict=True):
        if not -rank <= axis < rank:
            raise ValueError(f"axis {axis} of a tensor of shape {value.shape}")
        extent = value.shape[axis]
        first, last = _limits(start, end, stride, extent)
        if (first, last, stride) != (0, extent, 1):
            value = _part(step, value, axis % rank, slice(first, last, stride), 0)
    return step.same(value)


def _limits(start: int, end: int, stride: int, extent: int) -> tuple[int, int]:
    """Return a slice as ONNX means it, within `0 .. extent`; it may be of no use."""
    start, end = (bound + extent if bound < 0 else bound for bound in (start, end))
    if stride < 0:
        return min(max(start, 0), extent - 1), min(max(end, -1), extent - 1)
    return min(max(start, 0), extent), min(max(end, 0), extent)


def _part(step: Step, value: Value, axis: int, cut: slice, output: int) -> Value:
    """Return some elements along an axis: they have to be whole, neighbouring channels."""
    pixels = math.prod(step.reader.own(value)[1:])
    extent = len(range(cut.start, cut.stop, cut.step or 1))
    form = f"of {extent} from axis {axis} of {value.shape}"
    remedy = "neighbouring channels of the layer before can be taken, and whole ones"
    if axis == 0 or extent < 1 or cut.step not in (None, 1):
        step.refuse(form, remedy)
    shape = (*value.shape[:axis], extent, *value.shape[axis + 1 :])
    if extent == value.shape[axis]:
        return replace(value, alone=value.alone and step.read_once(output))
    places: Places | None = None
    if axis == 1 and value.places is None:
        inner = math.prod(value.shape[2:])
        first, count = cut.start * inner, extent * inner
    else:
        index = (*(slice(None) for _ in range(axis - 1)), cut)
        places = positions(value)[index]
        first, count = int(places.min()), places.size
        if int(places.max()) - first + 1 != count:
            step.refuse(form, remedy)
        places = ordered(places - np.int32(first))
    if first % pixels or count % pixels:
        step.refuse(form, remedy)
    op: Op = Slice(first // pixels, (first + count) // pixels)
    made = step.append("slice", op, (value,))
    return replace(made, shape=shape, places=places, alone=step.read_once(output))


def _axis(step: Step, value: Value) -> int:
    """Return the axis of a node, counted from the front."""
    axis, rank = int(step.attributes.get("axis", 0)), len(value.shape)
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} of a tensor of shape {value.shape}")
    return axis % rank


JOINS: Mapping[str, Callable[[Step], Value | list[Value]]] = {
    "Add": _add,
    "BatchNormalization": batch_norm,
    "Concat": _concat,
    "Div": _divide,
    "Mul": _multiply,
    "Neg": _negate,
    "Slice": _slice,
    "Split": _split,
    "Sub": _subtract,
    "Sum": _sum,
}
