"""FBNet: one of nine blocks for each of 22 layers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from codesign.network.blocks import RECTIFIED, Inverted, inverted_residual
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, covered, set_bits
from codesign.network.layers import Layers, square
from codesign.space import Choice, Condition, Point, Space

SKIP = "skip"
_BLOCK = re.compile(r"k(?P<kernel>[1357])_e(?P<expansion>[1-9])(?:_g(?P<groups>2))?\Z")
_STEM = (16, 2)
_STAGES = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""Channels, layers, stride of the first layer."""


@dataclass(frozen=True)
class Fbnet(Layered):
    """A convolution, 22 layers that choose a block each, a 1 x 1 convolution, one dense layer.

    A block `k5_e3_g2` is an inverted residual with a kernel of 5 x 5, 3 times the channels within
    and 2 groups; `skip` leaves a layer out. Where channels or size change, `skip` is a 1 x 1
    convolution with ReLU. A kernel never exceeds its map.

    Source: Wu et al., CVPR 2019 (arXiv 1812.03443), tables 1 and 2, figure 3.
    """

    blocks: tuple[str, ...] = (
        "k3_e1",
        "k3_e1_g2",
        "k3_e3",
        "k3_e6",
        "k5_e1",
        "k5_e1_g2",
        "k5_e3",
        "k5_e6",
        SKIP,
    )
    head: int = 1984
    """Channels of the last convolution."""

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        if not self.blocks or len(set(self.blocks)) < len(self.blocks):
            raise ValueError(f"blocks are different and at least one, got {list(self.blocks)}")
        strange = [name for name in self.blocks if name != SKIP and not _BLOCK.match(name)]
        if strange:
            raise ValueError(f"a block is {SKIP} or like k3_e6 or k5_e1_g2, not {strange[0]}")
        if self.head < 1:
            raise ValueError(f"head is a number of channels, got {self.head}")

    def space(self) -> Space:
        """Return the block of every layer, and the bits of what is there."""
        choices = [*self.ends()]
        inputs = self.channels(_STEM[0])
        for index, (width, stride) in enumerate(self._layers()):
            choices.append(Choice(f"block{index}", self.blocks))
            idle = SKIP in self.blocks and width == inputs and stride == 1
            built = tuple(name for name in self.blocks if name != SKIP)
            choices += self.bits(str(index), Condition(f"block{index}", built) if idle else None)
            inputs = width
        return Space((*choices, *self.bits("_last")))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        stem = square(covered(layers, INPUT, 3), self._strides()[0])
        maps = layers.conv(INPUT, self.channels(_STEM[0]), stem, RECTIFIED)
        for index, (width, stride) in enumerate(self._layers()):
            set_bits(layers, point, str(index))
            maps = _layer(layers, maps, str(point[f"block{index}"]), width, stride)
        set_bits(layers, point, "_last")
        maps = layers.conv(maps, self.channels(self.head), square(1), RECTIFIED)
        return self.finish(layers, maps, point)

    def _strides(self) -> tuple[int, ...]:
        """Return the strides of the first convolution and of every stage."""
        return self.strides((_STEM[1], *(stride for *_, stride in _STAGES)))

    def _layers(self) -> list[tuple[int, int]]:
        """Return channels and stride of the layers that choose."""
        stages = zip(_STAGES, self._strides()[1:], strict=True)
        return [
            (self.channels(width), stride if index == 0 else 1)
            for (width, count, _), stride in stages
            for index in range(count)
        ]


def _layer(layers: Layers, source: str, name: str, width: int, stride: int) -> str:
    inputs = layers.shape(source)[0]
    if name == SKIP:
        if inputs == width and stride == 1:
            return source
        return layers.conv(source, width, square(1, stride), RECTIFIED)
    found = _BLOCK.match(name)
    assert found is not None
    window = square(covered(layers, source, int(found["kernel"])), stride)
    expanded = int(found["expansion"]) * inputs
    block = Inverted(expanded, window, width, groups=int(found["groups"] or 1))
    return inverted_residual(layers, source, block)
