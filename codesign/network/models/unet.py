"""A small U-Net."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image
from codesign.network.windows import Window

_RECTIFIED = Style(RELU, normalised=False, biased=True)
_UPWARD = Style("linear", normalised=False, biased=True)
_MASK = Style("sigmoid", normalised=False, biased=True)
_DOUBLING = Window((2, 2), (2, 2))


class Unet(Model):
    """Four halvings and four doublings with skips, 16 to 256 channels, one mask of 128 x 128.

    The widths and the published parameters are those of a widely copied Keras notebook; ReLU
    stands for its ELU. It prints no MACs.

    Source: Ronneberger et al., MICCAI 2015, figure 1, for the form.
    """

    title = "U-Net (small)"
    input = image(128)
    published_parameters = Figure(
        1_941_105, 1, "K. Aamdal-Saevik, Keras U-Net starter - LB 0.277, Kaggle 2018, model summary"
    )

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps, skips = INPUT, []
        for width in (16, 32, 64, 128):
            maps = _twice(layers, maps, width)
            skips.append((maps, width))
            maps = layers.pool(maps, "max", square(2, 2))
        maps = _twice(layers, maps, 256)
        for skip, width in reversed(skips):
            maps = layers.transposed(maps, width, _DOUBLING, _UPWARD)
            maps = _twice(layers, layers.concat(maps, skip), width)
        layers.conv(maps, 1, square(1), _MASK)


def _twice(layers: Layers, source: str, width: int) -> str:
    maps = layers.conv(source, width, square(3), _RECTIFIED)
    return layers.conv(maps, width, square(3), _RECTIFIED)
