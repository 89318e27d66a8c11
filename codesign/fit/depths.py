"""How deep FIFOs must be so that nothing waits that need not wait.

An engine takes its input in runs: a window rests while the last rows of a map leave, a matrix
while it computes the outputs after the first ones. At a steady rate the producer goes on
meanwhile, and what it makes has to lie somewhere. Where two branches meet, the shorter one has
to hold what the longer one has in flight.
"""

from __future__ import annotations

import numpy as np

from codesign.design import MIN_FIFO_DEPTH
from codesign.hardware.structure import Count, ceil_div
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.subpixel import Subpixel
from codesign.network.tensor import map_shape


def input_depth(
    elements: Count, lanes: Count, silence: Count, interval: int, held: Count = 0
) -> Count:
    """Return the depth [words] of the FIFO at an engine's input.

    Args:
        elements: what flows in one image.
        lanes: elements per word.
        silence: longest run of cycles in which the engine takes nothing.
        interval: cycles between images; the producer makes `elements` at that rate.
        held: elements that a shorter branch must hold beside.
    """
    words = elements // lanes
    resting = ceil_div(words * np.minimum(silence, interval), interval)
    return MIN_FIFO_DEPTH + np.minimum(words, resting + ceil_div(held, lanes))


def held_elements(graph: Graph) -> dict[str, tuple[int, ...]]:
    """Return, for every node and input port, the elements that a shorter branch must hold."""
    lags = _lags(graph)
    held = {}
    for node in graph:
        longest = max(lags[name] for name in node.inputs)
        held[node.name] = tuple(
            int(np.ceil((longest - lags[name]) * graph.tensor(name).elements))
            for name in node.inputs
        )
    return held


def _lags(graph: Graph) -> dict[str, float]:
    """Return for every tensor how much of a map lies between the input and it, at the most.

    1 is a whole map. A window holds back the rows that circle in its line buffer and the row
    that it is working on; a layer that needs all of its input holds back everything.
    """
    lags = {INPUT: 0.0}
    for node in graph:
        lags[node.name] = max(lags[name] for name in node.inputs) + _own_lag(graph, node)
    return lags


def _own_lag(graph: Graph, node: Node) -> float:
    if isinstance(node.op, Dense):
        return 1.0
    if isinstance(node.op, Conv2d | Pool2d):
        window = node.op.window
        _, map_rows, _ = map_shape(graph.inputs(node)[0].shape)
        rows = window.extent[0] + 2 * window.stride[0] + 1
        return min(1.0, rows / map_rows)
    if isinstance(node.op, ConvTranspose2d):
        source = graph.inputs(node)[0].shape
        window = Subpixel.of(node.op, source).convolution.window
        # as any window of stride 1, and the band that waits to be laid side by side
        return min(1.0, (window.extent[0] + 4) / map_shape(source)[1])
    return 0.0
