"""Streaming enlargement."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.processes.upsample import Upsample
from codesign.hardware.structure import Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.resize2d import Resize2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingResize2d(HardwareTemplate):
    """Words of `pe` channels, each several times."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    storage: Count

    implements = Resize2d

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe`."""
        return Space(
            (
                Choice("pe", divisors(inputs[0].channels)),
                Choice("storage", (Storage.LUTRAM, Storage.BRAM)),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return the one process."""
        return (Upsample(self.inputs[0], _op(self.node).factors, self.pe, self.storage),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _op(node: Node) -> Resize2d:
    if not isinstance(node.op, Resize2d):
        raise TypeError(f"{node.name} is no resize")
    return node.op
