"""MobileNetV2."""

from __future__ import annotations

from codesign.network.blocks import Inverted, inverted_residual
from codesign.network.graph import INPUT
from codesign.network.layers import RELU6, Layers, Style, square
from codesign.network.model import Figure, Model, image

_CLIPPED = Style(RELU6)
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride of the first (Sandler et al., table 2)."""


class MobilenetV2(Model):
    """Seventeen inverted residuals with linear bottlenecks.

    Source: Sandler et al., CVPR 2018, table 2.
    """

    title = "MobileNetV2"
    input = image(224)
    published_macs = Figure(301_000_000, 1_000_000, "torchvision, MobileNet_V2_Weights, _ops 0.301")
    published_parameters = Figure(3_504_872, 1, "torchvision, MobileNet_V2_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 32, square(3, 2), _CLIPPED)
        for expansion, width, depth, stride in _STAGES:
            for index in range(depth):
                window = square(3, stride if index == 0 else 1)
                expanded = expansion * layers.shape(maps)[0]
                block = Inverted(expanded, window, width, _CLIPPED, expands=expansion > 1)
                maps = inverted_residual(layers, maps, block)
        maps = layers.conv(maps, 1280, square(1), _CLIPPED)
        layers.dense(layers.average(maps), 1000)
