"""Learned integers in the order in which an engine reads them."""

from __future__ import annotations

import textwrap

import numpy as np

from codesign.hardware.processes.matrix import Matrix
from codesign.network.graph import Graph, Node
from codesign.network.network import Parameters
from codesign.network.op import Integers
from codesign.network.ops.conv2d import Conv2d

LINE_WIDTH = 100


def matrix_tables(
    process: Matrix, graph: Graph, node: Node, own: Parameters
) -> dict[str, Integers]:
    """Return the constant buffers of a matrix process, each `[words, lanes]`."""
    pe, simd = int(process.pe), int(process.simd)
    folds, steps = process.outputs // pe, process.inputs // simd
    rows = stream_order(graph, node, own)
    tiles = rows.reshape(folds, pe, steps, simd).transpose(0, 2, 1, 3)
    tables = {"weights": tiles.reshape(folds * steps, pe * simd)}
    if own.bias is not None:
        tables["bias"] = own.bias.reshape(folds, pe)
    if process.requantiser.multiplies and own.multiplier is not None:
        per_output = np.broadcast_to(own.multiplier, (process.outputs,))
        tables["multiplier"] = per_output.reshape(folds, pe)
    return tables


def stream_order(graph: Graph, node: Node, own: Parameters) -> Integers:
    """Return weights `[outputs, inputs]` with inputs in the order row, column, channel."""
    if own.weights is None:
        raise ValueError(f"{node.name} has no weights")
    if isinstance(node.op, Conv2d):
        return own.weights.transpose(0, 2, 3, 1).reshape(node.op.outputs, -1)
    (source,) = graph.inputs(node)
    if len(source.shape) == 1:
        return own.weights
    maps = own.weights.reshape(-1, *source.shape)
    return maps.transpose(0, 2, 3, 1).reshape(len(maps), -1)


def initialiser(table: Integers) -> str:
    """Return a table `[words, lanes]` as the inside of a C++ array initialiser."""
    rows = ["{" + ", ".join(map(str, row.tolist())) + "}," for row in table]
    wrapped = (textwrap.fill(row, LINE_WIDTH, subsequent_indent=" ") for row in rows)
    return "\n".join(wrapped) + "\n"


def golden_text(values: Integers) -> str:
    """Return `N x C x H x W` or `N x features` as one line per image, in stream order."""
    if values.ndim == 4:
        values = values.transpose(0, 2, 3, 1)
    return "".join(
        " ".join(map(str, row)) + "\n" for row in values.reshape(len(values), -1).tolist()
    )
