"""DS-CNN of MLPerf Tiny: keyword spotting."""

from __future__ import annotations

from codesign.network.blocks import separable
from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style, same
from codesign.network.model import Figure, Model
from codesign.network.tensor import Tensor

_SOURCE = "MLPerf Tiny, keyword_spotting/trained_models/kws_ref_model_float32.tflite"
_RECTIFIED = Style(RELU, biased=True)


class DsCnn(Model):
    """Four depthwise-separable convolutions over 49 frames of 10 cepstral coefficients.

    The published counts are those of the shapes in the trained file, where batch normalisations
    are fused; Keras counts 24,908 with four numbers of each per channel.

    Source: Banbury et al., NeurIPS Datasets and Benchmarks 2021; mlcommons/tiny.
    """

    title = "DS-CNN (MLPerf Tiny)"
    input = Tensor((1, 49, 10), 8, signed=True)
    published_macs = Figure(2_656_768, 1, _SOURCE)
    published_parameters = Figure(22_604, 1, _SOURCE)
    norm_numbers = 0

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        window = same(layers.shape(INPUT), (10, 4), 2)
        maps = layers.conv(INPUT, 64, window, _RECTIFIED)
        for _ in range(4):
            maps = separable(layers, maps, 64, 1, _RECTIFIED)
        layers.dense(layers.average(maps), 12)
