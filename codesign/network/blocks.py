"""Groups of layers that several reference networks and network families are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codesign.network.graph import INPUT
from codesign.network.layers import LINEAR, PLAIN, RELU, Layers, Style, same, square
from codesign.network.windows import Window

RECTIFIED = Style(RELU)
NORMALISED = Style(LINEAR)
DAMPED = Style(LINEAR, gain=0.3)
"""The last layer of a residual branch: sums over many blocks stay of one size."""
NARROW = Style(LINEAR, gain=0.5)
"""The linear bottleneck of an inverted residual."""
_SQUEEZE = Style(RELU, normalised=False, biased=True)
_EXCITE = Style("hard_sigmoid", (1 / 6, 0.5), normalised=False, biased=True)

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


@dataclass(frozen=True, slots=True)
class Inverted:
    """An inverted residual: channels in between, a depthwise `window`, channels that leave.

    With several `groups` both 1 x 1 convolutions are grouped, and channels shuffled between.
    """

    expanded: int
    window: Window
    width: int
    style: Style = RECTIFIED
    groups: int = 1
    expands: bool = True
    """Whether a 1 x 1 convolution makes the channels in between; else they are those that come."""
    squeezes: bool = False
    """Whether channels are weighed (squeeze-and-excitation) before they leave."""


def inverted_residual(layers: Layers, source: str, block: Inverted) -> str:
    """Append an expansion, a depthwise convolution and a linear one, and a skip where it fits.

    Sources: Sandler et al., CVPR 2018, figure 3; with groups, Wu et al., CVPR 2019, figure 3;
    with squeeze-and-excitation, Howard et al., ICCV 2019, figure 4.
    """
    inputs, maps = layers.shape(source)[0], source
    if block.expands:
        maps = layers.conv(maps, block.expanded, square(1), block.style, block.groups)
    if block.groups > 1:
        maps = shuffled(layers, maps, block.groups)
    maps = layers.depthwise(maps, block.window, block.style)
    if block.squeezes:
        maps = excited(layers, maps)
    maps = layers.conv(maps, block.width, square(1), NARROW, block.groups)
    fits = block.window.stride == (1, 1) and inputs == block.width
    return layers.add(source, maps) if fits else maps


def shuffled(layers: Layers, source: str, groups: int) -> str:
    """Append a permutation that gives each group of the next layer a part of each of these.

    Parts of neighbouring channels change places, not single channels: to a layer in groups, whose
    weights have to be learned, the order within a group makes no difference.

    Source: Zhang et al., CVPR 2018 (ShuffleNet), figure 1.
    """
    channels = layers.shape(source)[0]
    step = channels // groups**2
    starts = [step * (groups * own + part) for part in range(groups) for own in range(groups)]
    parts = [layers.part(source, start, start + step) for start in starts]
    return layers.concat(*parts)


def excited(layers: Layers, source: str) -> str:
    """Append squeeze-and-excitation: one factor per channel, from the averages of all.

    A quarter of the channels, in eights, stands between. Source: Hu et al., CVPR 2018, figure 2.
    """
    channels = layers.shape(source)[0]
    squeezed = to_eights(channels / 4)
    factors = layers.conv(layers.average(source), squeezed, square(1), _SQUEEZE)
    return layers.multiply(source, layers.conv(factors, channels, square(1), _EXCITE))


def to_eights(channels: float) -> int:
    """Return the multiple of 8 that is nearest, but at least 8 and nine tenths of `channels`.

    Source: tensorflow/models, research/slim/nets/mobilenet/conv_blocks.py, `_make_divisible`.
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _skip(layers: Layers, source: str, outputs: int, stride: int) -> str:
    """Return the source, brought to another shape where it has to be."""
    if stride == 1 and layers.shape(source)[0] == outputs:
        return source
    return layers.conv(source, outputs, square(1, stride), NORMALISED)
