"""ResNet-8 of MLPerf Tiny: image classification."""

from __future__ import annotations

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, RELU, Layers, Style, same, square
from codesign.network.model import Figure, Model, image

_SOURCE = "MLPerf Tiny, image_classification/trained_models/pretrainedResnet.tflite"
_RECTIFIED = Style(RELU, biased=True)
_DAMPED = Style(LINEAR, biased=True, gain=0.5)
_SKIP = Style(LINEAR, normalised=False, biased=True)


class Resnet8(Model):
    """Three residual blocks for CIFAR-10; the 1 x 1 skips are not normalised.

    The published counts are those of the shapes in the trained file, where batch normalisations
    are fused; Keras counts 78,666 with four numbers of each per channel.

    Source: Banbury et al., NeurIPS Datasets and Benchmarks 2021; mlcommons/tiny.
    """

    title = "ResNet-8 (MLPerf Tiny)"
    input = image(32)
    published_macs = Figure(12_501_632, 1, _SOURCE)
    published_parameters = Figure(77_706, 1, _SOURCE)
    norm_numbers = 0

    def declare(self, layers: Layers) -> None:
        """Write the layers down."""
        maps = layers.conv(INPUT, 16, square(3), _RECTIFIED)
        for width, stride in ((16, 1), (32, 2), (64, 2)):
            window = same(layers.shape(maps), (3, 3), stride)
            branch = layers.conv(maps, width, window, _RECTIFIED)
            branch = layers.conv(branch, width, square(3), _DAMPED)
            if stride > 1:
                maps = layers.conv(maps, width, square(1, stride), _SKIP)
            maps = layers.add(maps, branch, RELU)
        layers.dense(layers.average(maps), 10)
