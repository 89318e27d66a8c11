"""ONNX operators on the pixels of maps: pooling, means, padding and enlargement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from codesign.network.graph import INPUT
from codesign.network.onnx.reader import Step
from codesign.network.onnx.resize import resize
from codesign.network.onnx.values import Padding, Value, axes_of, channels_last
from codesign.network.onnx.windows import (
    Frame,
    Pair,
    Sides,
    frame,
    reached,
    touches_all,
    with_ceiling,
)
from codesign.network.op import Shape
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import map_shape
from codesign.network.windows import Window

_NOTHING = (0, 0, 0, 0)
_LARGEST_UNCOUNTED = 64
"""Side of the largest average that leaves padding out: its sums get a common divisor."""
_LOWEST = -1e30
"""A padding below that never wins a maximum of single-precision numbers that mean something."""


def _max_pool(step: Step) -> Value:
    """Take in padding with less than zeros, and with zeros where nothing is negative."""
    maps = step.maps(step.unpadded(0))
    taken = maps.padding is not None and (maps.padding.lowest or not step.reader.is_signed(maps))
    return _pool(step, maps, "max", takes=taken)


def _average_pool(step: Step) -> Value:
    """Take in padding with zeros where the operator's own counts as well, or is none."""
    maps = step.maps(step.unpadded(0))
    counts = bool(step.attributes.get("count_include_pad", 0))
    taken = maps.padding is not None and not maps.padding.lowest
    alike = counts or not any(frame(step, maps).padding)
    return _pool(step, maps, "average", takes=taken and alike)


def _pool(step: Step, maps: Value, kind: str, *, takes: bool) -> Value:
    """Append a pooling, which may take in the padding that is left to do."""
    found = frame(step, maps)
    counts = bool(step.attributes.get("count_include_pad", 0))
    around = maps.padding.sides if maps.padding else _NOTHING
    inner = _size(step, maps)
    size = (inner[0] + around[0] + around[2], inner[1] + around[1] + around[3])
    padding = _ceiled(step, found, size)
    if kind == "average" and padding != found.padding:
        if counts:
            remedy = "leave padding out of the average, or round down"
            step.refuse("with ceil_mode over a map that leaves a rest", remedy)
        takes = False
    if maps.padding is not None:
        whole = _fitting(found, inner, _sum(padding, around))
        if takes and found.fits(whole):
            padding, counts, size = whole, True, inner
        else:
            maps = step.value(0)
    padding = _fitting(found, size, padding)
    window = found.window(padding)
    if not touches_all(window, size):
        step.refuse("with windows that hold padding alone", "pad less")
    if kind == "average" and not counts and any(padding):
        _check_common(step, found)
    op = Pool2d(kind, window, counts_padding=counts)
    return step.append("pool", op, (replace(maps, padding=None),))


def _ceiled(step: Step, found: Frame, size: Pair) -> Sides:
    """Return the padding with which windows also cover the rest of a map, if they have to."""
    ceils = step.attributes.get("ceil_mode", 0)
    return with_ceiling(found, size, found.padding) if ceils else found.padding


def _fitting(found: Frame, size: Pair, padding: Sides) -> Sides:
    """Return the padding, without what no window reaches if it would be too much."""
    return padding if found.fits(padding) else reached(found, size, padding)


def _check_common(step: Step, found: Frame) -> None:
    """Refuse windows whose numbers of pixels have no small common multiple."""
    if max(found.kernel) > _LARGEST_UNCOUNTED:
        form = f"of {found.kernel} pixels that leaves padding out"
        step.refuse(form, f"{_LARGEST_UNCOUNTED} by {_LARGEST_UNCOUNTED} is the largest")


def _size(step: Step, maps: Value) -> Pair:
    """Return rows and columns before any padding."""
    _, rows, columns = map_shape(step.reader.own(maps))
    return rows, columns


def _sum(left: Sides, right: Sides) -> Sides:
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3])


def _global_max_pool(step: Step) -> Value:
    return _whole(step, "max")


def _global_average_pool(step: Step) -> Value:
    return _whole(step, "average")


def _whole(step: Step, kind: str) -> Value:
    maps = step.maps(step.value(0))
    return _over(step, maps, kind, _size(step, maps))


def _reduce_mean(step: Step) -> Value:
    return _reduced(step, "average")


def _reduce_max(step: Step) -> Value:
    return _reduced(step, "max")


def _reduced(step: Step, kind: str) -> Value:
    """Read a mean or maximum over rows, columns or both."""
    value = step.value(0)
    chosen = _chosen_axes(step, value)
    if not chosen:
        return step.same(value)
    if value.layer == INPUT and value.places is None and len(value.shape) in (3, 4):
        value = step.maps(value)
    own = map_shape(step.reader.own(value))
    meanings = axes_of(value, own)
    over = {meanings[axis - 1] for axis in chosen} if meanings and 0 not in chosen else {0}
    if 0 in over or meanings is None:
        step.refuse(f"over axes {chosen} of {value.shape}", "rows and columns (2, 3) are known")
    kernel = (own[1] if 1 in over else 1, own[2] if 2 in over else 1)
    kept = [1 if axis in chosen else extent for axis, extent in enumerate(value.shape)]
    made = _over(step, value, kind, kernel)
    places = None
    if value.places is not None and made.layer != value.layer:
        places = channels_last(step.reader.own(made))
    elif made.layer == value.layer:
        places = value.places
    shape: Shape = tuple(kept)
    if not step.attributes.get("keepdims", 1):
        shape = tuple(extent for axis, extent in enumerate(kept) if axis not in chosen)
    flat = None if places is None else places.reshape(shape[1:])
    return replace(made, shape=shape, places=flat)


def _chosen_axes(step: Step, value: Value) -> list[int]:
    """Return the axes of a mean or maximum, counted from the front; by default all."""
    rank = len(value.shape)
    axes = step.integers(1) if step.has(1) else list(step.attributes.get("axes", ()))
    if not axes and not step.attributes.get("noop_with_empty_axes", 0):
        axes = list(range(rank))
    if any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"axes {axes} of a tensor of shape {value.shape}")
    return sorted({axis % rank for axis in axes})


def _over(step: Step, value: Value, kind: str, kernel: Pair) -> Value:
    """Append a pooling that does not slide along the axes it takes in."""
    if kernel == (1, 1):
        return step.same(value)
    return step.append("pool", Pool2d(kind, Window(kernel)), (value,))


def _pad(step: Step) -> Value:
    """Note padding with a constant: a window may take it in."""
    value = step.value(0)
    if value.places is None and len(value.shape) in (3, 4):
        value = step.maps(value)
    pads = step.integers(1) if step.has(1) else list(step.attributes.get("pads", ()))
    axes = step.integers(3) if step.has(3) else list(range(len(value.shape)))
    mode = step.attributes.get("mode", "constant")
    rank = len(value.shape)
    if len(pads) != 2 * len(axes) or any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"pads of {pads} along axes {axes} of {value.shape}")
    before, after = [0] * rank, [0] * rank
    for index, axis in enumerate(axes):
        before[axis], after[axis] = pads[index], pads[index + len(axes)]
    if not any(pads):
        return step.same(value)
    if mode != "constant":
        step.refuse(f"by {mode}", "pad with zeros")
    lowest = _is_lowest(step)
    meanings = axes_of(value, step.reader.own(value))
    if meanings is None or before[0] or after[0]:
        step.refuse(f"of {pads} around {value.shape}", "rows and columns of maps can be padded")
    sides = [0, 0, 0, 0]
    for axis, meaning in enumerate(meanings, start=1):
        if min(before[axis], after[axis]) < 0 or (meaning == 0 and (before[axis] or after[axis])):
            step.refuse(f"of {pads} around {value.shape}", "only rows and columns can grow")
        if meaning:
            sides[meaning - 1], sides[meaning + 1] = before[axis], after[axis]
    return _padded(step, value, Padding((sides[0], sides[1], sides[2], sides[3]), lowest))


def _padded(step: Step, value: Value, padding: Padding) -> Value:
    """Return a padded tensor; the padding waits for a window where the maps lie in order."""
    shape = list(value.shape)
    axes = axes_of(value, step.reader.own(value)) or ()
    for axis, meaning in enumerate(axes, start=1):
        if meaning:
            shape[axis] += padding.sides[meaning - 1] + padding.sides[meaning + 1]
    if value.places is None and axes[0] == 0:
        return replace(step.same(value), shape=tuple(shape), padding=padding)
    if padding.lowest:
        step.refuse("with less than zeros around reordered maps", "pad channels-first maps")
    made = step.padded(value, padding.sides)
    places = channels_last(step.reader.own(made))
    flat = None if places is None else places.reshape(shape[1:])
    return replace(made, shape=tuple(shape), places=flat)


def _is_lowest(step: Step) -> bool:
    """Whether padding is less than any number, and not zero."""
    number = step.attributes.get("value", 0.0)
    if step.has(2):
        stored = step.constant(2)
        if stored.size != 1 or stored.dtype.kind in "cOSU":
            raise ValueError(f"a padding of shape {stored.shape}")
        number = stored.reshape(())
    if not (float(number) == 0 or float(number) < _LOWEST):
        step.refuse(f"with {float(number):g}", "pad with zeros")
    return bool(float(number) < 0)


POOLS: Mapping[str, Callable[[Step], Value]] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceMax": _reduce_max,
    "ReduceMean": _reduce_mean,
    "Resize": resize,
    "Upsample": resize,
}
