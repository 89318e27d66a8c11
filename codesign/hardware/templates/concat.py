"""Streaming concatenation."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from codesign.hardware.process import Process
from codesign.hardware.processes.join import Join
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.concat import Concat
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingConcat(HardwareTemplate):
    """Words of `pe` channels, part after part."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count

    implements = Concat

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold over `pe` what divides the channels of every part."""
        return Space((Choice("pe", divisors(gcd(*(part.channels for part in inputs)))),))

    def processes(self) -> tuple[Process, ...]:
        """Return the one process."""
        requantiser = Requantiser.of(self.node)
        return (Join(self.inputs, self.node.op.weight_bits, requantiser, self.pe),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word, of every input."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe
