"""MobileNetV3-small."""

from __future__ import annotations

from codesign.network.blocks import Inverted, inverted_residual
from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_SWISH = "hard_swish"
_BLOCKS = (
    (3, 16, 16, True, RELU, 2),
    (3, 72, 24, False, RELU, 2),
    (3, 88, 24, False, RELU, 1),
    (5, 96, 40, True, _SWISH, 2),
    (5, 240, 40, True, _SWISH, 1),
    (5, 240, 40, True, _SWISH, 1),
    (5, 120, 48, True, _SWISH, 1),
    (5, 144, 48, True, _SWISH, 1),
    (5, 288, 96, True, _SWISH, 2),
    (5, 576, 96, True, _SWISH, 1),
    (5, 576, 96, True, _SWISH, 1),
)
"""Kernel, expanded channels, channels, squeeze-and-excitation, activation, stride."""


class MobilenetV3Small(Model):
    """Eleven inverted residuals, nine with squeeze-and-excitation, hard swish in the later ones.

    Source: Howard et al., ICCV 2019, table 2; widths of the squeeze as in torchvision.
    """

    title = "MobileNetV3-small"
    input = image(224)
    published_macs = Figure(
        57_000_000, 1_000_000, "torchvision, MobileNet_V3_Small_Weights, _ops 0.057"
    )
    published_parameters = Figure(
        2_542_856, 1, "torchvision, MobileNet_V3_Small_Weights, num_params"
    )

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 16, square(3, 2), Style(_SWISH))
        for kernel, expanded, width, squeezes, activation, stride in _BLOCKS:
            window = square(kernel, stride)
            block = Inverted(
                expanded,
                window,
                width,
                Style(activation),
                expands=expanded != layers.shape(maps)[0],
                squeezes=squeezes,
            )
            maps = inverted_residual(layers, maps, block)
        maps = layers.conv(maps, 576, square(1), Style(_SWISH))
        head = Style(_SWISH, normalised=False, biased=True)
        layers.dense(layers.dense(layers.average(maps), 1024, head), 1000)
