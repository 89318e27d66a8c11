"""MobileNetV2."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, RELU6, Layers, Style, square
from codesign.network.model import Figure, Model, image

_CLIPPED = Style(RELU6)
_NARROW = Style(LINEAR, gain=0.5)
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
                maps = _inverted(layers, maps, expansion, width, stride if index == 0 else 1)
        maps = layers.conv(maps, 1280, square(1), _CLIPPED)
        layers.dense(layers.average(maps), 1000)


def _inverted(layers: Layers, source: str, expansion: int, width: int, stride: int) -> str:
    """Append an expansion, a depthwise convolution and a linear one, and a skip if it fits."""
    inputs = layers.shape(source)[0]
    maps = source
    if expansion > 1:
        maps = layers.conv(maps, expansion * inputs, square(1), _CLIPPED)
    maps = layers.depthwise(maps, square(3, stride), _CLIPPED)
    maps = layers.conv(maps, width, square(1), _NARROW)
    return layers.add(source, maps) if stride == 1 and inputs == width else maps
