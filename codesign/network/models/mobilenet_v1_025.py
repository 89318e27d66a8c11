"""MobileNetV1 0.25 of MLPerf Tiny: visual wake words."""

from __future__ import annotations

from codesign.network.blocks import separable
from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, same
from codesign.network.model import Figure, Model, image

_SOURCE = "MLPerf Tiny, visual_wake_words/trained_models/vww_96_float.tflite"
_RECTIFIED = Style(RELU, biased=True)
_WIDTHS = (16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
_STRIDED = (1, 3, 5, 11)


class MobilenetV1Quarter(Model):
    """Thirteen depthwise-separable convolutions with a quarter of the channels, 96 x 96 pixels.

    The published counts are those of the shapes in the trained file, where batch normalisations
    are fused; Keras counts 221,794 with four numbers of each per channel.

    Source: Banbury et al., NeurIPS Datasets and Benchmarks 2021; mlcommons/tiny.
    """

    title = "MobileNetV1 0.25 (MLPerf Tiny)"
    input = image(96)
    published_macs = Figure(7_489_664, 1, _SOURCE)
    published_parameters = Figure(210_850, 1, _SOURCE)
    norm_numbers = 0

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        window = same(layers.shape(INPUT), (3, 3), 2)
        maps = layers.conv(INPUT, 8, window, _RECTIFIED)
        for index, width in enumerate(_WIDTHS):
            stride = 2 if index in _STRIDED else 1
            maps = separable(layers, maps, width, stride, _RECTIFIED)
        layers.dense(layers.average(maps), 2)
