"""ProxylessNAS: kernel and expansion of each of 21 layers, or no layer at all."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.network.blocks import RECTIFIED, Inverted, inverted_residual
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, check_kernels, check_numbers, covered, set_bits
from codesign.network.layers import square
from codesign.space import Choice, Condition, Point, Space

SKIP = "skip"
_STRIDES = (2, 1, 2, 2, 2, 1, 2, 1)
"""Of the first convolution, the fixed block and every stage."""
_LAYERS = (4, 4, 4, 4, 4, 1)


@dataclass(frozen=True)
class Proxyless(Layered):
    """A convolution, a fixed block, 21 layers that choose theirs, a convolution, a dense layer.

    A block `k5_e3` is an inverted residual with a kernel of 5 x 5 and 3 times the channels
    within. A layer that changes neither channels nor size can be left out. A kernel never exceeds
    its map. Widths are those of the over-parameterised network; the authors' final networks have
    others.

    Source: Cai et al., ICLR 2019 (arXiv 1812.00332), section 4.2; mit-han-lab/proxylessnas.
    """

    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 6)
    stem: tuple[int, int] = (32, 16)
    """Channels of the first convolution and of the fixed block."""
    widths: tuple[int, ...] = (24, 40, 80, 96, 192, 320)
    """Channels of the stages: five of four layers and one of one."""
    head: int = 1280
    """Channels of the last convolution."""

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        check_kernels("kernels", self.kernels)
        check_numbers("expansions", self.expansions, 1, 16)
        if len(self.widths) != len(_LAYERS) or min(*self.widths, *self.stem, self.head) < 1:
            raise ValueError(f"widths are {len(_LAYERS)} numbers of channels, like stem and head")

    def space(self) -> Space:
        """Return the block of every layer, and the bits of what is there."""
        built = tuple(
            f"k{kernel}_e{factor}" for factor in self.expansions for kernel in self.kernels
        )
        choices = [*self.ends(), *self.bits("_fixed")]
        inputs = self.channels(self.stem[1])
        for index, (width, stride) in enumerate(self._layers()):
            idle = width == inputs and stride == 1 and index % 4 > 0
            choices.append(Choice(f"block{index}", (*built, SKIP) if idle else built))
            choices += self.bits(str(index), Condition(f"block{index}", built) if idle else None)
            inputs = width
        return Space((*choices, *self.bits("_last")))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        strides = self.strides(_STRIDES)
        first, fixed = (self.channels(channels) for channels in self.stem)
        maps = layers.conv(INPUT, first, square(covered(layers, INPUT, 3), strides[0]), RECTIFIED)
        set_bits(layers, point, "_fixed")
        window = square(covered(layers, maps, 3), strides[1])
        maps = inverted_residual(layers, maps, Inverted(first, window, fixed, expands=False))
        for index, (width, stride) in enumerate(self._layers()):
            set_bits(layers, point, str(index))
            name = str(point[f"block{index}"])
            if name == SKIP:
                continue
            kernel, factor = (int(part[1:]) for part in name.split("_"))
            expanded = factor * layers.shape(maps)[0]
            window = square(covered(layers, maps, kernel), stride)
            maps = inverted_residual(layers, maps, Inverted(expanded, window, width))
        set_bits(layers, point, "_last")
        maps = layers.conv(maps, self.channels(self.head), square(1), RECTIFIED)
        return self.finish(layers, maps, point)

    def _layers(self) -> list[tuple[int, int]]:
        """Return channels and stride of the layers that choose."""
        stages = zip(self.widths, _LAYERS, self.strides(_STRIDES)[2:], strict=True)
        return [
            (self.channels(width), stride if index == 0 else 1)
            for width, count, stride in stages
            for index in range(count)
        ]
