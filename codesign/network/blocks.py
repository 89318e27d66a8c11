"""Groups of layers that several reference networks are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, PLAIN, RELU, Layers, Style, same, square

RECTIFIED = Style(RELU)
NORMALISED = Style(LINEAR)
DAMPED = Style(LINEAR, gain=0.3)
"""The last layer of a residual branch: sums over many blocks stay of one size."""

Block = Callable[[Layers, str, int, int], str]


def basic(layers: Layers, source: str, width: int, stride: int) -> str:
    """Append two 3 x 3 convolutions and a skip.

    Source: He et al., CVPR 2016, figure 5, left.
    """
    branch = layers.conv(source, width, square(3, stride), RECTIFIED)
    branch = layers.conv(branch, width, square(3), DAMPED)
    return layers.add(_skip(layers, source, width, stride), branch, RELU)


def bottleneck(layers: Layers, source: str, width: int, stride: int) -> str:
    """Append a 3 x 3 convolution between two of 1 x 1, and a skip.

    Source: He et al., CVPR 2016, figure 5, right; the stride at the 3 x 3 convolution is that of
    torchvision ("ResNet v1.5").
    """
    branch = layers.conv(source, width, square(1), RECTIFIED)
    branch = layers.conv(branch, width, square(3, stride), RECTIFIED)
    branch = layers.conv(branch, 4 * width, square(1), DAMPED)
    return layers.add(_skip(layers, source, 4 * width, stride), branch, RELU)


def resnet(layers: Layers, block: Block, depths: Sequence[int]) -> None:
    """Write a residual network for 1,000 classes, with so many blocks per stage.

    Source: He et al., CVPR 2016, table 1.
    """
    maps = layers.conv(INPUT, 64, square(7, 2), RECTIFIED)
    maps = layers.pool(maps, "max", square(3, 2))
    for stage, depth in enumerate(depths):
        for index in range(depth):
            stride = 2 if stage > 0 and index == 0 else 1
            maps = block(layers, maps, 64 << stage, stride)
    layers.dense(layers.average(maps), 1000, PLAIN)


def separable(layers: Layers, source: str, outputs: int, stride: int, style: Style) -> str:
    """Append a depthwise 3 x 3 and a 1 x 1 convolution, padded as TensorFlow does.

    Source: Howard et al., arXiv 1704.04861, 2017, figure 3.
    """
    window = same(layers.shape(source), (3, 3), stride)
    return layers.conv(layers.depthwise(source, window, style), outputs, square(1), style)


def _skip(layers: Layers, source: str, outputs: int, stride: int) -> str:
    """Return the source, brought to another shape where it has to be."""
    if stride == 1 and layers.shape(source)[0] == outputs:
        return source
    return layers.conv(source, outputs, square(1, stride), NORMALISED)
