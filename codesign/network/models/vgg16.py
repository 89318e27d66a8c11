"""VGG-16."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_RECTIFIED = Style(RELU, normalised=False, biased=True)


class Vgg16(Model):
    """Thirteen convolutions and three dense layers.

    Source: Simonyan and Zisserman, ICLR 2015, table 1, column D.
    """

    title = "VGG-16"
    input = image(224)
    published_macs = Figure(15_470_000_000, 10_000_000, "torchvision, VGG16_Weights, _ops 15.47")
    published_parameters = Figure(138_357_544, 1, "torchvision, VGG16_Weights, num_params")

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = INPUT
        for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
            for _ in range(depth):
                maps = layers.conv(maps, width, square(3), _RECTIFIED)
            maps = layers.pool(maps, "max", square(2, 2))
        vector = maps
        for _ in range(2):
            vector = layers.dense(vector, 4096, _RECTIFIED)
        layers.dense(vector, 1000)
