"""Roofline: attainable = min(peak, intensity x bandwidth).

Source: Williams, Waterman and Patterson, "Roofline", CACM 2009.
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.cost.energy import transferred_bytes
from codesign.design import Design
from codesign.network.graph import Node


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """One layer, or a whole design: 1 MAC is 2 ops."""

    name: str
    intensity: float
    """ops per byte over the ports."""
    peak_ops_per_s: float
    bytes_per_s: float
    achieved_ops_per_s: float

    @property
    def attainable_ops_per_s(self) -> float:
        """The lower of the two roofs."""
        return min(self.peak_ops_per_s, self.intensity * self.bytes_per_s)

    @property
    def bound(self) -> str:
        """Which roof is lower: "compute" or "bandwidth"."""
        limited = self.intensity * self.bytes_per_s < self.peak_ops_per_s
        return "bandwidth" if limited else "compute"


def board_point(design: Design, images_per_s: float) -> RooflinePoint:
    """Return the design under its board's roofs: every DSP slice, and the DRAM."""
    board = design.board
    ops = 2 * design.graph.macs
    return RooflinePoint(
        board.name,
        ops / transferred_bytes(design),
        2 * board.resources.dsp * board.int8_macs_per_dsp * design.clock_hz,
        board.dram.bytes_per_s,
        ops * images_per_s,
    )


def layer_point(design: Design, node: Node, images_per_s: float) -> RooflinePoint:
    """Return one layer under the roofs of its own engine: its multipliers and its ports."""
    instances = design.layer(node.name)
    macs = node.op.macs([tensor.shape for tensor in design.graph.inputs(node)])
    products = sum(
        int(group.count)
        for instance in instances
        for group in instance.structure.multipliers
        if group.name == "products"
    )
    reads = instances[0].structure.reads
    writes = instances[-1].structure.writes
    ports = [(int(p.lanes) * int(p.bits) / 8, int(p.words)) for p in (*reads, *writes)]
    port_bytes = sum(width * words for width, words in ports)
    return RooflinePoint(
        node.name,
        2 * macs / port_bytes,
        2 * products * design.clock_hz,
        sum(width for width, _ in ports) * design.clock_hz,
        2 * macs * images_per_s,
    )
