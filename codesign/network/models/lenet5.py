"""LeNet-5."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.model import Figure, Model, image

_RECTIFIED = Style(RELU, normalised=False, biased=True)


class Lenet5(Model):
    """Three convolutions and two dense layers, as it is usually built today.

    Layers C1, C5 and F6 are those of LeCun et al. (156, 48,120 and 10,164 parameters). C3 sees
    all six maps (2,416 parameters instead of 1,516), subsampling learns nothing, ReLU stands for
    the scaled hyperbolic tangent, and ten scores for radial basis functions. For this form no
    MACs were found in print: the 341 k of Sze et al., Proc. IEEE 2017, are of the sparse C3.

    Source: LeCun et al., Proc. IEEE 1998, figure 2.
    """

    title = "LeNet-5"
    input = image(32, channels=1)
    published_parameters = Figure(
        61_706, 1, "M. Chapel, Deep learning models: LeNet, mnchapel.github.io, table of parameters"
    )

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 6, square(5, padding=0), _RECTIFIED)
        maps = layers.pool(maps, "average", square(2, 2))
        maps = layers.conv(maps, 16, square(5, padding=0), _RECTIFIED)
        maps = layers.pool(maps, "average", square(2, 2))
        vector = layers.conv(maps, 120, square(5, padding=0), _RECTIFIED)
        vector = layers.dense(vector, 84, _RECTIFIED)
        layers.dense(vector, 10)
