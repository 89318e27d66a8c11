"""Time series: depthwise-separable convolutions along one axis."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.network.blocks import RECTIFIED
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, at_least, check_kernels, check_numbers, set_bits
from codesign.network.layers import Layers, square
from codesign.network.tensor import map_shape
from codesign.network.windows import Window
from codesign.space import Choice, Condition, Point, Space


@dataclass(frozen=True)
class Sequence(Layered):
    """One convolution along time, depthwise-separable ones, the average, one dense layer.

    Data are `channels x 1 x samples`. The first convolution takes in all rows of a map of several.
    A stride that would leave fewer than `smallest` samples is dropped, and a kernel never exceeds
    what is left of the series.

    Source of the kind: Ney et al., FPL 2021 (HALF, arXiv 2106.14771), who search such networks for
    electrocardiograms; the values offered here are ours.
    """

    layers: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    """Numbers of separable convolutions to choose from."""
    widths: tuple[int, ...] = (8, 16, 24, 32, 48, 64)
    kernels: tuple[int, ...] = (3, 5, 7, 9, 15)
    steps: tuple[int, ...] = (1, 2, 4)
    """Strides along time."""

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        check_numbers("layers", self.layers, 1, 64)
        check_numbers("widths", self.widths, 1, 4096)
        check_numbers("steps", self.steps, 1, 64)
        check_kernels("kernels", self.kernels)

    def space(self) -> Space:
        """Return width, kernel, stride and bits of every layer that may exist."""
        choices = [Choice("layers", self.layers), *self.ends(), *self._layer("_first", None)]
        for index in range(max(self.layers)):
            when = at_least("layers", self.layers, index + 1)
            choices += [*self._layer(str(index), when), *self.bits(str(index), when)]
        return Space(tuple(choices))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        rows = map_shape(self.input.shape)[1]
        window = self._window(layers, INPUT, point, "_first", rows)
        maps = layers.conv(INPUT, self._width(point, "_first"), window, RECTIFIED)
        for index in range(int(point["layers"])):
            place = str(index)
            set_bits(layers, point, place)
            window = self._window(layers, maps, point, place)
            maps = layers.depthwise(maps, window, RECTIFIED)
            maps = layers.conv(maps, self._width(point, place), square(1), RECTIFIED)
        return self.finish(layers, maps, point)

    def _layer(self, place: str, when: Condition | None) -> list[Choice]:
        return [
            Choice(f"width{place}", self.widths, when),
            Choice(f"kernel{place}", self.kernels, when),
            Choice(f"step{place}", self.steps, when),
        ]

    def _width(self, point: Point, place: str) -> int:
        return self.channels(int(point[f"width{place}"]))

    def _window(
        self, layers: Layers, source: str, point: Point, place: str, rows: int = 1
    ) -> Window:
        """Return a window over all rows that keeps the length at stride 1."""
        samples = map_shape(layers.shape(source))[2]
        kernel = min(int(point[f"kernel{place}"]), samples - 1 + samples % 2)
        step = int(point[f"step{place}"])
        step = step if -(-samples // step) >= self.smallest else 1
        return Window((rows, kernel), (1, step), (0, kernel // 2, 0, kernel // 2))
