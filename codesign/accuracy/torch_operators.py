"""The operators in torch: the sums of `Op.accumulate` and the reals of `Op.real`, to learn through.

A new operator needs its `sums` here, and its `real` where that is more than sums. On integers
every sum is exact while it fits the mantissa of the tensors' type.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.torch_functions import FUNCTIONS
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import map_shape
from codesign.network.windows import Window

Sources = Sequence[Tensor]


@singledispatch
def sums(op: Op, sources: Sources, weights: Tensor | None) -> Tensor:  # noqa: ARG001
    """Return what `Op.accumulate` does, but for a table.

    Args:
        op: the operator.
        sources: its inputs, `N x` their shapes.
        weights: its learned weights, or the factors of one that rescales its inputs; None where
            those have one scale.

    Raises:
        TypeError: the operator has no twin here.
    """
    raise TypeError(f"{type(op).__name__} cannot be trained")


@singledispatch
def real(op: Op, sources: Sources, weights: Tensor | None) -> Tensor:
    """Return what `Op.real` does, `N x` the output's shape."""
    return sums(op, sources, weights)


@sums.register
def _(op: Conv2d, sources: Sources, weights: Tensor | None) -> Tensor:
    assert weights is not None
    maps, window, padding = _maps(sources[0]), op.window, op.window.padding
    symmetric = padding[:2] == padding[2:]
    return functional.conv2d(
        maps if symmetric else _padded(maps, padding),
        weights,
        stride=window.stride,
        padding=padding[:2] if symmetric else 0,
        dilation=window.dilation,
        groups=op.groups,
    )


@sums.register
def _(op: ConvTranspose2d, sources: Sources, weights: Tensor | None) -> Tensor:
    assert weights is not None
    maps, kernel = _maps(sources[0]), op.window.kernel
    by_group = weights.reshape(op.groups, op.outputs // op.groups, -1, *kernel)
    full = functional.conv_transpose2d(
        maps,
        by_group.transpose(1, 2).reshape(op.inputs, -1, *kernel),
        stride=op.window.stride,
        dilation=op.window.dilation,
        groups=op.groups,
    )
    _, rows, columns = op.output_shape([tuple(maps.shape[1:])])
    top, left = op.window.padding[:2]
    grown = _padded(full, (0, 0, *op.extra))
    return grown[:, :, top : top + rows, left : left + columns]


@sums.register
def _(_op: Dense, sources: Sources, weights: Tensor | None) -> Tensor:
    assert weights is not None
    return functional.linear(sources[0].flatten(1), weights)


@sums.register
def _(op: Pool2d, sources: Sources, _weights: Tensor | None) -> Tensor:
    maps, window = _maps(sources[0]), op.window
    if op.kind == "max":
        around = _padded(maps, window.padding, -torch.inf)
        return functional.max_pool2d(around, window.kernel, window.stride, dilation=window.dilation)
    added = _added(maps, window)
    if op.counts_padding:
        return added
    return added * (op.divisor / _added(torch.ones_like(maps[:1, :1]), window))


@real.register
def _(op: Pool2d, sources: Sources, weights: Tensor | None) -> Tensor:
    answer = sums(op, sources, weights)
    return answer / op.divisor if op.kind == "average" else answer


@sums.register
def _(_op: Add, sources: Sources, weights: Tensor | None) -> Tensor:
    left, right = _rescaled(sources, weights)
    return left + right


@sums.register
def _(_op: Concat, sources: Sources, weights: Tensor | None) -> Tensor:
    return torch.cat(list(_rescaled(sources, weights)), dim=1)


@sums.register
def _(_op: Multiply, sources: Sources, _weights: Tensor | None) -> Tensor:
    left, right = sources
    return left * right.reshape(*right.shape, *(1,) * (left.ndim - right.ndim))


@sums.register
def _(op: Slice, sources: Sources, _weights: Tensor | None) -> Tensor:
    return sources[0][:, op.start : op.stop]


@sums.register
def _(op: Pad2d, sources: Sources, _weights: Tensor | None) -> Tensor:
    return _padded(_maps(sources[0]), op.padding)


@sums.register
def _(op: Resize2d, sources: Sources, _weights: Tensor | None) -> Tensor:
    rows, columns = op.factors
    return _maps(sources[0]).repeat_interleave(rows, dim=2).repeat_interleave(columns, dim=3)


@real.register
def _(op: Table, sources: Sources, _weights: Tensor | None) -> Tensor:
    return FUNCTIONS[op.function](sources[0], *op.parameters)


def look_up(op: Table, source: Tensor, answers: Tensor) -> Tensor:
    """Return the entries of a table, `[1 or channels, entries]`, for integers of its domain."""
    places = (source.long() - op.domain[0]).clamp(0, op.entries - 1)
    if op.channels == 1:
        return answers[0][places]
    rows = torch.arange(op.channels).reshape(-1, *(1,) * (source.ndim - 2))
    return answers[rows, places]


def _maps(values: Tensor) -> Tensor:
    """Return vectors as maps of one pixel, maps as they are."""
    return values.reshape(len(values), *map_shape(tuple(values.shape[1:])))


def _padded(maps: Tensor, padding: tuple[int, int, int, int], value: float = 0.0) -> Tensor:
    if not any(padding):
        return maps
    top, left, bottom, right = padding
    return functional.pad(maps, (left, right, top, bottom), value=value)


def _added(maps: Tensor, window: Window) -> Tensor:
    """Return the plain sums under a window."""
    if window.covers(tuple(maps.shape[1:])):
        return maps.sum((2, 3), keepdim=True)
    around = _padded(maps, window.padding)
    if not window.is_dilated:
        return functional.avg_pool2d(around, window.kernel, window.stride, divisor_override=1)
    channels = maps.shape[1]
    ones = maps.new_ones(channels, 1, *window.kernel)
    return functional.conv2d(
        around, ones, stride=window.stride, dilation=window.dilation, groups=channels
    )


def _rescaled(sources: Sources, factors: Tensor | None) -> Sources:
    if factors is None:
        return sources
    return [source * factor for source, factor in zip(sources, factors.tolist(), strict=True)]
