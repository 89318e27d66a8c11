"""A one-dimensional network for electrocardiograms."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Model
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

_RECTIFIED = Style(RELU)
_STAGES = ((16, 2), (24, 2), (24, 1), (32, 2), (32, 1), (48, 2), (48, 1), (64, 2))
"""Channels and stride of the separable convolutions."""


class Ecg(Model):
    """Eight depthwise-separable convolutions over ten seconds of two leads, 128 samples a second.

    The kind of network that HALF searches for atrial fibrillation; its own were not published
    layer by layer, so this one is ours, and there is no figure to compare it with.

    Source: Ney et al., FPL 2021, section V, for the kind.
    """

    title = "1-D depthwise-separable ECG network"
    input = Tensor((2, 1, 1280), 8, signed=True)

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 16, _row(7, 2), _RECTIFIED)
        for width, stride in _STAGES:
            maps = layers.depthwise(maps, _row(9, stride), _RECTIFIED)
            maps = layers.conv(maps, width, square(1), _RECTIFIED)
        layers.dense(layers.average(maps), 2)


def _row(kernel: int, stride: int) -> Window:
    """Return a window along time that keeps the length at stride 1."""
    around = kernel // 2
    return Window((1, kernel), (1, stride), (0, around, 0, around))
