"""Deep autoencoder of MLPerf Tiny: anomalies in the sound of machines."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import RELU, Layers, Style
from codesign.network.model import Figure, Model
from codesign.network.tensor import Tensor

_SOURCE = "MLPerf Tiny, anomaly_detection/trained_models/ad01_fp32.tflite"
_RECTIFIED = Style(RELU, biased=True)


class Autoencoder(Model):
    """Nine hidden dense layers, the middle one of 8, for five frames of 128 log-mel bands.

    The published counts are those of the shapes in the trained file, where batch normalisations
    are fused; Keras counts 269,992 with four numbers of each per channel.

    Source: Banbury et al., NeurIPS Datasets and Benchmarks 2021; mlcommons/tiny.
    """

    title = "deep autoencoder (MLPerf Tiny)"
    input = Tensor((640,), 8, signed=True)
    published_macs = Figure(264_192, 1, _SOURCE)
    published_parameters = Figure(265_864, 1, _SOURCE)
    norm_numbers = 0

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        vector = INPUT
        for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
            vector = layers.dense(vector, width, _RECTIFIED)
        layers.dense(vector, 640)
