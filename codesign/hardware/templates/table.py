"""Streaming table of a function."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.processes.lookup import Lookup
from codesign.hardware.structure import Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingTable(HardwareTemplate):
    """`pe` elements per cycle, each from a copy of the table."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    storage: Count

    implements = Table

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
        (source,) = self.inputs
        shared = _op(self.node).channels == 1
        return (Lookup(source, self.node.output, shared, self.pe, self.storage),)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _op(node: Node) -> Table:
    if not isinstance(node.op, Table):
        raise TypeError(f"{node.name} is no table")
    return node.op
