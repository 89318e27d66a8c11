"""Streaming depthwise convolution."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.packing import UNPACKED
from codesign.hardware.patches import patches
from codesign.hardware.process import Process
from codesign.hardware.processes.depthwise import Depthwise
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingDepthwise2d(HardwareTemplate):
    """A window feeds one multiplier per element: `pe` channels of `positions` per cycle.

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

    implements = Conv2d
    structural = ("positions", "activation")

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """All that is not depthwise."""
        op = _op(node)
        is_depthwise = op.groups == op.inputs == op.outputs
        return "" if is_depthwise else "a convolution across channels"

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe` and the kernel over `positions`."""
        op = _op(node)
        lines = (Storage.LUTRAM,) if op.window.is_point else tuple(Storage)
        return Space(
            (
                Choice("positions", divisors(op.window.positions)),
                Choice("activation", activations(node)),
                Choice("pe", divisors(op.inputs)),
                Choice("arithmetic", UNPACKED),
                Choice("weight_storage", (Storage.LUTRAM, Storage.BRAM)),
                Choice("line_storage", lines),
            )
        )

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
        )
        if op.window.is_point:
            return (weighing,)
        window = patches(source, op.window, 0, self.pe, self.positions, self.line_storage)
        return (window, weighing)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _op(node: Node) -> Conv2d:
    if not isinstance(node.op, Conv2d):
        raise TypeError(f"{node.name} is no convolution")
    return node.op
