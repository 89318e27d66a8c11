"""YOLOv3-tiny."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import Layers, Style, square
from codesign.network.model import Figure, Model, image
from codesign.network.windows import Window

_LEAKY = Style("leaky_relu", (0.1,))
_ANCHORED = 255
"""Three boxes per cell, each with a place, a certainty, and 80 classes."""


class TinyYolo(Model):
    """Thirteen convolutions; two outputs, over cells of 32 and of 16 pixels.

    Darknet counts two operations per MAC. The figure for parameters is the size of the file of
    weights, with four numbers of every batch normalisation: 5 header words before 8,858,734.

    Source: Redmon and Farhadi, arXiv 1804.02767, 2018; darknet, cfg/yolov3-tiny.cfg.
    """

    title = "YOLOv3-tiny"
    input = image(416)
    published_macs = Figure(
        2_780_000_000, 5_000_000, "pjreddie.com, darknet/yolo, 5.56 Bn operations, two per MAC"
    )
    published_parameters = Figure(
        8_858_734, 1, "pjreddie.com, media/files/yolov3-tiny.weights, 35,434,956 bytes"
    )
    norm_numbers = 4

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = INPUT
        for width in (16, 32, 64, 128):
            maps = layers.conv(maps, width, square(3), _LEAKY)
            maps = layers.pool(maps, "max", square(2, 2))
        fine = layers.conv(maps, 256, square(3), _LEAKY)
        maps = layers.pool(fine, "max", square(2, 2))
        maps = layers.conv(maps, 512, square(3), _LEAKY)
        maps = layers.pool(maps, "max", Window((2, 2), padding=(0, 0, 1, 1)))
        maps = layers.conv(maps, 1024, square(3), _LEAKY)
        coarse = layers.conv(maps, 256, square(1), _LEAKY)
        _detected(layers, layers.conv(coarse, 512, square(3), _LEAKY))
        maps = layers.resize(layers.conv(coarse, 128, square(1), _LEAKY), 2)
        _detected(layers, layers.conv(layers.concat(maps, fine), 256, square(3), _LEAKY))


def _detected(layers: Layers, maps: str) -> None:
    layers.conv(maps, _ANCHORED, square(1), Style("linear", normalised=False, biased=True))
