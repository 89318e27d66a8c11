"""NAS-Bench-201: one cell, chosen edge by edge, repeated between residual blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from codesign.network.cell import (
    CONV1,
    CONV3,
    EDGES,
    OPERATIONS,
    POOL,
    SKIP,
    Cell,
    Normal,
    Term,
    normal,
)
from codesign.network.family import Family
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor, map_shape, signed_bits
from codesign.network.windows import Window
from codesign.space import Choice, Point, Space

STAGES = 3
_HEAD_BITS = 8
_ADDITION_BITS = 5
_POINT = Window((1, 1))
_AROUND = Window((3, 3), padding=(1, 1, 1, 1))
_HALVING = Window((3, 3), (2, 2), (1, 1, 1, 1))
_KERNELS = {CONV1: _POINT, CONV3: _AROUND}


@dataclass(frozen=True, slots=True)
class Cost:
    """A network by the benchmark's own count: every edge of the cell, whether it matters or not."""

    macs: int
    """Of convolutions and the last layer, per image."""
    parameters: int
    """Weights, and two numbers for every normalised channel."""


@dataclass(frozen=True)
class Nasbench201(Family):
    """The networks of NAS-Bench-201: stem, three stages of equal cells, average, dense layer.

    Two residual blocks stand between the stages, halve the map and double the channels. Inside
    cells and blocks a ReLU comes before each convolution and a batch normalisation after it.

    Source: Dong and Yang, ICLR 2020 (arXiv 2001.00326), section 2.1 and figure 1.
    """

    channels: int = 16
    """Of the stem and the first stage."""
    cells: int = 5
    """In each stage."""
    weight_bits: tuple[int, ...] = (8,)
    activation_bits: tuple[int, ...] = (8,)

    def __post_init__(self) -> None:
        Family.__post_init__(self)
        if self.channels < 2 or self.cells < 1:
            raise ValueError(
                f"channels are at least 2 and cells at least 1, got {self.channels}, {self.cells}"
            )
        for key in ("weight_bits", "activation_bits"):
            values = getattr(self, key)
            if not values or min(values) < 2 or max(values) > 8 or len(set(values)) < len(values):
                raise ValueError(f"{key} are different integers of 2 to 8, got {list(values)}")
        if len(self.input.shape) != 3:
            raise ValueError(f"convolutions need C x H x W, got {self.input.shape}")

    def space(self) -> Space:
        """Return the six edges of the cell, and the widths: 15,625 cells."""
        edges = [Choice(_name(edge), OPERATIONS) for edge in EDGES]
        widths = (
            Choice("weight_bits", self.weight_bits),
            Choice("activation_bits", self.activation_bits),
        )
        return Space((*edges, *widths))

    def cell(self, point: Point) -> Cell:
        """Return the cell of a point."""
        return Cell(tuple(str(point[_name(edge)]) for edge in EDGES))

    def point(self, cell: Cell) -> Point:
        """Return the point of a cell, with the first widths on offer."""
        edges = {_name(e): name for e, name in zip(EDGES, cell.operations, strict=True)}
        widths = {"weight_bits": self.weight_bits[0], "activation_bits": self.activation_bits[0]}
        return {**edges, **widths}

    def decode(self, point: Point) -> Graph:
        """Return the network of a point, without what does not reach its output.

        A cell that gives zeros makes a constant network: its input is read and answered by
        zeros, to which the dense layer adds what it has learned.
        """
        form = normal(self.cell(point))
        widths = int(point["weight_bits"]), int(point["activation_bits"])
        writer = _Writer(self.input, *widths)
        if form.output is None:
            writer.constant(self.classes)
        else:
            self._write(writer, form)
        return Graph("nasbench201", self.input, tuple(writer.nodes.values()))

    def canonical(self, point: Point) -> str:
        """Return the cell's normal form and the widths."""
        form = normal(self.cell(point)).text
        return f"{form} w{point['weight_bits']} a{point['activation_bits']}"

    def label(self, point: Point) -> tuple[int, str]:
        """Return the published index and string; where widths are searched, those of the space."""
        if len(self.weight_bits) * len(self.activation_bits) > 1:
            return Family.label(self, point)
        cell = self.cell(point)
        return cell.index, cell.text

    def published(self, cell: Cell) -> Cost:
        """Return what the benchmark says that a network costs."""
        shape = map_shape(self.input.shape)
        rows, columns = shape[1:]
        macs, weights, normalised = _layer(shape[0], self.channels, 9, rows * columns)
        width = self.channels
        for stage in range(STAGES):
            if stage:
                rows, columns = -(-rows // 2), -(-columns // 2)
                for inputs, kernel, norms in ((width, 9, 1), (2 * width, 9, 1), (width, 1, 0)):
                    own = _layer(inputs, 2 * width, kernel, rows * columns)
                    macs, weights = macs + own[0], weights + own[1]
                    normalised += norms * own[2]
                width *= 2
            for name in cell.operations:
                if name in _KERNELS:
                    own = _layer(width, width, _KERNELS[name].positions, rows * columns)
                    macs += self.cells * own[0]
                    weights += self.cells * own[1]
                    normalised += self.cells * own[2]
        dense = width * self.classes
        return Cost(macs + dense, weights + dense + self.classes + 2 * (normalised + width))

    def _write(self, writer: _Writer, form: Normal) -> None:
        value = _Value()
        for stage in range(STAGES):
            after = _Need(signed=True, rectified=stage < STAGES - 1)
            # a cell that passes its input on is no cell at all
            needs = [_needs(form, 0)] * self.cells if form.sums else []
            needs.append(after)
            if stage:
                value = writer.block(value, needs[0])
            else:
                stem = writer.conv(INPUT, self.channels, _AROUND, needs[0])
                value = writer.value(stem, needs[0])
            for following in needs[1:]:
                value = writer.cell(form, value, following)
        writer.head(value, self.classes)


def _name(edge: tuple[int, int]) -> str:
    return f"edge{edge[0]}_{edge[1]}"


def _layer(inputs: int, outputs: int, kernel: int, pixels: int) -> tuple[int, int, int]:
    """Return MACs, weights and channels of a convolution."""
    weights = inputs * outputs * kernel
    return weights * pixels, weights, outputs


@dataclass(frozen=True, slots=True)
class _Need:
    """In which forms a value is read: as it is, and after a ReLU."""

    signed: bool = False
    rectified: bool = False


@dataclass(frozen=True, slots=True)
class _Value:
    """The nodes that hold a value as it is, and after a ReLU; "" where nobody asked."""

    signed: str = ""
    rectified: str = ""


def _needs(form: Normal, value: int) -> _Need:
    """Return how a value of a cell is read within the cell."""
    readers = {name for own in form.sums for name, source in own if source == value}
    return _Need(bool(readers & {SKIP, POOL}), bool(readers & set(_KERNELS)))


class _Writer:
    """The nodes written so far."""

    def __init__(self, tensor: Tensor, weight_bits: int, bits: int) -> None:
        self.input, self.weight_bits, self.bits = tensor, weight_bits, bits
        self.nodes: dict[str, Node] = {}

    def cell(self, form: Normal, entry: _Value, following: _Need) -> _Value:
        """Append a cell and return its output in the forms that what follows reads."""
        values = [entry]
        pools: dict[int, str] = {}
        for number, terms in enumerate(form.sums, 1):
            need = following if number == form.output else _needs(form, number)
            values.append(self._sum(form, terms, values, pools, need))
        assert form.output is not None
        return values[form.output]

    def _sum(
        self,
        form: Normal,
        terms: tuple[Term, ...],
        values: list[_Value],
        pools: dict[int, str],
        need: _Need,
    ) -> _Value:
        """Append the terms of a sum and their additions."""
        alone = need if len(terms) == 1 else _Need(signed=True)
        names: list[str] = []
        for name, source in terms:
            if name == SKIP:
                names.append(values[source].signed)
            elif name in _KERNELS:
                channels = self._tensor(values[source].rectified).channels
                rectified = values[source].rectified
                names.append(self.conv(rectified, channels, _KERNELS[name], alone))
            else:
                shared = sum(own.count((POOL, source)) for own in form.sums) > 1
                if source not in pools:
                    own = _Need(signed=True) if shared else alone
                    pools[source] = self._pool(values[source].signed, _AROUND, own)
                names.append(pools[source])
        total = names[0]
        for place, name in enumerate(names[1:], 2):
            total = self._add(total, name, need if place == len(names) else _Need(signed=True))
        return self.value(total, need)

    def block(self, entry: _Value, following: _Need) -> _Value:
        """Append a residual block: half the rows and columns, twice the channels."""
        channels = 2 * self._tensor(entry.signed).channels
        branch = self.conv(entry.rectified, channels, _HALVING, _Need(rectified=True))
        branch = self.conv(branch, channels, _AROUND, _Need(signed=True))
        _, rows, columns = self._tensor(entry.signed).shape
        # an odd map keeps its last row and column, as the convolution beside it does
        halving = Window((2, 2), (2, 2), (0, 0, rows % 2, columns % 2))
        short = self._pool(entry.signed, halving, _Need(signed=True))
        short = self.conv(short, channels, _POINT, _Need(signed=True))
        return self.value(self._add(short, branch, following), following)

    def head(self, value: _Value, classes: int) -> None:
        """Append the last normalisation with its ReLU, the average and the dense layer."""
        tensor = self._tensor(value.signed)
        # a normalisation behind a sum cannot be part of a layer before it: it is a layer itself
        own = Conv2d(tensor.channels, tensor.channels, _POINT, self.weight_bits, tensor.channels)
        last = self._append("norm", own, (value.signed,), signed=False)
        self._scores(self._average(last), classes)

    def constant(self, classes: int) -> None:
        """Append layers whose answer does not depend on the image."""
        last = self._average(INPUT)
        tensor = self._tensor(last)
        # a hard sigmoid of slope and offset 0 is 0 everywhere
        zeros = Table("hard_sigmoid", (0.0, 0.0), (tensor.low, tensor.high), (0, 1))
        output = Tensor(tensor.shape, 1, signed=False)
        self.nodes["zeros"] = Node("zeros", zeros, (last,), output, 0)
        self._scores("zeros", classes)

    def conv(self, source: str, channels: int, window: Window, need: _Need) -> str:
        """Append a convolution; its output is rectified where nothing else is read."""
        op = Conv2d(self._tensor(source).channels, channels, window, self.weight_bits)
        return self._append("conv", op, (source,), need.signed)

    def value(self, name: str, need: _Need) -> _Value:
        """Return what a node holds as a value in the forms that are read."""
        if not need.signed:
            return _Value(rectified=name)
        if not need.rectified:
            return _Value(signed=name)
        return _Value(name, self._append("relu", Pool2d("max", _POINT), (name,), signed=False))

    def _pool(self, source: str, window: Window, need: _Need) -> str:
        op = Pool2d("average", window, counts_padding=False)
        return self._append("pool", op, (source,), need.signed)

    def _add(self, left: str, right: str, need: _Need) -> str:
        return self._append("add", Add(_ADDITION_BITS), (left, right), need.signed)

    def _average(self, source: str) -> str:
        """Append the average over a map, if it is one."""
        tensor = self._tensor(source)
        if tensor.pixels == 1:
            return source
        _, rows, columns = tensor.shape
        output = Tensor((tensor.channels, 1, 1), _HEAD_BITS, tensor.signed)
        op = Pool2d("average", Window((rows, columns)))
        self.nodes["average"] = Node("average", op, (source,), output)
        return "average"

    def _scores(self, source: str, classes: int) -> None:
        """Append the dense layer, whose sums are the scores."""
        tensor = self._tensor(source)
        dense = Dense(prod(tensor.shape), classes, self.weight_bits)
        bits = 1 + signed_bits(*dense.accumulator_range([tensor], None))
        output = Tensor((classes,), bits, signed=True)
        self.nodes["dense"] = Node("dense", dense, (source,), output, 0)

    def _append(self, kind: str, op: Op, sources: tuple[str, ...], signed: bool) -> str:
        number = sum(name.startswith(kind) for name in self.nodes)
        shape = op.output_shape([self._tensor(source).shape for source in sources])
        output = Tensor(shape, self.bits, signed)
        node = Node(f"{kind}{number}", op, sources, output)
        self.nodes[node.name] = node
        return node.name

    def _tensor(self, name: str) -> Tensor:
        return self.input if name == INPUT else self.nodes[name].output
