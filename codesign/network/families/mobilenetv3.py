"""Once-for-all: depth of every stage, kernel and expansion of every layer, resolution."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.network.blocks import Inverted, inverted_residual, to_eights
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import (
    Layered,
    at_least,
    averaged,
    check_kernels,
    check_numbers,
    covered,
    set_bits,
)
from codesign.network.layers import RELU, Layers, Style, square
from codesign.network.tensor import map_shape
from codesign.network.windows import Window
from codesign.space import Choice, Condition, Point, Space

_SWISH = "hard_swish"
_STEM = 16
_STRIDES = (2, 1, 2, 2, 2, 1, 2)
"""Of the first convolution, the fixed block and every stage."""
_STAGES = (
    (24, RELU, False),
    (40, RELU, True),
    (80, _SWISH, False),
    (112, _SWISH, True),
    (160, _SWISH, True),
)
"""Channels, activation, squeeze-and-excitation."""
_LAST = (960, 1280)
"""Channels of the last convolution, and of the layer after the average."""


@dataclass(frozen=True)
class Mobilenetv3(Layered):
    """MobileNetV3-large with elastic stages: any depth, and any kernel and expansion by layer.

    The resolution is that of the data, or a whole part of it: pixels are averaged first. A kernel
    never exceeds its map.

    Source: Cai et al., ICLR 2020 (arXiv 1908.09791), section 3.2; mit-han-lab/once-for-all.
    """

    kernels: tuple[int, ...] = (3, 5, 7)
    depths: tuple[int, ...] = (2, 3, 4)
    expansions: tuple[int, ...] = (3, 4, 6)
    reductions: tuple[int, ...] = (1, 2)
    """Rows and columns of the image that become one."""
    squeezes: bool = True
    """Whether the stages that have squeeze-and-excitation keep it."""
    swishes: bool = True
    """Whether the stages that have hard swish keep it, a table on every stream; else ReLU."""

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        check_kernels("kernels", self.kernels)
        check_numbers("depths", self.depths, 1, 16)
        check_numbers("expansions", self.expansions, 1, 16)
        check_numbers("reductions", self.reductions, 1, 64)

    def space(self) -> Space:
        """Return resolution, depths, and kernel, expansion and bits of every layer there may be."""
        choices = [Choice("reduction", self.reductions), *self.ends(), *self.bits("_fixed")]
        for stage in range(len(_STAGES)):
            name = f"depth{stage}"
            choices.append(Choice(name, self.depths))
            for index in range(max(self.depths)):
                choices += self._layer(f"{stage}_{index}", at_least(name, self.depths, index + 1))
        return Space((*choices, *self.bits("_last")))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        maps = self._reduced(layers, int(point["reduction"]))
        strides = self.strides(_STRIDES, min(map_shape(layers.shape(maps))[1:]))
        stem, swish = self.channels(_STEM), self._style(_SWISH)
        maps = layers.conv(maps, stem, square(covered(layers, maps, 3), strides[0]), swish)
        set_bits(layers, point, "_fixed")
        window = square(covered(layers, maps, 3), strides[1])
        maps = inverted_residual(layers, maps, Inverted(stem, window, stem, expands=False))
        for stage, (width, activation, squeezes) in enumerate(_STAGES):
            for index in range(int(point[f"depth{stage}"])):
                place = f"{stage}_{index}"
                set_bits(layers, point, place)
                kernel = covered(layers, maps, int(point[f"kernel{place}"]))
                block = Inverted(
                    to_eights(int(point[f"expansion{place}"]) * layers.shape(maps)[0]),
                    square(kernel, strides[stage + 2] if index == 0 else 1),
                    self.channels(width),
                    self._style(activation),
                    squeezes=squeezes and self.squeezes,
                )
                maps = inverted_residual(layers, maps, block)
        set_bits(layers, point, "_last")
        return self.finish(layers, self._last(layers, maps), point)

    def _layer(self, place: str, when: Condition | None) -> list[Choice]:
        return [
            Choice(f"kernel{place}", self.kernels, when),
            Choice(f"expansion{place}", self.expansions, when),
            *self.bits(place, when),
        ]

    def _reduced(self, layers: Layers, factor: int) -> str:
        """Return the image, averaged over squares of `factor` where it stays large enough."""
        fits = min(map_shape(self.input.shape)[1:]) // factor >= self.smallest
        if factor == 1 or not fits:
            return INPUT
        layers.activation_bits, before = self.input.bits, layers.activation_bits
        maps = layers.pool(INPUT, "average", Window((factor, factor), (factor, factor)))
        layers.activation_bits = before
        return maps

    def _last(self, layers: Layers, maps: str) -> str:
        """Append a convolution, the average, and the layer that mixes its features."""
        before, features = (self.channels(channels) for channels in _LAST)
        maps = layers.conv(maps, before, square(1), self._style(_SWISH))
        return layers.conv(averaged(layers, maps), features, square(1), self._style(_SWISH))

    def _style(self, activation: str) -> Style:
        return Style(activation if self.swishes else RELU)
