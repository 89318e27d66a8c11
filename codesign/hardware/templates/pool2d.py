"""Streaming pooling."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.patches import patches
from codesign.hardware.process import Process
from codesign.hardware.processes.reduce import Reduce
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingPool2d(HardwareTemplate):
    """A window feeds a reduction of `pe` channels of `positions` per cycle.

    Global pooling reduces the stream as it comes.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    line_storage: Count
    positions: int = 1

    implements = Pool2d
    structural = ("positions",)

    @classmethod
    def lacks(cls, node: Node, inputs: tuple[Tensor, ...]) -> str:
        """Averages of what lies on the map alone."""
        return "" if _op(node).counts_padding else "an average that leaves padding out"

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold channels over `pe` and the kernel over `positions`."""
        op = _op(node)
        windowed = not _passes_through(op, inputs[0])
        return Space(
            (
                Choice("positions", divisors(op.window.positions) if windowed else (1,)),
                Choice("pe", divisors(inputs[0].channels)),
                Choice("line_storage", tuple(Storage) if windowed else (Storage.LUTRAM,)),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return window and reduction, or the reduction alone."""
        op = _op(self.node)
        (source,) = self.inputs
        maximum = op.kind == "max"
        reduce = Reduce(
            maximum=maximum,
            pixels=self.node.output.pixels,
            positions=op.window.positions,
            element=source,
            requantiser=Requantiser.of(self.node),
            lanes=self.pe,
            together=self.positions,
        )
        if _passes_through(op, source):
            return (reduce,)
        pad_value = source.low if maximum else 0
        window = patches(source, op.window, pad_value, self.pe, self.positions, self.line_storage)
        return (window, reduce)

    @property
    def input_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe


def _passes_through(op: Pool2d, source: Tensor) -> bool:
    """Whether the pixels under the window arrive in stream order, so that nothing is kept."""
    return op.window.covers(source.shape) or op.window.is_point


def _op(node: Node) -> Pool2d:
    if not isinstance(node.op, Pool2d):
        raise TypeError(f"{node.name} is no pooling")
    return node.op
