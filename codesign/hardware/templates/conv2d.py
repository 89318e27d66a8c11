"""Streaming convolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.packing import arithmetics
from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.superpixels import Limits, given, undivided
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingConv2d(HardwareTemplate):
    """A window feeds a folded matrix: `pe` outputs, `simd` channels of `positions` per cycle.

    With several `pixels` a word holds so many of a row, all channels of each, and what they make
    leaves side by side: everything is computed at once then, but for the kernel's positions.

    Source: Umuroglu et al., FINN, FPGA 2017, section 4.2.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    simd: Count
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
        """Groups."""
        return "a convolution of groups" if _op(node).groups > 1 else ""

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold outputs over `pe`, channels over `simd` and the kernel over `positions`.

        Or take several `pixels` at once, where tools make so many multipliers.
        """
        op = _op(node)
        made_of = arithmetics(op.inputs * op.window.positions, op.outputs, inputs[0], op.bits)
        lines = (Storage.LUTRAM,) if op.window.is_point else tuple(Storage)
        return Space(
            (
                Choice("pixels", _limits(node, inputs).pixels()),
                Choice("positions", divisors(op.window.positions)),
                Choice("activation", activations(node)),
                Choice("arithmetic", made_of),
                Choice("weight_storage", tuple(Storage)),
                Choice("line_storage", lines),
                Choice("pe", divisors(op.outputs)),
                Choice("simd", divisors(op.inputs)),
            )
        )

    @classmethod
    def is_possible(
        cls, node: Node, inputs: tuple[Tensor, ...], structural: Mapping[str, Any]
    ) -> bool:
        """Return whether several pixels make sense with so many positions."""
        return _limits(node, inputs).allow(structural["pixels"], structural["positions"])

    def processes(self) -> tuple[Process, ...]:
        """Return window and matrix; a 1 x 1 window of stride 1 needs no line buffer."""
        op = _op(self.node)
        (source,) = self.inputs
        matrix = Matrix(
            pixels=self.node.output.pixels,
            inputs=op.inputs * op.window.positions,
            outputs=op.outputs,
            element=source,
            weight_bits=op.bits,
            requantiser=Requantiser.of(self.node, self.activation),
            pe=self.pe,
            simd=self.simd * self.positions,
            arithmetic=self.arithmetic,
            storage=self.weight_storage,
            together=self.positions,
            beside=given(op.window, self.pixels),
        )
        if op.window.is_point:
            return (matrix,)
        portion = Portion(self.simd, self.positions, self.pixels)
        return (patches(source, op.window, portion, self.line_storage), matrix)

    @property
    def input_lanes(self) -> Count:
        """`simd` channels of every pixel in a word."""
        return self.pixels * self.simd

    @property
    def output_lanes(self) -> Count:
        """`pe` channels of every pixel that is made of them."""
        return given(_op(self.node).window, self.pixels) * self.pe

    def legal(self) -> NDArray[np.bool_]:
        """Also demand that all of several pixels is computed at once."""
        op = _op(self.node)
        folded = (self.pe, op.outputs), (self.simd, op.inputs)
        return super(StreamingConv2d, self).legal() & undivided(self.pixels, *folded)


def _limits(node: Node, inputs: tuple[Tensor, ...]) -> Limits:
    op = _op(node)
    return Limits(op.window, inputs[0], node.output, op.inputs * op.outputs)


def _op(node: Node) -> Conv2d:
    if not isinstance(node.op, Conv2d):
        raise TypeError(f"{node.name} is no convolution")
    return node.op
