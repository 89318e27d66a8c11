"""What the memory outside the chip delivers to the accelerator's ports: no faster than its roof.

All ports share its bandwidth, in proportion to the elements that they move; bytes that only fill a
beat count against the port that needs them. So what one port takes does not depend on how wide
another is, and all of them together never take more than there is.
"""

from __future__ import annotations

import numpy as np

from codesign.design import Design
from codesign.hardware.board import Board
from codesign.hardware.structure import Count
from codesign.hardware.wire import beat_bits, element_bytes
from codesign.network.graph import INPUT, Graph


def port_bytes(graph: Graph, port: str, lanes: Count) -> Count:
    """Return the bytes of one image that cross a port, those that fill beats included."""
    tensor = graph.tensor(port)
    return tensor.elements // lanes * (beat_bits(lanes, tensor.bits) // 8)


def port_cycles(graph: Graph, port: str, lanes: Count, board: Board, clock_hz: float) -> Count:
    """Return the cycles between images that the memory needs for one port.

    Source: the roofline's bandwidth (Williams et al., CACM 2009), dealt out to the ports.
    """
    tensors = {name: graph.tensor(name) for name in (INPUT, *graph.outputs)}
    used = {name: own.elements * element_bytes(own.bits) for name, own in tensors.items()}
    moved = port_bytes(graph, port, lanes) * sum(used.values()) / used[port]
    cycles = np.ceil(moved * clock_hz / board.dram.bytes_per_s).astype(np.int64)
    return int(cycles) if np.ndim(cycles) == 0 else cycles


def memory_interval(design: Design) -> int:
    """Return the least cycles between images that the board's memory permits a design."""
    graph, board = design.graph, design.board
    return max(
        int(port_cycles(graph, name, design.lanes_of(name), board, design.clock_hz))
        for name in (INPUT, *graph.outputs)
    )
