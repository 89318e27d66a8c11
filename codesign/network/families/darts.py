"""DARTS: one normal and one reduction cell, stacked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Literal, Protocol, get_args

from codesign.network.blocks import RECTIFIED
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, covered, set_bits
from codesign.network.layers import LINEAR, Layers, Style, square
from codesign.network.windows import Window
from codesign.space import Choice, Point, Space

Operation = Literal[
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
]

_KINDS = ("normal", "reduce")
_SPREAD = Style(LINEAR, normalised=False)
"""A depthwise convolution: nothing stands between it and the 1 x 1 convolution that follows."""
_LARGE = 5
"""Halvings that the published network for large images makes, three of them before its cells."""
_STEM_FACTOR = 3


@dataclass(frozen=True)
class Darts(Layered):
    """Cells of nodes that each add two operations on earlier nodes or on the last two cells.

    A third and two thirds of the way a reduction cell halves the map and doubles the channels.
    Images that bear five halvings begin with three convolutions of stride 2, others with one of
    stride 1.

    Differences from the publication: ReLU stands behind a convolution and not before it, so that
    streams carry no signs; a skip that halves the map is one 1 x 1 convolution of stride 2, of as
    many weights as the two that see odd and even pixels; a window never exceeds its map.

    Source: Liu et al., ICLR 2019 (arXiv 1806.09055), sections 2.1, 3.1.1 and A.1; quark0/darts.
    """

    cells: int = 8
    nodes: int = 4
    """Of a cell, beside its two inputs."""
    first: int = 16
    """Channels of an operation in the first cells."""
    operations: tuple[Operation, ...] = get_args(Operation)

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        if min(self.cells, self.nodes, self.first) < 1:
            raise ValueError("cells, nodes and first are at least 1")
        if not self.operations or len(set(self.operations)) < len(self.operations):
            raise ValueError(f"operations are different, at least one, not {self.operations}")

    def space(self) -> Space:
        """Return inputs and operations of every node of both cells, and bits."""
        choices = [*self.ends()]
        for kind in _KINDS:
            choices += self.bits(f"_{kind}")
            for node in range(self.nodes):
                pairs = tuple(f"{a}+{b}" for a, b in combinations(range(node + 2), 2))
                choices += [
                    Choice(f"{kind}_inputs{node}", pairs),
                    Choice(f"{kind}_left{node}", self.operations),
                    Choice(f"{kind}_right{node}", self.operations),
                ]
        return Space(tuple(choices))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        before, last, strides = self._stem(layers)
        channels = self.channels(self.first)
        halving = {self.cells // 3, 2 * self.cells // 3}
        for cell in range(self.cells):
            kind, stride = _KINDS[cell in halving], 1
            if cell in halving:
                channels, stride = 2 * channels, strides.pop(0)
            before, last = last, self._cell(layers, (before, last), kind, (channels, stride), point)
        return self.finish(layers, last, point)

    def _stem(self, layers: Layers) -> tuple[str, str, list[int]]:
        """Append the first convolutions; return two tensors, and the strides of the cells."""
        channels = self.channels(self.first)
        strides = self.strides((2,) * _LARGE)
        if strides[0] == 1:
            window = square(covered(layers, INPUT, 3))
            maps = layers.conv(INPUT, _STEM_FACTOR * channels, window, RECTIFIED)
            return maps, maps, list(strides[-2:])
        maps = layers.conv(INPUT, channels // 2, square(3, 2), RECTIFIED)
        before = layers.conv(maps, channels, square(3, 2), RECTIFIED)
        return before, layers.conv(before, channels, square(3, 2), RECTIFIED), list(strides[-2:])

    def _cell(
        self,
        layers: Layers,
        inputs: tuple[str, str],
        kind: str,
        shape: tuple[int, int],
        point: Point,
    ) -> str:
        """Append a cell of so many channels and this stride; its nodes are laid side by side."""
        channels, stride = shape
        set_bits(layers, point, f"_{kind}")
        rows = [layers.shape(source)[1] for source in inputs]
        halves = [2 if row > rows[1] else 1 for row in rows]
        made = [
            layers.conv(source, channels, square(1, half), RECTIFIED)
            for source, half in zip(inputs, halves, strict=True)
        ]
        for node in range(self.nodes):
            places = [int(place) for place in str(point[f"{kind}_inputs{node}"]).split("+")]
            sides = [str(point[f"{kind}_{side}{node}"]) for side in ("left", "right")]
            parts = [
                _OPERATIONS[name](layers, made[place], stride if place < len(inputs) else 1)
                for name, place in zip(sides, places, strict=True)
            ]
            made.append(layers.add(parts[0], parts[1]))
        return layers.concat(*made[len(inputs) :])


class _Append(Protocol):
    def __call__(self, layers: Layers, source: str, stride: int) -> str: ...


def _pool(layers: Layers, source: str, stride: int, kind: str) -> str:
    kernel = covered(layers, source, 3)
    return source if kernel == 1 else layers.pool(source, kind, square(kernel, stride))


def _skip(layers: Layers, source: str, stride: int) -> str:
    if stride == 1:
        return source
    return layers.conv(source, layers.shape(source)[0], square(1, stride), RECTIFIED)


def _separable(layers: Layers, source: str, stride: int, kernel: int) -> str:
    """Append a depthwise and a 1 x 1 convolution, twice."""
    channels = layers.shape(source)[0]
    for step in (stride, 1):
        window = square(covered(layers, source, kernel), step)
        source = layers.depthwise(source, window, _SPREAD)
        source = layers.conv(source, channels, square(1), RECTIFIED)
    return source


def _dilated(layers: Layers, source: str, stride: int, kernel: int) -> str:
    """Append a depthwise convolution of every second pixel, and one of 1 x 1."""
    apart = 2 if covered(layers, source, 2 * kernel - 1) == 2 * kernel - 1 else 1
    kernel = covered(layers, source, kernel)
    around = apart * (kernel - 1) // 2
    window = Window((kernel, kernel), (stride, stride), (around,) * 4, (apart, apart))
    maps = layers.depthwise(source, window, _SPREAD)
    return layers.conv(maps, layers.shape(source)[0], square(1), RECTIFIED)


_OPERATIONS: Mapping[str, _Append] = {
    "max_pool_3x3": partial(_pool, kind="max"),
    "avg_pool_3x3": partial(_pool, kind="average"),
    "skip_connect": _skip,
    "sep_conv_3x3": partial(_separable, kernel=3),
    "sep_conv_5x5": partial(_separable, kernel=5),
    "dil_conv_3x3": partial(_dilated, kernel=3),
    "dil_conv_5x5": partial(_dilated, kernel=5),
}
