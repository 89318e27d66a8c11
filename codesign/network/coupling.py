"""Which channels of a graph can only leave it together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table

Indices = NDArray[np.int64]
Ties = Iterator[tuple[Indices, Indices]]


@dataclass(frozen=True, slots=True, eq=False)
class Coupling:
    """Channels in sets that leave together.

    `sets[name]` has the set of every channel of what `name` (a node, or the input) makes,
    `[channels]`; `fixed[set]` says whether it has to stay, since the input or an answer has it.
    """

    sets: Mapping[str, Indices]
    fixed: NDArray[np.bool_]

    def channels(self, chosen: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
        """Return a mask of the channels, by name, of the chosen sets `[sets]`."""
        return {name: chosen[own] for name, own in self.sets.items()}


def couple(graph: Graph) -> Coupling:
    """Find the channels that only go together: those that one operator ties, and theirs.

    A residual sum ties its inputs, channel by channel; so does a product. A depthwise
    convolution ties each input to the outputs that see it. Grouped convolutions stay even: the
    same place of every group goes.
    """
    numbers, count = _numbered(graph)
    ties = [tie for node in graph for tie in _ties(node, numbers)]
    left, right = (np.concatenate([np.empty(0, np.int64), *side]) for side in _sides(ties))
    edges = coo_array((np.ones(len(left), bool), (left, right)), shape=(count, count))
    _, labels = connected_components(edges, directed=False)
    sets = {name: labels[own].astype(np.int64) for name, own in numbers.items()}
    fixed = np.zeros(labels.max() + 1, dtype=bool)
    for name in (INPUT, *graph.outputs):
        fixed[sets[name]] = True
    return Coupling(sets, fixed)


def is_depthwise(op: Op) -> bool:
    """Whether a convolution, transposed or not, sees one input channel per output."""
    return isinstance(op, Conv2d | ConvTranspose2d) and 1 < op.groups == op.inputs


def _numbered(graph: Graph) -> tuple[dict[str, Indices], int]:
    """Return a number for every channel of every tensor, and how many there are."""
    numbers: dict[str, Indices] = {}
    count = 0
    for name in (INPUT, *(node.name for node in graph)):
        channels = graph.tensor(name).channels
        numbers[name] = np.arange(count, count + channels)
        count += channels
    return numbers, count


def _sides(ties: list[tuple[Indices, Indices]]) -> tuple[list[Indices], list[Indices]]:
    return [left for left, _ in ties], [right for _, right in ties]


def _ties(node: Node, numbers: Mapping[str, Indices]) -> Ties:
    """Yield channels that a node couples, each with its partner."""
    op, made = node.op, numbers[node.name]
    read = [numbers[name] for name in node.inputs]
    if isinstance(op, Conv2d | ConvTranspose2d) and op.groups > 1:
        yield from _group_ties(op, read[0], made)
    elif isinstance(op, Slice):
        yield read[0][op.start : op.stop], made
    elif isinstance(op, Concat):
        yield np.concatenate(read), made
    elif isinstance(op, Add | Multiply | Pool2d | Table | Pad2d | Resize2d):
        for source in read:
            yield source, made
    elif not isinstance(op, Conv2d | ConvTranspose2d | Dense):
        raise TypeError(f"{type(op).__name__} cannot be pruned")


def _group_ties(op: Conv2d | ConvTranspose2d, read: Indices, made: Indices) -> Ties:
    if is_depthwise(op):
        yield np.repeat(read, op.outputs // op.inputs), made
        return
    for channels in (read, made):
        places = channels.reshape(op.groups, -1)
        yield np.broadcast_to(places[0], places[1:].shape).ravel(), places[1:].ravel()
