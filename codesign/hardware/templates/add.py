"""Streaming residual sum."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.processes.add import Add as AddProcess
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.add import Add
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingAdd(HardwareTemplate):
    """Add two streams, `pe` channels per cycle."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count

    implements = Add

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe`."""
        return Space((Choice("pe", divisors(inputs[0].channels)),))

    def processes(self) -> tuple[Process, ...]:
        """Return the one adder process."""
        left, right = self.inputs
        bits = self.node.op.weight_bits
        return (AddProcess(left, right, bits, Requantiser.of(self.node), self.pe),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe
