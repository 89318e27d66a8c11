"""A transposed convolution as a convolution of the map that it reads.

Between neighbours of the map lie `stride` outputs, each of which takes other positions of the
kernel. So a convolution of stride 1 computes them all at once, as so many times the channels,
and then they are laid side by side. No zero between the pixels is ever multiplied; zeros remain
in kernels that the stride does not divide.

Source: Shi et al., Is the deconvolution layer the same as a convolutional layer?, arXiv
1609.07009, 2016.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codesign.network.network import Parameters
from codesign.network.op import Integers, Shape
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.tensor import map_shape
from codesign.network.windows import Window


@dataclass(frozen=True, slots=True)
class Subpixel:
    """A transposed convolution of maps of one size, taken apart.

    The outputs of `convolution` are ordered by group, row and column within the stride, and
    channel of the group. Laid side by side they are the wanted map with `crop` rows and columns
    before it, and perhaps some after it.
    """

    op: ConvTranspose2d
    convolution: Conv2d
    crop: tuple[int, int]

    @staticmethod
    def of(op: ConvTranspose2d, shape: Shape) -> Subpixel:
        """Return the convolution that does the work of `op` on maps of `shape`."""
        sizes, outputs = map_shape(shape)[1:], op.output_shape([shape])[1:]
        rows, columns = (_Axis.of(op, axis, sizes[axis], outputs[axis]) for axis in (0, 1))
        window = Window(
            kernel=(rows.taps, columns.taps),
            padding=(rows.before, columns.before, rows.after, columns.after),
            dilation=(rows.distance, columns.distance),
        )
        channels = op.outputs * op.window.stride[0] * op.window.stride[1]
        convolution = Conv2d(op.inputs, channels, window, op.bits, op.groups)
        return Subpixel(op, convolution, (rows.crop, columns.crop))

    def parameters(self, own: Parameters) -> Parameters:
        """Return the learned integers of `op` as those of `convolution`."""
        assert own.weights is not None
        return replace(
            own,
            weights=self._weights(own.weights),
            bias=self._repeated(own.bias),
            multiplier=self._repeated(own.multiplier),
        )

    def _weights(self, weights: Integers) -> Integers:
        """Pick the kernel's positions, for every output within the stride."""
        op, (taps_down, taps_across) = self.op, self.convolution.window.kernel
        down, across = (self._positions(axis) for axis in (0, 1))
        # a row and a column of zeros, for positions beyond the kernel
        framed = np.pad(weights, ((0, 0), (0, 0), (0, 1), (0, 1)))
        picked = framed[:, :, down[:, None, :, None], across[None, :, None, :]]
        by_group = picked.reshape(
            op.groups, op.outputs // op.groups, *picked.shape[1:4], taps_down, taps_across
        )
        return by_group.transpose(0, 3, 4, 1, 2, 5, 6).reshape(self.convolution.weight_shape)

    def _positions(self, axis: int) -> NDArray[np.int64]:
        """Return `[stride, taps]`: the kernel's position for each tap, one too far where none."""
        op, window = self.op, self.convolution.window
        stride, dilation = op.window.stride[axis], op.window.dilation[axis]
        taps = np.arange(window.kernel[axis])[::-1] * stride * window.dilation[axis]
        places = np.arange(stride)[:, None] + taps
        kernel = op.window.kernel[axis]
        missing = (places % dilation > 0) | (places // dilation >= kernel)
        return np.where(missing, kernel, places // dilation)

    def _repeated(self, values: Integers | None) -> Integers | None:
        """Return numbers `[outputs]`, or `[1]` for all, for every output within the stride."""
        if values is None:
            return None
        by_group = np.broadcast_to(values, self.op.outputs).reshape(self.op.groups, 1, -1)
        return by_group.repeat(np.prod(self.op.window.stride), axis=1).ravel()


@dataclass(frozen=True, slots=True)
class _Axis:
    """Rows or columns of the convolution."""

    taps: int
    distance: int
    before: int
    after: int
    crop: int

    @staticmethod
    def of(op: ConvTranspose2d, axis: int, size: int, outputs: int) -> _Axis:
        stride, extent = op.window.stride[axis], op.window.extent[axis]
        padding = op.window.padding[axis]
        # the first and the last pixel of the map on which an output depends the latest
        first, last = padding // stride, (padding + outputs - 1) // stride
        # positions of the kernel lie apart as before, or between them lie zeros
        distance = op.window.dilation[axis] if stride == 1 else 1
        reach = max(-(-extent // stride) - 1, last - size + 1)
        taps = -(-reach // distance) + 1
        return _Axis(
            taps=taps,
            distance=distance,
            before=(taps - 1) * distance - first,
            after=last - size + 1,
            crop=padding - first * stride,
        )
