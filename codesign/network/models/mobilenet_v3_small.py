"""MobileNetV3-small."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_SWISH = "hard_swish"
_NARROW = Style(LINEAR, gain=0.5)
_SQUEEZE = Style(RELU, normalised=False, biased=True)
_EXCITE = Style("hard_sigmoid", (1 / 6, 0.5), normalised=False, biased=True)
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
            style, source, inputs = Style(activation), maps, layers.shape(maps)[0]
            if expanded != inputs:
                maps = layers.conv(maps, expanded, square(1), style)
            maps = layers.depthwise(maps, square(kernel, stride), style)
            if squeezes:
                maps = _excited(layers, maps)
            maps = layers.conv(maps, width, square(1), _NARROW)
            if stride == 1 and inputs == width:
                maps = layers.add(source, maps)
        maps = layers.conv(maps, 576, square(1), Style(_SWISH))
        head = Style(_SWISH, normalised=False, biased=True)
        layers.dense(layers.dense(layers.average(maps), 1024, head), 1000)


def _excited(layers: Layers, source: str) -> str:
    """Append squeeze-and-excitation: one factor per channel, from the averages of all."""
    channels = layers.shape(source)[0]
    factors = layers.conv(layers.average(source), _squeezed(channels), square(1), _SQUEEZE)
    return layers.multiply(source, layers.conv(factors, channels, square(1), _EXCITE))


def _squeezed(channels: int) -> int:
    """Return a quarter of the channels, to the nearest 8 that loses at most a tenth."""
    quarter = channels / 4
    nearest = max(8, int(quarter + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * quarter else nearest
