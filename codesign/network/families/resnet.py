"""Residual networks: depth and width of every stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codesign.network.blocks import RECTIFIED, basic, bottleneck
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, at_least, check_numbers, covered, set_bits
from codesign.network.layers import Layers, square
from codesign.space import Choice, Point, Space

Block = Literal["basic", "bottleneck"]

_BLOCKS = {"basic": basic, "bottleneck": bottleneck}


@dataclass(frozen=True)
class Resnet(Layered):
    """A convolution, stages of residual blocks, one dense layer.

    Large images begin with a kernel of 7 x 7 and maximum pooling, both of stride 2. Where the
    image does not bear these strides, a convolution of 3 x 3 stands in their place.

    Source: He et al., CVPR 2016 (arXiv 1512.03385), table 1.
    """

    blocks: tuple[Block, ...] = ("basic", "bottleneck")
    depths: tuple[int, ...] = (1, 2, 3, 4)
    """Blocks of a stage."""
    widths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    """Factors of a stage's channels."""
    stages: tuple[int, ...] = (64, 128, 256, 512)
    """Channels of every stage; a bottleneck's output has four times as many."""
    stem: int = 64
    """Channels of the first convolution."""

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        check_numbers("depths", self.depths, 1, 64)
        check_numbers("widths", self.widths, 0.01, 16)
        if not self.blocks or len(set(self.blocks)) < len(self.blocks):
            raise ValueError(f"blocks are different and at least one, got {list(self.blocks)}")
        if not self.stages or min(*self.stages, self.stem) < 1:
            raise ValueError(f"stages and stem are numbers of channels, got {list(self.stages)}")

    def space(self) -> Space:
        """Return the kind of block, depth and width of every stage, and the bits of every block."""
        choices = [Choice("block", self.blocks), *self.ends()]
        for stage in range(len(self.stages)):
            name = f"depth{stage}"
            choices += [Choice(name, self.depths), Choice(f"width{stage}", self.widths)]
            for index in range(max(self.depths)):
                choices += self.bits(f"{stage}_{index}", at_least(name, self.depths, index + 1))
        return Space(tuple(choices))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        first, pooled, *strides = self.strides((2, 2, 1) + (2,) * (len(self.stages) - 1))
        maps = self._stem(layers, first, pooled)
        append = _BLOCKS[str(point["block"])]
        for stage, (channels, stride) in enumerate(zip(self.stages, strides, strict=True)):
            width = self.channels(channels, float(point[f"width{stage}"]))
            for index in range(int(point[f"depth{stage}"])):
                set_bits(layers, point, f"{stage}_{index}")
                maps = append(layers, maps, width, stride if index == 0 else 1)
        return self.finish(layers, maps, point)

    def _stem(self, layers: Layers, first: int, pooled: int) -> str:
        """Append what comes before the stages."""
        window = square(covered(layers, INPUT, 7 if first > 1 else 3), first)
        maps = layers.conv(INPUT, self.channels(self.stem), window, RECTIFIED)
        return maps if pooled == 1 else layers.pool(maps, "max", square(3, pooled))
