"""Streaming product of two tensors."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.packing import UNPACKED
from codesign.hardware.process import Process
from codesign.hardware.processes.weigh import Weigh
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.multiply import Multiply
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingMultiply(HardwareTemplate):
    """`pe` products per cycle; factors per channel are kept for the whole map."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    arithmetic: Count

    implements = Multiply

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe`."""
        return Space((Choice("pe", divisors(inputs[0].channels)), Choice("arithmetic", UNPACKED)))

    def processes(self) -> tuple[Process, ...]:
        """Return the one process."""
        left, right = self.inputs
        return (Weigh(left, right, Requantiser.of(self.node), self.pe, self.arithmetic),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word, of every input."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe
