"""MobileNetV1."""

from __future__ import annotations

from codesign.network.blocks import separable
from codesign.network.graph import INPUT
from codesign.network.layers import RELU6, Layers, Style, same
from codesign.network.model import Figure, Model, image

_CLIPPED = Style(RELU6)
_WIDTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDED = (1, 3, 5, 11)


class MobilenetV1(Model):
    """Thirteen depthwise-separable convolutions.

    Source: Howard et al., arXiv 1704.04861, 2017, table 1; ReLU6 and padding as in Keras.
    """

    title = "MobileNetV1"
    input = image(224)
    published_macs = Figure(
        569_000_000, 1_000_000, "Howard et al., arXiv 1704.04861, 2017, table 4, 569 million"
    )
    published_parameters = Figure(
        4_231_976, 1, "Keras, summary of applications.MobileNet, trainable parameters"
    )

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        window = same(layers.shape(INPUT), (3, 3), 2)
        maps = layers.conv(INPUT, 32, window, _CLIPPED)
        for index, width in enumerate(_WIDTHS):
            stride = 2 if index in _STRIDED else 1
            maps = separable(layers, maps, width, stride, _CLIPPED)
        layers.dense(layers.average(maps), 1000)
