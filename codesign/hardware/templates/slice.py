"""Streaming choice of channels."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from codesign.hardware.process import Process
from codesign.hardware.processes.select import Select
from codesign.hardware.structure import Count
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.slice import Slice
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingSlice(HardwareTemplate):
    """Words of `pe` channels pass, or are dropped."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count

    implements = Slice

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe`."""
        return Space((Choice("pe", divisors(gcd(*_bounds(node, inputs)))),))

    def processes(self) -> tuple[Process, ...]:
        """Return the one process."""
        op = _op(self.node)
        return (Select(self.inputs[0], op.start, op.stop, self.pe),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _bounds(node: Node, inputs: tuple[Tensor, ...]) -> tuple[int, int, int]:
    """Return the channels at which words may begin or end."""
    op = _op(node)
    return op.start, op.stop, inputs[0].channels


def _op(node: Node) -> Slice:
    if not isinstance(node.op, Slice):
        raise TypeError(f"{node.name} is no slice")
    return node.op
