"""Convolution of whole batches by matrix products, in any floating-point or integer type."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.network.windows import Window

Number = TypeVar("Number", bound=np.number)

_COLUMN_ELEMENTS = 1 << 21
"""Elements of unfolded patches at a time: they are made and used up in the cache."""


def convolve(
    maps: NDArray[Number], weights: NDArray[Number], window: Window, groups: int = 1
) -> NDArray[Number]:
    """Return `N x outputs x rows x columns` of `N x inputs x H x W`.

    `weights` is `[outputs, inputs / groups, kernel rows, kernel columns]`, of the maps' type.
    """
    if weights.shape[1] == 1 and groups > 1:
        return _depthwise(maps, weights, window)
    if window.is_point and groups == 1 and not any(window.padding):
        count, channels, rows, columns = maps.shape
        pixels = np.ascontiguousarray(maps).reshape(count, channels, rows * columns)
        sums = np.matmul(weights.reshape(len(weights), channels), pixels)
        points: NDArray[Number] = sums.reshape(count, -1, rows, columns)
        return points
    return _unfolded(maps, weights, window, groups)


def _unfolded(
    maps: NDArray[Number], weights: NDArray[Number], window: Window, groups: int
) -> NDArray[Number]:
    """Multiply by patches written out as columns."""
    patches = window.patches(maps)
    count, channels, rows, columns = patches.shape[:4]
    products = channels // groups * window.positions
    flat = weights.reshape(groups, len(weights) // groups, products)
    sums = np.empty((count, groups, flat.shape[1], rows * columns), maps.dtype)
    at_once = max(1, _COLUMN_ELEMENTS // (products * groups * rows * columns))
    for start in range(0, count, at_once):
        chosen = patches[start : start + at_once].transpose(0, 1, 4, 5, 2, 3)
        unfolded = chosen.reshape(-1, groups, products, rows * columns)
        np.matmul(flat, unfolded, out=sums[start : start + at_once])
    return sums.reshape(count, len(weights), rows, columns)


def _depthwise(maps: NDArray[Number], weights: NDArray[Number], window: Window) -> NDArray[Number]:
    """Add up shifted maps, each times one weight per channel."""
    padded = window.padded(maps)
    copies = len(weights) // maps.shape[1]
    if copies > 1:
        padded = np.repeat(padded, copies, axis=1)
    rows, columns = window.output_size(maps.shape[1:])
    sums = np.zeros((len(maps), len(weights), rows, columns), maps.dtype)
    product = np.empty_like(sums)
    for row in range(window.kernel[0]):
        top = row * window.dilation[0]
        for column in range(window.kernel[1]):
            left = column * window.dilation[1]
            shifted = padded[
                :,
                :,
                top : top + (rows - 1) * window.stride[0] + 1 : window.stride[0],
                left : left + (columns - 1) * window.stride[1] + 1 : window.stride[1],
            ]
            np.multiply(shifted, weights[:, 0, row, column].reshape(-1, 1, 1), out=product)
            np.add(sums, product, out=sums)
    return sums
