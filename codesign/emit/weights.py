"""Learned integers in the order in which an engine reads them."""

from __future__ import annotations

import textwrap

import numpy as np

from codesign.hardware.process import Process
from codesign.hardware.processes.average import Average
from codesign.hardware.processes.depthwise import Depthwise
from codesign.hardware.processes.grouped import Grouped
from codesign.hardware.processes.lookup import Lookup
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.requantise import Requantiser
from codesign.network.graph import Graph, Node
from codesign.network.network import Parameters
from codesign.network.op import Integers
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.subpixel import Subpixel
from codesign.network.thresholds import thresholds

LINE_WIDTH = 100


def constant_tables(
    process: Process, graph: Graph, node: Node, own: Parameters
) -> dict[str, Integers]:
    """Return the constant buffers of a process by name, `[words, lanes]` (or `[copies, words]`)."""
    if isinstance(node.op, ConvTranspose2d):
        own = Subpixel.of(node.op, graph.inputs(node)[0].shape).parameters(own)
    if isinstance(process, Matrix):
        return _matrix_tables(process, graph, node, own)
    if isinstance(process, Depthwise):
        return _depthwise_tables(process, own)
    if isinstance(process, Grouped):
        return _grouped_tables(process, own)
    if isinstance(process, Lookup):
        return _lookup_tables(process, own)
    if isinstance(process, Average):
        multiples = {"row_multiples": process.row_multiples}
        multiples["column_multiples"] = process.column_multiples
        return {name: np.array(table).reshape(-1, 1) for name, table in multiples.items()}
    return {}


def _matrix_tables(
    process: Matrix, graph: Graph, node: Node, own: Parameters
) -> dict[str, Integers]:
    pe, simd = int(process.pe), int(process.simd)
    folds, steps = process.outputs // pe, process.inputs // simd
    rows = by_word(stream_order(graph, node, own), process.element.channels, process.together, simd)
    tiles = rows.reshape(folds, pe, steps, simd).transpose(0, 2, 1, 3)
    tables = {"weights": tiles.reshape(folds * steps, pe * simd)}
    return tables | _channel_tables(process.requantiser, own, pe)


def _depthwise_tables(process: Depthwise, own: Parameters) -> dict[str, Integers]:
    assert own.weights is not None
    lanes = int(process.lanes)
    word = process.together * lanes
    by_channel = own.weights.reshape(-1, process.positions)
    row = by_word(by_channel.T.reshape(1, -1), len(by_channel), process.together, word)
    tables = {"weights": row.reshape(-1, word)}
    return tables | _channel_tables(process.requantiser, own, lanes)


def _grouped_tables(process: Grouped, own: Parameters) -> dict[str, Integers]:
    """Words follow each other by positions, output and input; outputs by group."""
    assert own.weights is not None
    pe, simd = int(process.pe), int(process.simd)
    inputs = process.element.channels // process.groups
    together = process.together
    parts = process.positions // together
    tiles = own.weights.reshape(-1, pe, inputs // simd, simd, parts, together)
    tables = {"weights": tiles.transpose(4, 0, 2, 1, 5, 3).reshape(-1, pe * together * simd)}
    return tables | _channel_tables(process.requantiser, own, pe)


def _lookup_tables(process: Lookup, own: Parameters) -> dict[str, Integers]:
    """Copy `l` answers the channels that pass through lane `l`, one row after the other."""
    assert own.weights is not None
    if len(own.weights) == 1:
        return {"table": own.weights.repeat(int(process.lanes), axis=0)}
    words = own.weights.reshape(-1, int(process.lanes), process.entries)
    return {"table": words.transpose(1, 0, 2).reshape(int(process.lanes), -1)}


def _channel_tables(requantiser: Requantiser, own: Parameters, lanes: int) -> dict[str, Integers]:
    """Return bias and multiplier, one entry per output channel; or its thresholds."""
    tables: dict[str, Integers] = {}
    if requantiser.compares:
        every = thresholds(own, requantiser.output, requantiser.sum_bits)
        tables["thresholds"] = every.reshape(-1, lanes * requantiser.thresholds)
    elif own.bias is not None:
        tables["bias"] = own.bias.reshape(-1, lanes)
        if requantiser.multiplies and own.multiplier is not None:
            per_output = np.broadcast_to(own.multiplier, own.bias.shape)
            tables["multiplier"] = per_output.reshape(-1, lanes)
    return tables


def stream_order(graph: Graph, node: Node, own: Parameters) -> Integers:
    """Return weights `[outputs, inputs]` with inputs in the order row, column, channel."""
    if own.weights is None:
        raise ValueError(f"{node.name} has no weights")
    if own.weights.ndim == 4:
        return own.weights.transpose(0, 2, 3, 1).reshape(len(own.weights), -1)
    (source,) = graph.inputs(node)
    if len(source.shape) == 1:
        return own.weights
    maps = own.weights.reshape(-1, *source.shape)
    return maps.transpose(0, 2, 3, 1).reshape(len(maps), -1)


def by_word(rows: Integers, channels: int, together: int, word: int) -> Integers:
    """Return `[outputs, inputs]` in the order in which words of several positions carry inputs.

    Args:
        rows: inputs in the order position, channel.
        channels: channels of a position.
        together: positions in a word.
        word: elements of a word: some channels of each of its positions.
    """
    if together == 1:
        return rows
    lanes = word // together
    parts = rows.reshape(len(rows), -1, together, channels // lanes, lanes)
    return parts.transpose(0, 1, 3, 2, 4).reshape(rows.shape)


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
