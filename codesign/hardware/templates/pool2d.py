"""Streaming pooling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.reduce import Reduce
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count, Storage
from codesign.hardware.superpixels import Limits, given, undivided
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingPool2d(HardwareTemplate):
    """A window feeds a reduction of `pe` channels of `positions` per cycle.

    Global pooling reduces the stream as it comes. With several `pixels` a word holds so many of a
    row, all channels of each: what they make leaves side by side, but for global pooling, which
    makes one of them all.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    line_storage: Count
    positions: int = 1
    pixels: int = 1

    implements = Pool2d
    structural = ("pixels", "positions")

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """Averages of what lies on the map alone."""
        return "" if _op(node).counts_padding else "an average that leaves padding out"

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe` and the kernel over `positions`, or take several `pixels`."""
        op = _op(node)
        windowed = not _passes_through(op, inputs[0])
        return Space(
            (
                Choice("pixels", _limits(node, inputs).pixels()),
                Choice("positions", divisors(op.window.positions) if windowed else (1,)),
                Choice("pe", divisors(inputs[0].channels)),
                Choice("line_storage", tuple(Storage) if windowed else (Storage.LUTRAM,)),
            )
        )

    @classmethod
    def is_possible(
        cls, node: Node, inputs: tuple[Tensor, ...], structural: Mapping[str, Any]
    ) -> bool:
        """Return whether several pixels make sense with so many positions."""
        return _limits(node, inputs).allow(structural["pixels"], structural["positions"])

    def processes(self) -> tuple[Process, ...]:
        """Return window and reduction, or the reduction alone."""
        op = _op(self.node)
        (source,) = self.inputs
        maximum = op.kind == "max"
        is_global = op.window.covers(source.shape)
        reduce = Reduce(
            maximum=maximum,
            pixels=self.node.output.pixels,
            positions=op.window.positions,
            element=source,
            requantiser=Requantiser.of(self.node),
            lanes=self.pe,
            together=self.pixels if is_global else self.positions,
            beside=self._given,
        )
        if _passes_through(op, source):
            return (reduce,)
        pad_value = source.low if maximum else 0
        portion = Portion(self.pe, self.positions, self.pixels)
        window = patches(source, op.window, portion, self.line_storage, pad_value)
        return (window, reduce)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels of every pixel in a word."""
        return self.pixels * self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels of every pixel that is made of them."""
        return self._given * self.pe

    def legal(self) -> NDArray[np.bool_]:
        """Also demand that all of several pixels is computed at once."""
        folded = self.pe, self.inputs[0].channels
        return super(StreamingPool2d, self).legal() & undivided(self.pixels, folded)

    @property
    def _given(self) -> int:
        """Pixels that leave with a word."""
        window = _op(self.node).window
        return 1 if window.covers(self.inputs[0].shape) else given(window, self.pixels)


def _limits(node: Node, inputs: tuple[Tensor, ...]) -> Limits:
    window, (source,) = _op(node).window, inputs
    if window.covers(source.shape):
        return Limits(Window((1, 1)), source, source)
    return Limits(window, source, node.output)


def _passes_through(op: Pool2d, source: Tensor) -> bool:
    """Whether the pixels under the window arrive in stream order, so that nothing is kept."""
    return op.window.covers(source.shape) or op.window.is_point


def _op(node: Node) -> Pool2d:
    if not isinstance(node.op, Pool2d):
        raise TypeError(f"{node.name} is no pooling")
    return node.op
