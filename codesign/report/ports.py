"""The accelerator's ports: how wide they are, what crosses them, and what the memory needs."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.cost.transfer import port_bytes, port_cycles
from codesign.hardware.wire import beat_bits, element_bytes
from codesign.network.graph import INPUT
from codesign.report.findings import Findings


@dataclass(frozen=True, slots=True)
class PortRow:
    """One AXI4-Stream port, for one image."""

    name: str
    """Of what crosses it."""
    lanes: int
    """Elements of a beat."""
    beat_bits: int
    bytes: int
    padding_bytes: int
    """Those of the bytes that only fill beats."""
    memory_cycles: int
    """Cycles between images that the memory outside needs at this port's share of its bandwidth."""


def port_rows(findings: Findings) -> tuple[PortRow, ...]:
    """Return the port of the input, then one row per output."""
    design = findings.design
    graph, rows = design.graph, []
    for name in (INPUT, *graph.outputs):
        tensor, lanes = graph.tensor(name), design.lanes_of(name)
        moved = int(port_bytes(graph, name, lanes))
        rows.append(
            PortRow(
                name=name,
                lanes=lanes,
                beat_bits=int(beat_bits(lanes, tensor.bits)),
                bytes=moved,
                padding_bytes=moved - tensor.elements * element_bytes(tensor.bits),
                memory_cycles=int(port_cycles(graph, name, lanes, design.board, design.clock_hz)),
            )
        )
    return tuple(rows)
