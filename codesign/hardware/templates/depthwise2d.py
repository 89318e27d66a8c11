"""Streaming depthwise convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.packing import UNPACKED
from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.depthwise import Depthwise
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.superpixels import Limits, given, undivided
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingDepthwise2d(HardwareTemplate):
    """A window feeds one multiplier per element: `pe` channels of `positions` per cycle.

    With several `pixels` a word holds so many of a row, all channels of each, and what they make
    leaves side by side.

    A 1 x 1 kernel scales and shifts each channel: batch normalisation that stands alone.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    arithmetic: Count
    weight_storage: Count
    line_storage: Count
    positions: int = 1
    activation: Activation = Activation.MULTIPLIER
    pixels: int = 1

    implements = Conv2d
    structural = ("pixels", "positions", "activation")

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """All that is not depthwise."""
        op = _op(node)
        is_depthwise = op.groups == op.inputs == op.outputs
        return "" if is_depthwise else "a convolution across channels"

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe` and the kernel over `positions`, or take several `pixels`."""
        op = _op(node)
        lines = (Storage.LUTRAM,) if op.window.is_point else tuple(Storage)
        return Space(
            (
                Choice("pixels", _limits(node, inputs).pixels()),
                Choice("positions", divisors(op.window.positions)),
                Choice("activation", activations(node)),
                Choice("pe", divisors(op.inputs)),
                Choice("arithmetic", UNPACKED),
                Choice("weight_storage", (Storage.LUTRAM, Storage.BRAM)),
                Choice("line_storage", lines),
            )
        )

    @classmethod
    def is_possible(
        cls, node: Node, inputs: tuple[Tensor, ...], structural: Mapping[str, Any]
    ) -> bool:
        """Return whether several pixels make sense with so many positions."""
        return _limits(node, inputs).allow(structural["pixels"], structural["positions"])

    def processes(self) -> tuple[Process, ...]:
        """Return window and weighing; a 1 x 1 window of stride 1 needs no line buffer."""
        op = _op(self.node)
        (source,) = self.inputs
        weighing = Depthwise(
            pixels=self.node.output.pixels,
            positions=op.window.positions,
            element=source,
            weight_bits=op.bits,
            requantiser=Requantiser.of(self.node, self.activation),
            lanes=self.pe,
            arithmetic=self.arithmetic,
            storage=self.weight_storage,
            together=self.positions,
            beside=given(op.window, self.pixels),
        )
        if op.window.is_point:
            return (weighing,)
        portion = Portion(self.pe, self.positions, self.pixels)
        window = patches(source, op.window, portion, self.line_storage)
        return (window, weighing)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels of every pixel in a word."""
        return self.pixels * self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels of every pixel that is made of them."""
        return given(_op(self.node).window, self.pixels) * self.pe

    def legal(self) -> NDArray[np.bool_]:
        """Also demand that all of several pixels is computed at once."""
        folded = self.pe, _op(self.node).inputs
        return super(StreamingDepthwise2d, self).legal() & undivided(self.pixels, folded)


def _limits(node: Node, inputs: tuple[Tensor, ...]) -> Limits:
    op = _op(node)
    return Limits(op.window, inputs[0], node.output, op.inputs)


def _op(node: Node) -> Conv2d:
    if not isinstance(node.op, Conv2d):
        raise TypeError(f"{node.name} is no convolution")
    return node.op
