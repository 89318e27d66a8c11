"""AlexNet."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_RECTIFIED = Style(RELU, normalised=False, biased=True)


class Alexnet(Model):
    """Five convolutions and three dense layers: the one-column form of torchvision.

    Source: Krizhevsky, arXiv 1404.5997, 2014.
    """

    title = "AlexNet"
    input = image(224)
    published_macs = Figure(714_000_000, 1_000_000, "torchvision, AlexNet_Weights, _ops 0.714")
    published_parameters = Figure(61_100_840, 1, "torchvision, AlexNet_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        halving = square(3, 2, padding=0)
        maps = layers.conv(INPUT, 64, square(11, 4, padding=2), _RECTIFIED)
        maps = layers.pool(maps, "max", halving)
        maps = layers.conv(maps, 192, square(5), _RECTIFIED)
        maps = layers.pool(maps, "max", halving)
        for width in (384, 256, 256):
            maps = layers.conv(maps, width, square(3), _RECTIFIED)
        vector = layers.pool(maps, "max", halving)
        for _ in range(2):
            vector = layers.dense(vector, 4096, _RECTIFIED)
        layers.dense(vector, 1000)
