"""EfficientNet-lite0."""

from __future__ import annotations

from codesign.network.blocks import Inverted, inverted_residual
from codesign.network.graph import INPUT
from codesign.network.layers import RELU6, Layers, Style, same, square
from codesign.network.model import Figure, Model, image

_CLIPPED = Style(RELU6)
_STAGES = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
"""Expansion, kernel, channels, blocks, stride of the first."""


class EfficientnetLite0(Model):
    """EfficientNet-B0 without squeeze-and-excitation, with ReLU6, padded as TensorFlow does.

    The README of the lite models says 407 M "MAdds" without saying what they count; convolutions
    and the dense layer alone have 385 M, as timm says, and as torchvision says of EfficientNet-B0
    (0.386 G with its squeeze-and-excitation).

    Source: Tan and Le, ICML 2019, table 1; tensorflow/tpu, models/official/efficientnet/lite.
    """

    title = "EfficientNet-lite0"
    input = image(224)
    published_macs = Figure(400_000_000, 100_000_000, "timm, tf_efficientnet_lite0, 0.4 GMACs")
    published_parameters = Figure(4_652_008, 1, "timm, parameters of tf_efficientnet_lite0")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 32, same(layers.shape(INPUT), (3, 3), 2), _CLIPPED)
        for expansion, kernel, width, depth, stride in _STAGES:
            for index in range(depth):
                step = stride if index == 0 else 1
                window = same(layers.shape(maps), (kernel, kernel), step)
                expanded = expansion * layers.shape(maps)[0]
                block = Inverted(expanded, window, width, _CLIPPED, expands=expansion > 1)
                maps = inverted_residual(layers, maps, block)
        maps = layers.conv(maps, 1280, square(1), _CLIPPED)
        layers.dense(layers.average(maps), 1000)
