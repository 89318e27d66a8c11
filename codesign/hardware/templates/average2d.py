"""Streaming average of what lies on the map."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.average import Average
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingAverage2d(HardwareTemplate):
    """A window feeds sums that know how much of it is padding: `positions` per cycle."""

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    line_storage: Count
    positions: int = 1

    implements = Pool2d
    structural = ("positions",)

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """Maxima, and averages that count padding."""
        return "a pooling that counts padding" if _op(node).counts_padding else ""

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe` and the window over `positions`."""
        return Space(
            (
                Choice("positions", divisors(_op(node).window.positions)),
                Choice("pe", divisors(inputs[0].channels)),
                Choice("line_storage", tuple(Storage)),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return window and sums."""
        op = _op(self.node)
        (source,) = self.inputs
        rows, columns = op.multiples(source.shape)
        average = Average(
            positions=op.window.positions,
            row_multiples=tuple(rows.tolist()),
            column_multiples=tuple(columns.tolist()),
            element=source,
            requantiser=Requantiser.of(self.node),
            lanes=self.pe,
            together=self.positions,
        )
        together = self.positions
        return (patches(source, op.window, Portion(self.pe, together), self.line_storage), average)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _op(node: Node) -> Pool2d:
    if not isinstance(node.op, Pool2d):
        raise TypeError(f"{node.name} is no pooling")
    return node.op
