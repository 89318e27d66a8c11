"""Families written with `Layers`: what they share beside their blocks.

A published space is made for one size of image. Here it serves any: channels are multiplied, and
of its strides only so many stay as the image bears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from codesign.network.blocks import to_eights
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.layers import Layers
from codesign.network.tensor import map_shape
from codesign.space import Choice, Condition, Point

_HEAD_BITS = 8
"""Of averages over a map: the mean of many narrow values is worth more bits than each of them."""


@dataclass(frozen=True)
class Layered(Family):
    """Networks of one row of layers or blocks, each with its own bits, then one dense layer."""

    width: float = 1.0
    """Factor of all published channel counts; the results are multiples of 8."""
    smallest: int = 4
    """Rows or columns that a map keeps at least: strides beyond are dropped, first ones first."""
    weight_bits: tuple[int, ...] = (8,)
    activation_bits: tuple[int, ...] = (8,)

    def __post_init__(self) -> None:
        Family.__post_init__(self)
        if self.width <= 0:
            raise ValueError(f"width is a positive factor, got {self.width}")
        if self.smallest < 1:
            raise ValueError(f"smallest is at least 1, got {self.smallest}")
        if len(self.input.shape) != 3:
            raise ValueError(f"convolutions need C x H x W, got {self.input.shape}")
        check_numbers("weight_bits", self.weight_bits, 2, 8)
        check_numbers("activation_bits", self.activation_bits, 2, 8)

    def channels(self, published: int, factor: float = 1.0) -> int:
        """Return a published number of channels times the width, and another factor."""
        scaled = published * self.width * factor
        return published if scaled == published else to_eights(scaled)

    def strides(self, published: Sequence[int], size: int = 0) -> tuple[int, ...]:
        """Return the strides that remain for images of `size`; by default, of the input."""
        size = size or min(map_shape(self.input.shape)[1:])
        halvings = 0
        while size >= 2 * self.smallest:
            size, halvings = -(-size // 2), halvings + 1
        dropped = sum(stride > 1 for stride in published) - halvings
        kept = []
        for stride in published:
            kept.append(1 if stride > 1 and dropped > 0 else stride)
            dropped -= stride > 1
        return tuple(kept)

    def bits(self, place: str, when: Condition | None = None) -> tuple[Choice, Choice]:
        """Return the choices of the widths at one place of the network."""
        return (
            Choice(f"weight_bits{place}", self.weight_bits, when),
            Choice(f"activation_bits{place}", self.activation_bits, when),
        )

    def ends(self) -> tuple[Choice, Choice, Choice]:
        """Return the choices of the widths of the first layer, and of the last layer's weights."""
        stem = Choice("stem_weight_bits", self.weight_bits)
        output = Choice("stem_activation_bits", self.activation_bits)
        return stem, output, Choice("head_weight_bits", self.weight_bits)

    def begin(self, point: Point) -> Layers:
        """Return what writes the network down, set to the first layer's bits."""
        stem = int(point["stem_weight_bits"]), int(point["stem_activation_bits"])
        return Layers(self.input, *stem)

    def finish(self, layers: Layers, maps: str, point: Point) -> Graph:
        """Append averages over the map and the dense layer that scores the classes."""
        layers.weight_bits = int(point["head_weight_bits"])
        layers.dense(averaged(layers, maps), self.classes)
        return layers.graph(type(self).__name__.lower())


def set_bits(layers: Layers, point: Point, place: str) -> None:
    """Let the next layers have the bits of one place of a point."""
    layers.weight_bits = int(point[f"weight_bits{place}"])
    layers.activation_bits = int(point[f"activation_bits{place}"])


def covered(layers: Layers, source: str, kernel: int) -> int:
    """Return the largest odd kernel up to `kernel` that the map of `source` covers."""
    side = min(map_shape(layers.shape(source))[1:])
    return min(kernel, side - 1 + side % 2)


def averaged(layers: Layers, maps: str) -> str:
    """Append the average over the map, if it has more than one pixel, in 8 bits."""
    if prod(layers.shape(maps)[1:]) == 1:
        return maps
    before, layers.activation_bits = layers.activation_bits, _HEAD_BITS
    average = layers.average(maps)
    layers.activation_bits = before
    return average


def at_least(name: str, values: Sequence[int], least: int) -> Condition | None:
    """Return where a choice counts that needs `least` of what `name` chooses among `values`."""
    enough = tuple(value for value in values if value >= least)
    return None if len(enough) == len(values) else Condition(name, enough)


def check_kernels(key: str, values: Sequence[int]) -> None:
    """Refuse an option that is not a list of different odd sizes of a window."""
    check_numbers(key, values, 1, 63)
    if any(value % 2 == 0 for value in values):
        raise ValueError(f"{key} have a middle: odd numbers, got {list(values)}")


def check_numbers(key: str, values: Sequence[float], least: float, most: float) -> None:
    """Refuse an option that is not a list of different numbers of a range.

    Raises:
        ValueError: says which option, and what it may be.
    """
    if not values or min(values) < least or max(values) > most or len(set(values)) < len(values):
        raise ValueError(f"{key} are different numbers of {least} to {most}, got {list(values)}")
