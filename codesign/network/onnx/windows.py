"""The window of an ONNX convolution or pooling, from its attributes.

What slides along one axis is a window of a single row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from codesign.network.onnx.reader import Step
from codesign.network.onnx.values import Value
from codesign.network.op import Shape
from codesign.network.windows import Window

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]

_MOST_POSITIONS = 1 << 16
"""Positions at the border of a map that are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a window says of itself; its padding may be more than a `Window` takes."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Sides
    automatic: str = "NOTSET"

    @property
    def extent(self) -> Pair:
        """Rows and columns from the first to the last position."""
        rows, columns = ((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return rows, columns

    def fits(self, padding: Sides) -> bool:
        """Whether the window can do so much padding itself."""
        rows, columns = self.extent
        top, left, bottom, right = padding
        return max(top, bottom) < rows and max(left, right) < columns

    def window(self, padding: Sides) -> Window:
        """Return the window with this padding.

        Raises:
            ValueError: there is no such window.
        """
        return Window(self.kernel, self.stride, padding, self.dilation)


def frame(step: Step, maps: Value, kernel: Pair | None = None) -> Frame:
    """Read the window of a convolution (whose weights have this `kernel`) or of a pooling.

    "SAME" padding is computed for the size of the maps.

    Raises:
        ValueError: the attributes contradict each other or the weights.
        UnsupportedOperator: an unknown kind of padding.
    """
    own, axes = step.attributes, len(maps.shape) - 2
    extents = own.get("kernel_shape")
    found = kernel if extents is None else pair(extents, axes, "kernel_shape")
    if found is None or (kernel and found != kernel):
        raise ValueError(f"a window of {found} over weights of {kernel}")
    stride = pair(own.get("strides", [1] * axes), axes, "strides")
    dilation = pair(own.get("dilations", [1] * axes), axes, "dilations")
    if min(*found, *stride, *dilation) < 1:
        raise ValueError(f"a window of {found} by strides {stride}, dilation {dilation}")
    automatic = own.get("auto_pad", "NOTSET")
    pads = list(own.get("pads", [0] * 2 * axes))
    if automatic not in ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"):
        step.refuse(f"with auto_pad {automatic}", "SAME_UPPER, SAME_LOWER and VALID are known")
    if automatic != "NOTSET":
        pads = [0] * 2 * axes
    if len(pads) != 2 * axes or min(pads) < 0:
        raise ValueError(f"pads of {pads}")
    first, last = pair(pads[:axes], axes, "pads", 0), pair(pads[axes:], axes, "pads", 0)
    result = Frame(found, stride, dilation, (*first, *last), automatic)
    if automatic.startswith("SAME") and step.node.op_type != "ConvTranspose":
        size = pair(maps.shape[2:], axes, "maps")
        total = [
            max(0, (-(-extent // s) - 1) * s + width - extent)
            for extent, width, s in zip(size, result.extent, stride, strict=True)
        ]
        return Frame(found, stride, dilation, shared(total, automatic), automatic)
    return result


def shared(total: list[int], automatic: str) -> Sides:
    """Divide the padding of rows and of columns: an odd one comes last for SAME_UPPER."""
    small = [extent // 2 for extent in total]
    large = [extent - half for extent, half in zip(total, small, strict=True)]
    first, last = (small, large) if automatic == "SAME_UPPER" else (large, small)
    return (first[0], first[1], last[0], last[1])


def pair(values: Shape | list[int], axes: int, what: str, fill: int = 1) -> Pair:
    """Return two numbers, for rows and columns; what has columns alone has one row.

    Raises:
        ValueError: there is not one number per axis.
    """
    if len(values) != axes or axes not in (1, 2):
        raise ValueError(f"{what} of {list(values)} for maps of {axes} axes")
    return (values[0], values[1]) if axes == 2 else (fill, values[0])


def with_ceiling(found: Frame, size: Pair, padding: Sides) -> Sides:
    """Return the padding with which windows also cover the rest of a map (`ceil_mode`).

    A window that starts beyond the map and its first padding is left out.
    """
    last = list(padding[2:])
    for axis in (0, 1):
        before, after = padding[axis], padding[axis + 2]
        rest = size[axis] + before + after - found.extent[axis]
        if rest < 0:
            continue
        places = -(-rest // found.stride[axis]) + 1
        if (places - 1) * found.stride[axis] >= size[axis] + before:
            places -= 1
        missing = (places - 1) * found.stride[axis] - rest
        last[axis] += max(0, missing)
    return (padding[0], padding[1], last[0], last[1])


def reached(found: Frame, size: Pair, padding: Sides) -> Sides:
    """Return the padding without last rows and columns that no window reaches."""
    last = list(padding[2:])
    for axis in (0, 1):
        rest = size[axis] + padding[axis] + padding[axis + 2] - found.extent[axis]
        if rest >= 0:
            last[axis] = max(0, last[axis] - rest % found.stride[axis])
    return (padding[0], padding[1], last[0], last[1])


def touches_all(window: Window, size: Pair) -> bool:
    """Whether every position of a window holds a pixel of the map, not padding alone."""
    return all(_touches(window, axis, size[axis]) for axis in (0, 1))


def _touches(window: Window, axis: int, size: int) -> bool:
    kernel, distance = window.kernel[axis], window.dilation[axis]
    before, after, stride = window.padding[axis], window.padding[axis + 2], window.stride[axis]
    places = (size + before + after - window.extent[axis]) // stride + 1
    left = min(places, -(-before // stride))
    right = min(places, -(-after // stride))
    if left + right > _MOST_POSITIONS:
        raise ValueError(f"a padding of {before} and {after} by strides of {stride}")
    indices = np.concatenate([np.arange(left), np.arange(places - right, places)])
    for start in (indices * stride - before).tolist():
        first = math.ceil(max(0, -start) / distance)
        if first >= kernel or start + first * distance >= size:
            return False
    return True
