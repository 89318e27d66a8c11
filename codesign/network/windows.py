"""Sliding windows over maps: the shape rule and the patches of convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from codesign.network.op import Shape
from codesign.network.tensor import ADDED_LATER, map_shape

Number = TypeVar("Number", bound=np.number)


@dataclass(frozen=True, slots=True)
class Window:
    """A window of `kernel` (rows, columns) that moves by `stride` over a padded map.

    `padding` is (top, left, bottom, right), as in ONNX' `pads`; `dilation` is the distance of
    neighbours under the window.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = field(default=(1, 1), metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if min(*self.kernel, *self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise ValueError(f"impossible window: {self}")
        top, left, bottom, right = self.padding
        rows, columns = self.extent
        if max(top, bottom) >= rows or max(left, right) >= columns:
            raise ValueError(f"the padding {self.padding} is not below the kernel {self.extent}")

    @property
    def positions(self) -> int:
        """Number of positions under the window: rows times columns."""
        return self.kernel[0] * self.kernel[1]

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns from the first to the last position, those between included."""
        rows, columns = (
            (kernel - 1) * dilation + 1
            for kernel, dilation in zip(self.kernel, self.dilation, strict=True)
        )
        return rows, columns

    @property
    def is_dilated(self) -> bool:
        """Whether positions lie apart."""
        return self.dilation != (1, 1)

    @property
    def is_point(self) -> bool:
        """Whether the window passes its input through unchanged (1 x 1, stride 1)."""
        return self.kernel == (1, 1) and self.stride == (1, 1)

    def output_size(self, shape: Shape) -> tuple[int, int]:
        """Return (rows, columns) of window positions over a map `C x H x W`, or a vector.

        Raises:
            ValueError: the input is smaller than the window.
        """
        _, height, width = map_shape(shape)
        top, left, bottom, right = self.padding
        rows = (height + top + bottom - self.extent[0]) // self.stride[0] + 1
        columns = (width + left + right - self.extent[1]) // self.stride[1] + 1
        if rows < 1 or columns < 1:
            raise ValueError(f"the window {self.extent} is larger than the padded map {shape}")
        return rows, columns

    def covers(self, shape: Shape) -> bool:
        """Whether one position takes in the whole, unpadded map."""
        return self.kernel == map_shape(shape)[1:] and not any(self.padding)

    def padded(self, maps: NDArray[Number], value: float = 0) -> NDArray[Number]:
        """Return `N x C x H x W` with its padding around."""
        if not any(self.padding):
            return maps
        top, left, bottom, right = self.padding
        around = ((0, 0), (0, 0), (top, bottom), (left, right))
        return np.pad(maps, around, constant_values=value)

    def patches(self, maps: NDArray[Number], pad_value: float = 0) -> NDArray[Number]:
        """Return `N x C x rows x columns x kernel rows x kernel columns` of `N x C x H x W`."""
        view = sliding_window_view(self.padded(maps, pad_value), self.extent, axis=(2, 3))
        view = view[..., :: self.dilation[0], :: self.dilation[1]]
        return view[:, :, :: self.stride[0], :: self.stride[1]]
