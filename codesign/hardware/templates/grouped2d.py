"""Streaming convolution in groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.packing import UNPACKED
from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.grouped import Grouped
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingGrouped2d(HardwareTemplate):
    """A window feeds one small matrix per group: `pe` outputs, `simd` inputs of `positions`.

    `pe` divides the outputs of a group, or takes several whole groups; those read all of their
    inputs at once, so that words hold neighbouring channels.
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

    implements = Conv2d
    structural = ("positions", "activation")
    illegal = f"{HardwareTemplate.illegal}, or several groups at once without all of their inputs"

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """All that has no groups."""
        return "a convolution without groups" if _op(node).groups == 1 else ""

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold a group's outputs over `pe`, inputs over `simd` and the kernel over `positions`.

        Or take several groups at once.
        """
        op = _op(node)
        own = op.outputs // op.groups
        lines = (Storage.LUTRAM,) if op.window.is_point else tuple(Storage)
        several = (own * groups for groups in divisors(op.groups)[1:])
        return Space(
            (
                Choice("positions", divisors(op.window.positions)),
                Choice("activation", activations(node)),
                Choice("pe", (*divisors(own), *several)),
                Choice("simd", divisors(op.inputs // op.groups)),
                Choice("arithmetic", UNPACKED),
                Choice("weight_storage", tuple(Storage)),
                Choice("line_storage", lines),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return window and products; a 1 x 1 window of stride 1 needs no line buffer."""
        op = _op(self.node)
        (source,) = self.inputs
        grouped = Grouped(
            pixels=self.node.output.pixels,
            positions=op.window.positions,
            groups=op.groups,
            outputs=op.outputs // op.groups,
            element=source,
            weight_bits=op.bits,
            requantiser=Requantiser.of(self.node, self.activation),
            pe=self.pe,
            simd=self.simd,
            arithmetic=self.arithmetic,
            storage=self.weight_storage,
            together=self.positions,
        )
        if op.window.is_point:
            return (grouped,)
        portion = Portion(self.input_lanes, self.positions)
        return (patches(source, op.window, portion, self.line_storage), grouped)

    @property
    def input_lanes(self) -> Count:
        """`simd` channels of every group that is computed at once."""
        together = np.maximum(1, self.pe // self._own_outputs)
        return self.simd * (together if together.ndim else int(together))

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    def legal(self) -> NDArray[np.bool_]:
        """Also demand that several groups at once read all of their inputs."""
        op = _op(self.node)
        whole = np.equal(self.simd, op.inputs // op.groups)
        legal: NDArray[np.bool_] = super(StreamingGrouped2d, self).legal() & (
            whole | np.less_equal(self.pe, self._own_outputs)
        )
        return legal

    @property
    def _own_outputs(self) -> int:
        op = _op(self.node)
        return op.outputs // op.groups


def _op(node: Node) -> Conv2d:
    if not isinstance(node.op, Conv2d):
        raise TypeError(f"{node.name} is no convolution")
    return node.op
