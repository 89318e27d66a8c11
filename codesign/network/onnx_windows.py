"""The window of an ONNX convolution or pooling, from its attributes.

One of the `onnx*` modules of this package, the only ones that know onnx.
"""

from __future__ import annotations

from codesign.network.onnx_reader import Step, Value
from codesign.network.op import Shape
from codesign.network.windows import Window


def window(step: Step, maps: Value, kernel: tuple[int, int] | None = None) -> Window:
    """Return the window of a convolution (whose weights have this `kernel`) or of a pooling.

    Raises:
        ValueError: the attributes contradict each other or the weights.
        UnsupportedOperator: dilation, or windows that only partly lie on the map.
    """
    own = step.attributes
    extents = tuple(own.get("kernel_shape", kernel or ()))
    stride = tuple(own.get("strides", (1, 1)))
    if len(extents) != 2 or len(stride) != 2 or (kernel and extents != kernel):
        raise ValueError(f"a window of {extents} by strides {stride} over weights {kernel}")
    if any(dilation != 1 for dilation in own.get("dilations", ())):
        step.refuse("with dilation", "use a larger kernel or stride")
    padding = tuple(own.get("pads", (0, 0, 0, 0)))
    automatic = own.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        if min(stride) < 1:
            raise ValueError(f"strides of {stride}")
        padding = _same_padding(maps.shape[2:], extents, stride, automatic == "SAME_UPPER")
    elif automatic == "VALID":
        padding = (0, 0, 0, 0)
    elif automatic != "NOTSET":
        step.refuse(f"with auto_pad {automatic}", "SAME_UPPER, SAME_LOWER and VALID are known")
    if len(padding) != 4:
        raise ValueError(f"pads of {padding}")
    found = Window(extents, stride, padding)
    if own.get("ceil_mode", 0) and _leaves_rest(found, maps.shape):
        step.refuse("with ceil_mode over a map that leaves a rest", "pad the map, or round down")
    return found


def _same_padding(size: Shape, kernel: Shape, stride: Shape, upper: bool) -> Shape:
    """Return (top, left, bottom, right) that give ceil(size / stride) positions."""
    before, after = [], []
    for extent, width, step in zip(size, kernel, stride, strict=True):
        total = (-(-extent // step) - 1) * step + width - extent
        if total < 0:
            raise ValueError(f"automatic padding cannot fit strides of {stride} to maps of {size}")
        small, large = total // 2, total - total // 2
        before.append(small if upper else large)
        after.append(large if upper else small)
    return (*before, *after)


def _leaves_rest(window: Window, shape: Shape) -> bool:
    top, left, bottom, right = window.padding
    rows = shape[2] + top + bottom - window.kernel[0]
    columns = shape[3] + left + right - window.kernel[1]
    return bool(rows % window.stride[0] or columns % window.stride[1])
