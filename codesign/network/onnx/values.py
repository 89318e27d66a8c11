"""What an ONNX tensor holds: the output of a layer, whole, in some order and shape.

Reshapes and transpositions compute nothing: they are kept as the order in which an ONNX tensor
lists the elements of a layer's output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from codesign.network.network import FloatParameters
from codesign.network.op import Op, Reals, Shape
from codesign.network.tensor import map_shape

Places = NDArray[np.int32]
"""By element of an ONNX tensor without its batch: its index in the layer's flattened output."""

MOST_PLACES = 1 << 24
"""Elements of the largest tensor whose order is followed."""

_FIRST = ((0, 1, 2), (0, 2), (0, 1))
_LAST = ((1, 2, 0), (2, 0), (1, 0))
"""Channels (0) before or after rows (1) and columns (2), of which one may be left out."""


@dataclass(frozen=True, slots=True)
class Padding:
    """A `Pad` that has yet to become part of a window, or a layer.

    `sides` are (top, left, bottom, right); filled with zeros, or with less than any number.
    """

    sides: tuple[int, int, int, int]
    lowest: bool


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """What an ONNX tensor holds: a layer's output, in the shape `N x ...` that ONNX gives it."""

    layer: str
    shape: Shape
    alone: bool
    """Whether nothing else reads that output on the way to here: what follows may become part of
    the layer."""
    places: Places | None = None
    """None: in the layer's own order."""
    padding: Padding | None = None
    left_to_host: bool = False
    """Whether an operator that no layer computes came after."""
    quantised: bool = False
    """Whether the layer has been said to end here."""


@dataclass(slots=True)
class Layer:
    """A node of the network to be, while later ONNX nodes may still join it."""

    name: str
    origin: str
    op: Op
    sources: tuple[Value, ...]
    shape: Shape
    parameters: FloatParameters | None = None
    signed: bool = True
    bounds: tuple[float, float] = field(default=(-math.inf, math.inf))

    @property
    def is_bounded(self) -> bool:
        """Whether it ends with a ReLU or a clip."""
        return self.bounds != (-math.inf, math.inf)


def positions(value: Value) -> Places:
    """Return where the elements of a tensor lie, in its shape without the batch.

    Raises:
        ValueError: there are too many of them.
    """
    if value.places is not None:
        return value.places
    elements = math.prod(value.shape[1:])
    if elements > MOST_PLACES:
        raise ValueError(f"a tensor of {elements} elements is reordered; {MOST_PLACES} is the most")
    return np.arange(elements, dtype=np.int32).reshape(value.shape[1:])


def ordered(places: Places) -> Places | None:
    """Return the places, or None for a layer's own order."""
    flat = places.reshape(-1)
    is_own = np.array_equal(flat, np.arange(len(flat), dtype=flat.dtype))
    return None if is_own else places


def reshaped(value: Value, shape: Shape) -> Value:
    """Return a tensor in another shape, element after element the same."""
    places = None if value.places is None else value.places.reshape(shape[1:])
    return replace(value, shape=shape, places=places)


def transposed(value: Value, axes: Sequence[int]) -> Value:
    """Return a tensor with its axes in another order; the batch stays first."""
    shape = tuple(value.shape[axis] for axis in axes)
    moved = [axis for axis in axes if value.shape[axis] > 1 or axis == 0]
    if value.places is None and moved == sorted(moved):
        return replace(value, shape=shape)
    places = positions(value).transpose([axis - 1 for axis in axes[1:]])
    return replace(value, shape=shape, places=ordered(np.ascontiguousarray(places)))


def channels_last(shape: Shape) -> Places | None:
    """Return the order rows, columns, channels of a layer's output `C x H x W`, without rows of 1.

    Raises:
        ValueError: the output is too large.
    """
    channels, rows, columns = map_shape(shape)
    own = Value("", (1, channels, rows * columns), alone=False)
    places = ordered(np.ascontiguousarray(positions(own).T))
    return None if places is None else places.reshape(rows, columns, channels)


def axes_of(value: Value, own: Shape) -> tuple[int, ...] | None:
    """Return for each axis but the batch's whether it is channels (0), rows (1) or columns (2).

    None: it is a mixture of those. `own` is the shape of the layer's output.
    """
    full = map_shape(own)
    if value.places is None:
        axes = _meant(value, full, _FIRST)
        if axes is not None:
            return axes
    axes = _meant(value, full, _LAST)
    if axes is None:
        return None
    last = channels_last(own)
    if last is None or value.places is None:
        turned = last is None and value.places is None
    else:
        turned = np.array_equal(value.places.reshape(-1), last.reshape(-1))
    return axes if turned else None


def _meant(
    value: Value, full: tuple[int, int, int], orders: Sequence[tuple[int, ...]]
) -> tuple[int, ...] | None:
    """Return the order of axes that a tensor's extents allow; what it lacks has to be 1."""
    inner = value.shape[1:]
    for axes in orders:
        fits = inner == tuple(full[axis] for axis in axes)
        if fits and math.prod(inner) == math.prod(full):
            return axes
    return None


def per_channel(value: Value, own: Shape, constant: Reals) -> Reals | None:
    """Return by channel of the layer's output the number that a constant has for it, `[C]`.

    None: it has several, or another shape.
    """
    channels = own[0]
    if constant.size == 1 and constant.ndim <= len(value.shape):
        return np.full(channels, float(constant.reshape(())))
    if constant.ndim > len(value.shape):
        return None
    extents = (1,) * (len(value.shape) - constant.ndim) + constant.shape
    fitting = zip(extents[1:], value.shape[1:], strict=True)
    if extents[0] != 1 or any(extent not in (1, full) for extent, full in fitting):
        return None
    if value.places is None and value.shape[1] == channels and extents[1] == constant.size:
        return constant.reshape(-1)
    places = positions(value)
    listed = np.empty(places.size)
    listed[places.reshape(-1)] = np.broadcast_to(
        constant.reshape(extents[1:]), places.shape
    ).ravel()
    rows = listed.reshape(channels, -1)
    return rows[:, 0].copy() if (rows == rows[:, :1]).all() else None
