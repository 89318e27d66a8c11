"""Hierarchical networks: operations make cells, cells make a block, blocks make the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations
from typing import Literal, get_args

from codesign.network.blocks import RECTIFIED
from codesign.network.graph import INPUT, Graph
from codesign.network.layered import Layered, check_numbers, covered, set_bits
from codesign.network.layers import Layers, square
from codesign.space import Choice, Point, Space

Operation = Literal[
    "conv_1x1",
    "depthwise_3x3",
    "separable_3x3",
    "max_pool_3x3",
    "avg_pool_3x3",
    "identity",
    "none",
]
Edge = tuple[int, int]
Append = Callable[[Layers, str], str]
"""Appends what an edge stands for behind a tensor; returns the name of what it makes."""


@dataclass(frozen=True)
class Hierarchical(Layered):
    """Stages that repeat one block, whose edges are cells, whose edges are operations.

    A cell and a block are graphs without circles over numbered nodes, from the first to the last;
    a node adds what its edges bring. Nodes that lie on no way from the first to the last are left
    out. Each stage after the first begins with a separable convolution that halves the map and
    doubles the channels.

    Differences from the publication: a node adds and does not concatenate, so every edge has
    equally many channels; the number of blocks of a stage is chosen, too.

    Source: Liu et al., ICLR 2018 (arXiv 1711.00436), sections 2 and 4.1.
    """

    motifs: int = 3
    """Cells that the edges of the block choose from."""
    cell_nodes: int = 4
    block_nodes: int = 3
    stages: int = 3
    repeats: tuple[int, ...] = (1, 2)
    """Blocks of a stage."""
    first: int = 16
    """Channels of the first stage."""
    halvings: int = 0
    """Convolutions of stride 2 that an image passes before the first block."""
    operations: tuple[Operation, ...] = get_args(Operation)

    def __post_init__(self) -> None:
        Layered.__post_init__(self)
        if min(self.motifs, self.stages, self.first) < 1 or self.halvings < 0:
            raise ValueError("motifs, stages and first are at least 1, halvings at least 0")
        if not (2 <= self.cell_nodes <= 8 and 2 <= self.block_nodes <= 8):
            raise ValueError("cell_nodes and block_nodes are 2 to 8")
        check_numbers("repeats", self.repeats, 1, 64)
        if not self.operations or len(set(self.operations)) < len(self.operations):
            raise ValueError(f"operations are different, at least one, not {self.operations}")

    def space(self) -> Space:
        """Return the edges of all cells and of the block, repeats and bits of every stage."""
        cells = tuple(f"cell{motif}" for motif in range(self.motifs))
        choices = [*self.ends()]
        for cell in cells:
            edges = combinations(range(self.cell_nodes), 2)
            choices += [Choice(f"{cell}_{i}_{j}", self.operations) for i, j in edges]
        for i, j in combinations(range(self.block_nodes), 2):
            choices.append(Choice(f"block_{i}_{j}", (*cells, "identity", "none")))
        for stage in range(self.stages):
            choices += [Choice(f"repeats{stage}", self.repeats), *self.bits(str(stage))]
        return Space(tuple(choices))

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        layers = self.begin(point)
        channels = self.channels(self.first)
        strides = self.strides((2,) * (self.halvings + self.stages - 1))
        before, between = strides[: self.halvings], strides[self.halvings :]
        maps = INPUT
        for stride in before or (1,):
            window = square(covered(layers, maps, 3), stride)
            maps = layers.conv(maps, channels, window, RECTIFIED)
        for stage, stride in enumerate((1, *between)):
            set_bits(layers, point, str(stage))
            if stage:
                channels *= 2
                maps = _separable(layers, maps, channels, stride)
            for _ in range(int(point[f"repeats{stage}"])):
                maps = _connected(layers, maps, self.block_nodes, self._block(point))
        return self.finish(layers, maps, point)

    def _block(self, point: Point) -> dict[Edge, Append]:
        """Return what the edges of the block append, but for those that are not there."""
        edges: dict[Edge, Append] = {}
        for i, j in combinations(range(self.block_nodes), 2):
            name = str(point[f"block_{i}_{j}"])
            if name == "identity":
                edges[i, j] = _OPERATIONS[name]
            elif name != "none":
                inner = self._cell(point, name)
                edges[i, j] = partial(_connected, nodes=self.cell_nodes, edges=inner)
        return edges

    def _cell(self, point: Point, name: str) -> dict[Edge, Append]:
        """Return what the edges of a cell append, but for those that are not there."""
        pairs = combinations(range(self.cell_nodes), 2)
        chosen = {(i, j): str(point[f"{name}_{i}_{j}"]) for i, j in pairs}
        return {e: _OPERATIONS[operation] for e, operation in chosen.items() if operation != "none"}


def _connected(layers: Layers, source: str, nodes: int, edges: Mapping[Edge, Append]) -> str:
    """Append a graph of edges from node 0, the `source`, to the last one.

    Where no way leads from the first node to the last, an identity does.
    """
    useful = {nodes - 1}
    for node in reversed(range(nodes)):
        useful |= {node} if any((node, end) in edges for end in useful) else set()
    made = {0: source}
    for node in sorted(useful - {0}):
        starts = [start for start in made if (start, node) in edges]
        parts = [edges[start, node](layers, made[start]) for start in starts]
        if parts:
            # one order of equal sums; what comes twice, by identities alone, is taken once
            made[node] = reduce(layers.add, sorted(set(parts)))
    return made.get(nodes - 1, source)


def _pointwise(layers: Layers, source: str) -> str:
    return layers.conv(source, layers.shape(source)[0], square(1), RECTIFIED)


def _depthwise(layers: Layers, source: str, stride: int = 1) -> str:
    window = square(covered(layers, source, 3), stride)
    return layers.depthwise(source, window, RECTIFIED)


def _separable(layers: Layers, source: str, channels: int = 0, stride: int = 1) -> str:
    channels = channels or layers.shape(source)[0]
    return layers.conv(_depthwise(layers, source, stride), channels, square(1), RECTIFIED)


def _pool(layers: Layers, source: str, kind: str) -> str:
    kernel = covered(layers, source, 3)
    return source if kernel == 1 else layers.pool(source, kind, square(kernel))


def _identity(_layers: Layers, source: str) -> str:
    return source


_OPERATIONS: Mapping[str, Append] = {
    "conv_1x1": _pointwise,
    "depthwise_3x3": _depthwise,
    "separable_3x3": _separable,
    "max_pool_3x3": partial(_pool, kind="max"),
    "avg_pool_3x3": partial(_pool, kind="average"),
    "identity": _identity,
}
