"""Streaming padding."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.processes.pad import Pad
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.pad2d import Pad2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingPad2d(HardwareTemplate):
    """Words of `pe` channels, zeros between them."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count

    implements = Pad2d

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe`."""
        return Space((Choice("pe", divisors(inputs[0].channels)),))

    def processes(self) -> tuple[Process, ...]:
        """Return the one process."""
        return (Pad(self.inputs[0], self.node.output, _op(self.node).padding, self.pe),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _op(node: Node) -> Pad2d:
    if not isinstance(node.op, Pad2d):
        raise TypeError(f"{node.name} is no padding")
    return node.op
