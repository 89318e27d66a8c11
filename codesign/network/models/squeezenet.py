"""SqueezeNet 1.1."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_RECTIFIED = Style(RELU, normalised=False, biased=True)
_STAGES = (
    ((16, 64), (16, 64)),
    ((32, 128), (32, 128)),
    ((48, 192), (48, 192), (64, 256), (64, 256)),
)
"""Fire modules between poolings: channels of the squeeze and of each of both expansions."""


class Squeezenet(Model):
    """Eight fire modules: a 1 x 1 squeeze, then 1 x 1 beside 3 x 3 convolutions.

    Source: Iandola et al., arXiv 1602.07360, 2016; version 1.1 as in torchvision.
    """

    title = "SqueezeNet 1.1"
    input = image(224)
    published_macs = Figure(
        349_000_000, 1_000_000, "torchvision, SqueezeNet1_1_Weights, _ops 0.349"
    )
    published_parameters = Figure(1_235_496, 1, "torchvision, SqueezeNet1_1_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 64, square(3, 2, padding=0), _RECTIFIED)
        for stage in _STAGES:
            maps = layers.pool(maps, "max", square(3, 2, padding=0))
            for squeezed, expanded in stage:
                narrow = layers.conv(maps, squeezed, square(1), _RECTIFIED)
                maps = layers.concat(
                    layers.conv(narrow, expanded, square(1), _RECTIFIED),
                    layers.conv(narrow, expanded, square(3), _RECTIFIED),
                )
        layers.average(layers.conv(maps, 1000, square(1), _RECTIFIED))
