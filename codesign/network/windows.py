"""Sliding windows over maps: the shape rule and the patches of convolution and pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from codesign.network.op import Shape

Number = TypeVar("Number", bound=np.number)


@dataclass(frozen=True, slots=True)
class Window:
    """A window of `kernel` (rows, columns) that moves by `stride` over a padded map.

    `padding` is (top, left, bottom, right), as in ONNX' `pads`.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def __post_init__(self) -> None:
        if min(*self.kernel, *self.stride) < 1 or min(self.padding) < 0:
            raise ValueError(f"impossible window: {self}")
        top, left, bottom, right = self.padding
        if max(top, bottom) >= self.kernel[0] or max(left, right) >= self.kernel[1]:
            raise ValueError(f"the padding {self.padding} is not below the kernel {self.kernel}")

    @property
    def positions(self) -> int:
        """Number of positions under the window: rows times columns."""
        return self.kernel[0] * self.kernel[1]

    @property
    def is_point(self) -> bool:
        """Whether the window passes its input through unchanged (1 x 1, stride 1)."""
        return self.kernel == (1, 1) and self.stride == (1, 1)

    def output_size(self, shape: Shape) -> tuple[int, int]:
        """Return (rows, columns) of window positions over a map `C x H x W`.

        Raises:
            ValueError: the input is no map, or smaller than the window.
        """
        if len(shape) != 3:
            raise ValueError(f"a window moves over C x H x W, not {shape}")
        top, left, bottom, right = self.padding
        rows = (shape[1] + top + bottom - self.kernel[0]) // self.stride[0] + 1
        columns = (shape[2] + left + right - self.kernel[1]) // self.stride[1] + 1
        if rows < 1 or columns < 1:
            raise ValueError(f"the window {self.kernel} is larger than the padded map {shape}")
        return rows, columns

    def covers(self, shape: Shape) -> bool:
        """Whether one position takes in the whole, unpadded map."""
        return self.kernel == shape[1:] and not any(self.padding)

    def patches(self, maps: NDArray[Number], pad_value: float = 0) -> NDArray[Number]:
        """Return `N x C x rows x columns x kernel rows x kernel columns` of `N x C x H x W`."""
        top, left, bottom, right = self.padding
        padded = np.pad(
            maps, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_value
        )
        view = sliding_window_view(padded, self.kernel, axis=(2, 3))
        return view[:, :, :: self.stride[0], :: self.stride[1]]
