"""Small graphs that take every hardware template to its corners."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from codesign.design import Design
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.hardware.template import HardwareTemplate
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
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.space import divisors


def unsigned(*shape: int, bits: int = 4) -> Tensor:
    return Tensor(shape, bits, signed=False)


def signed(*shape: int, bits: int = 4) -> Tensor:
    return Tensor(shape, bits, signed=True)


def single(op: Op, source: Tensor, bits: int, is_signed: bool, multiplier_bits: int) -> Graph:
    """Return a graph of one node."""
    output = Tensor(op.output_shape([source.shape]), bits, is_signed)
    return Graph("case", source, (Node("node", op, (INPUT,), output, multiplier_bits),))


GEOMETRIES: tuple[tuple[Window, tuple[int, int]], ...] = (
    (Window((3, 3), (1, 1), (1, 1, 1, 1)), (5, 4)),  # same size
    (Window((3, 3)), (3, 3)),  # covers the map
    (Window((3, 3), (2, 2), (1, 1, 1, 1)), (5, 5)),
    (Window((3, 3), (2, 2), (0, 1, 1, 0)), (6, 5)),  # asymmetric padding
    (Window((2, 3), (1, 2), (1, 0, 0, 2)), (4, 6)),
    (Window((3, 2), (3, 1), (2, 1, 1, 0)), (7, 3)),
    (Window((2, 2), (3, 3)), (8, 8)),  # rows and columns that no window needs
    (Window((2, 2), (3, 2)), (7, 5)),
    (Window((1, 1), (2, 2)), (5, 5)),
    (Window((1, 1), (3, 3)), (7, 8)),
    (Window((1, 1)), (2, 3)),  # no window at all
    (Window((1, 1)), (1, 1)),
    (Window((3, 3), (1, 1), (1, 1, 1, 1)), (1, 1)),  # one pixel, mostly padding
    (Window((4, 4), (2, 2), (3, 2, 3, 3)), (2, 1)),  # kernel larger than the map
    (Window((5, 5), (1, 1), (2, 2, 2, 2)), (3, 2)),
    (Window((5, 3), (3, 1), (4, 2, 4, 2)), (2, 2)),
    (Window((3, 1), (2, 1), (2, 0, 0, 0)), (4, 2)),
    (Window((2, 5), (1, 3), (0, 4, 1, 4)), (1, 9)),
)

DILATED: tuple[tuple[Window, tuple[int, int]], ...] = (
    (Window((3, 3), (1, 1), (2, 2, 2, 2), (2, 2)), (5, 4)),
    (Window((3, 2), (2, 1), (1, 2, 3, 1), (2, 3)), (7, 6)),
    (Window((2, 3), (2, 3), (0, 0, 0, 0), (3, 1)), (7, 8)),
    (Window((2, 2), (1, 1), (2, 0, 1, 3), (2, 3)), (2, 3)),  # beyond the map
)


def convolutions() -> Iterator[Graph]:
    """Every geometry, with signs, widths and requantisers in turn."""
    requantisers = ((8, 1), (5, 8), (3, 1), (4, 16))
    for number, (window, size) in enumerate(GEOMETRIES + DILATED):
        channels, outputs = ((2, 1), (2, 3), (3, 2), (4, 1))[number % 4] if number else (6, 4)
        is_signed = number % 3 == 1
        bits, multiplier_bits = requantisers[number % len(requantisers)]
        source = Tensor((channels, *size), 1 + number % 8, is_signed)
        op = Conv2d(channels, outputs, window, 2 + number % 7)
        yield single(op, source, bits, number % 2 == 1, multiplier_bits)
    yield single(Conv2d(2, 2, Window((2, 2)), 3), signed(2, 3, 3), 24, True, 0)
    yield single(Conv2d(4, 6, Window((1, 1)), 3), signed(4), 5, True, 8)
    yield single(Conv2d(2, 2, Window((3, 2), (1, 1), (1, 1, 1, 0)), 3), signed(2), 5, True, 8)
    # a ReLU6, and a foreign zero point: ranges narrower than their widths
    for bounds, is_signed in (((0, 11), False), ((-3, 6), True)):
        source = Tensor((2, 3, 3), 5, signed=True, bounds=(-9, 12))
        output = Tensor((4, 2, 2), 4, is_signed, bounds)
        op = Conv2d(2, 4, Window((2, 2)), 3)
        yield Graph("case", source, (Node("node", op, (INPUT,), output, 8),))


def dense_layers() -> Iterator[Graph]:
    """Vectors and maps; all requantisers."""
    yield single(Dense(12, 6, 8), unsigned(12, bits=8), 32, True, 0)
    yield single(Dense(12, 6, 4), signed(3, 2, 2), 8, False, 1)
    yield single(Dense(8, 4, 2), unsigned(2, 2, 2, bits=1), 3, True, 8)
    yield single(Dense(1, 5, 5), signed(1, bits=7), 6, True, 16)
    yield single(Dense(9, 1, 3), unsigned(1, 3, 3, bits=2), 4, True, 1)
    yield single(Dense(4, 30, 3), signed(4, bits=3), 3, True, 1)


def pools() -> Iterator[Graph]:
    """Maxima, averages and global averages, in turn; with and without requantisation."""
    for number, (window, size) in enumerate(GEOMETRIES + DILATED):
        channels = (4, 2, 3, 2)[number % 4]
        source = Tensor((channels, *size), 2 + number % 7, number % 4 > 1)
        if number % 2:
            yield single(Pool2d("max", window), source, source.bits, source.signed, 0)
        else:
            multiplier_bits = (1, 8, 16)[number % 3]
            yield single(Pool2d("average", window), source, 4, number % 4 > 1, multiplier_bits)
    yield single(Pool2d("max", Window((2, 2), (2, 2))), signed(4, 4, 4, bits=6), 3, True, 1)
    yield single(Pool2d("max", Window((1, 1))), signed(6, bits=6), 3, False, 8)
    yield single(Pool2d("average", Window((2, 2))), signed(4, 2, 2, bits=6), 16, True, 0)


def additions() -> Iterator[Graph]:
    """Two inputs of different types; both requantisers."""
    yield _addition(unsigned(6, 3, 2, bits=3), signed(6, 3, 2, bits=5), 4, True, 1)
    yield _addition(signed(4, 2, 2, bits=8), unsigned(4, 2, 2, bits=8), 5, False, 8)
    yield _addition(unsigned(4, 1, 1, bits=2), unsigned(4, 1, 1, bits=6), 3, False, 16)


def _addition(
    left: Tensor, right: Tensor, bits: int, is_signed: bool, multiplier_bits: int
) -> Graph:
    nodes = (
        Node("other", Pool2d("max", Window((1, 1))), (INPUT,), right, 1),
        Node(
            "node", Add(4), (INPUT, "other"), Tensor(left.shape, bits, is_signed), multiplier_bits
        ),
    )
    return Graph("case", left, nodes)


USUAL = ("convolve", "convolve", "pool", "add")
MIXED = (*USUAL, "convolve_groups", "convolve_groups", "enlarge", "enlarge", "average", "answer")


def random_graph(
    random: np.random.Generator, layers: int = 4, kinds: tuple[str, ...] = USUAL
) -> Graph:
    """Return a small network: layers of these kinds at random, then a dense layer."""
    chosen = _Growing(random)
    while len(chosen.nodes) < layers:
        random.choice([getattr(chosen, kind) for kind in kinds])()
    chosen.classify()
    return Graph("random", chosen.input, tuple(chosen.nodes), ("dense", *chosen.answers))


class _Growing:
    """A network that grows by one layer (or one residual block) at its end."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        shape = (self.number(1, 3), self.number(3, 7), self.number(3, 7))
        self.input = Tensor(shape, self.number(1, 8), bool(random.integers(2)))
        self.nodes: list[Node] = []
        self.answers: list[str] = []

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    @property
    def end(self) -> tuple[str, Tensor]:
        return (self.nodes[-1].name, self.nodes[-1].output) if self.nodes else (INPUT, self.input)

    def convolve(self, same_size: bool = False) -> None:
        name, source = self.end
        window = self.window(same_size)
        outputs = source.channels if same_size else self.number(1, 6)
        op = Conv2d(source.channels, outputs, window, self.number(2, 8))
        self._append("conv", op, (name,), source)

    def window(self, same_size: bool = False) -> Window:
        kernel = (self.number(1, 3), self.number(1, 3))
        stride = (1, 1) if same_size else (self.number(1, 2), self.number(1, 2))
        top, left = (kernel[0] - 1) // 2, (kernel[1] - 1) // 2
        padding = (top, left, kernel[0] - 1 - top, kernel[1] - 1 - left)
        return Window(kernel, stride, padding)

    def groups(self, source: Tensor) -> tuple[int, int]:
        """Return a number of groups that divides the channels, and so many outputs."""
        groups = int(self.random.choice(divisors(source.channels)))
        return groups, groups * self.number(1, 2)

    def convolve_groups(self) -> None:
        name, source = self.end
        groups, outputs = self.groups(source)
        op = Conv2d(source.channels, outputs, self.window(), self.number(2, 8), groups)
        self._append("grouped", op, (name,), source)

    def enlarge(self) -> None:
        name, source = self.end
        groups, outputs = self.groups(source)
        window = self.window()
        extra = tuple(self.number(0, step - 1) for step in window.stride)
        bits = self.number(2, 8)
        op = ConvTranspose2d(source.channels, outputs, window, bits, groups, extra)
        if source.pixels * outputs < 200:
            self._append("enlarged", op, (name,), source)

    def average(self) -> None:
        name, source = self.end
        op = Pool2d("average", self.window(), counts_padding=False)
        self._append("average", op, (name,), source)

    def answer(self) -> None:
        """Let the layer at the end answer, too, whatever reads it."""
        name, _ = self.end
        if name != INPUT and name not in self.answers:
            self.answers.append(name)

    def pool(self) -> None:
        name, source = self.end
        kernel = (min(2, source.shape[1]), min(2, source.shape[2]))
        window = Window(kernel, (self.number(1, 2), self.number(1, 2)))
        self._append(
            "pool", Pool2d(str(self.random.choice(["max", "average"])), window), (name,), source
        )

    def add(self) -> None:
        shortcut, source = self.end
        self.convolve(same_size=True)
        self._append("add", Add(self.number(2, 5)), (shortcut, self.end[0]), source)

    def classify(self) -> None:
        name, source = self.end
        op = Dense(source.elements, self.number(2, 5), self.number(2, 8))
        output = Tensor((op.outputs,), 32, signed=True)
        self.nodes.append(Node("dense", op, (name,), output, 0))

    def _append(self, kind: str, op: Op, inputs: tuple[str, ...], source: Tensor) -> None:
        shape = op.output_shape([source.shape] * len(inputs))
        output = Tensor(shape, self.number(2, 8), bool(self.random.integers(2)))
        multiplier_bits = int(self.random.choice([1, 8, 16]))
        self.nodes.append(Node(f"{kind}{len(self.nodes)}", op, inputs, output, multiplier_bits))


def random_design(
    graph: Graph, random: np.random.Generator, board: str = "zcu104", clock_hz: float = 200e6
) -> Design:
    """Return a graph on engines with knobs drawn at random."""
    engines = {}
    for node in graph:
        inputs = graph.inputs(node)
        template = template_of(node, inputs)
        engines[node.name] = _random_engine(template, node, inputs, random)
    return Design(graph, Board.load(board), clock_hz, engines)


def _random_engine(
    template: type[HardwareTemplate],
    node: Node,
    inputs: tuple[Tensor, ...],
    random: np.random.Generator,
) -> HardwareTemplate:
    while True:
        knobs = template.space(node, inputs).sample(random)
        engine = template.of(node, inputs, knobs)  # type: ignore[arg-type]
        if bool(np.all(engine.legal())):
            return engine


def depthwise() -> Iterator[Graph]:
    """Every second geometry; all requantisers; batch normalisation of a map and of a vector."""
    for number, (window, size) in enumerate((GEOMETRIES + DILATED)[::2]):
        channels = (4, 2, 3, 2)[number % 4]
        source = Tensor((channels, *size), 1 + number % 8, number % 2 == 1)
        op = Conv2d(channels, channels, window, 2 + number % 7, channels)
        yield single(op, source, 3 + number % 6, number % 3 == 1, (1, 8, 16)[number % 3])
    yield single(Conv2d(4, 4, Window((3, 3)), 3, 4), signed(4, 3, 3), 24, True, 0)
    yield single(Conv2d(4, 4, Window((1, 1)), 3, 4), signed(4), 5, True, 8)


def grouped() -> Iterator[Graph]:
    """Few and many groups, one input or output per group; all requantisers."""
    shapes = ((2, 2, 2), (3, 1, 2), (2, 2, 1), (2, 3, 1), (4, 1, 2), (2, 2, 4))
    for number, ((groups, inputs, outputs), (window, size)) in enumerate(
        zip(shapes, GEOMETRIES[2::3], strict=True)
    ):
        source = Tensor((groups * inputs, *size), 1 + number, number % 2 == 1)
        op = Conv2d(groups * inputs, groups * outputs, window, 2 + number, groups)
        yield single(op, source, 3 + number, number % 3 == 1, (1, 8, 16)[number % 3])
    yield single(Conv2d(4, 6, Window((3, 3)), 3, 2), signed(4, 3, 3), 24, True, 0)
    yield single(Conv2d(4, 8, Window((1, 1)), 3, 4), signed(4), 5, True, 8)


def averages() -> Iterator[Graph]:
    """Averages of what lies on the map, under windows of every padding; all requantisers."""
    padded = [(window, size) for window, size in GEOMETRIES + DILATED if any(window.padding)]
    for number, (window, size) in enumerate(padded[::2]):
        source = Tensor(((4, 2, 3)[number % 3], *size), 1 + number % 8, number % 2 == 1)
        op = Pool2d("average", window, counts_padding=False)
        yield single(op, source, 3 + number % 6, number % 3 == 1, (1, 8, 16)[number % 3])
    op = Pool2d("average", Window((3, 3), (1, 1), (1, 1, 1, 1)), counts_padding=False)
    yield single(op, signed(2, 3, 3), 24, True, 0)
    yield single(op, unsigned(2, 2, 2, bits=1), 8, False, 1)


TRANSPOSED: tuple[tuple[Window, tuple[int, int], tuple[int, int]], ...] = (
    (Window((2, 2), (2, 2)), (0, 0), (3, 4)),  # every input makes pixels of its own
    (Window((3, 3), (2, 2), (1, 1, 1, 1)), (1, 1), (3, 3)),
    (Window((3, 2), (1, 1), (1, 0, 2, 1)), (0, 0), (3, 4)),  # a convolution
    (Window((2, 3), (1, 2), (0, 1, 1, 1)), (0, 0), (2, 5)),  # columns only
    (Window((3, 1), (3, 1), (1, 0, 1, 0)), (2, 0), (1, 3)),  # one row
    (Window((1, 2), (2, 3)), (1, 2), (2, 2)),  # pixels that no input reaches
    (Window((5, 3), (2, 3), (4, 2, 3, 1)), (0, 1), (3, 2)),
    (Window((2, 3), (2, 1), (1, 0, 0, 1), (3, 2)), (1, 0), (3, 4)),  # zeros in the kernel
)


def transposed() -> Iterator[Graph]:
    """Every stride and crop, with and without groups; all requantisers."""
    shapes = ((1, 2, 2), (1, 2, 1), (2, 1, 2), (3, 1, 1), (1, 2, 1), (2, 2, 1), (1, 1, 2))
    for number, (window, extra, size) in enumerate(TRANSPOSED):
        groups, inputs, outputs = shapes[number % len(shapes)]
        source = Tensor((groups * inputs, *size), 1 + number % 8, number % 2 == 1)
        channels = groups * inputs, groups * outputs
        op = ConvTranspose2d(*channels, window, 2 + number % 7, groups, extra)
        yield single(op, source, 3 + number % 6, number % 3 == 1, (1, 8, 16)[number % 3])
    yield single(ConvTranspose2d(3, 2, Window((2, 2), (2, 2)), 3), signed(3), 24, True, 0)
    # words that would be read back at once
    yield single(ConvTranspose2d(4, 2, Window((2, 1), (2, 1)), 3, 2), unsigned(4, 3, 1), 5, True, 1)


def _joined(op: Op, parts: tuple[Tensor, ...], output: Tensor, multiplier_bits: int) -> Graph:
    """Return a join of the input and of other parts, each of which a pooling makes of it."""
    source = parts[0]
    nodes = []
    for number, part in enumerate(parts[1:]):
        window = Window(source.shape[1:]) if part.pixels < source.pixels else Window((1, 1))
        maker: Op = Pool2d("average", window)
        if part.channels != source.channels:
            maker = Conv2d(source.channels, part.channels, window, 3)
        shape = maker.output_shape([source.shape])
        typed = Tensor(shape, part.bits, part.signed)
        nodes.append(Node(f"other{number}", maker, (INPUT,), typed, 1))
    inputs = (INPUT, *(node.name for node in nodes))
    nodes.append(Node("node", op, inputs, output, multiplier_bits))
    return Graph("case", source, tuple(nodes))


def joins() -> Iterator[Graph]:
    """Two and three parts of different channels and types; with and without factors."""
    four, two = signed(4, 3, 2, bits=5), unsigned(2, 3, 2, bits=3)
    yield _joined(Concat(2, 4), (four, two), signed(6, 3, 2, bits=4), 1)
    yield _joined(Concat(3, 5), (four, two, unsigned(4, 3, 2)), signed(10, 3, 2, bits=6), 8)
    yield _joined(Concat(2, 2), (two, two), unsigned(4, 3, 2, bits=2), 16)
    yield _joined(Concat(2, 3), (two, unsigned(2, 3, 2)), unsigned(4, 3, 2, bits=2), 1)


def products() -> Iterator[Graph]:
    """Elements and factors per channel, of both signs."""
    for left, right, output, multiplier_bits in (
        (unsigned(4, 3, 2), unsigned(4, 3, 2), unsigned(4, 3, 2), 1),
        (unsigned(6, 2, 2, bits=8), unsigned(6, 1, 1, bits=8), unsigned(6, 2, 2, bits=5), 1),
        (signed(4, 3, 2), unsigned(4, 1, 1, bits=6), signed(4, 3, 2, bits=6), 8),
        (signed(2, 3, 2), signed(2, 1, 1, bits=2), signed(2, 3, 2, bits=3), 16),
        (unsigned(3, 1, 1), signed(3, 1, 1), signed(3, 1, 1), 1),
    ):
        yield _joined(Multiply(), (left, right), output, multiplier_bits)


def tables() -> Iterator[Graph]:
    """Signed and unsigned tables, one for all channels and one for each, maps and vectors."""
    for source, output, channels in (
        (unsigned(4, 2, 3, bits=3), signed(4, 2, 3, bits=5), 1),
        (signed(6, 3, 1, bits=4), unsigned(6, 3, 1, bits=2), 6),
        (signed(4, bits=5), signed(4, bits=3), 4),
        (Tensor((4, 2, 2), 5, True, (-3, 9)), unsigned(4, 2, 2, bits=8), 1),
    ):
        op = Table("tanh", (), (0, 0), (0, 0), channels).typed([source], output)
        yield Graph("case", source, (Node("node", op, (INPUT,), output, 0),))


def views() -> Iterator[tuple[str, Graph]]:
    """Slices, paddings and enlargements."""
    for op, source in (
        (Slice(2, 6), signed(8, 2, 3)),
        (Slice(0, 3), unsigned(6, bits=2)),
        (Slice(4, 6), unsigned(6, 1, 3)),
        (Pad2d((1, 2, 0, 3)), signed(4, 2, 3)),
        (Pad2d((0, 0, 2, 0)), unsigned(2, 3, 1)),
        (Pad2d((1, 1, 1, 1)), Tensor((3, 1, 1), 4, False, (2, 9))),
        (Resize2d((2, 3)), signed(4, 2, 3)),
        (Resize2d((1, 2)), unsigned(3, 2, 2)),
        (Resize2d((3, 1)), unsigned(2, 1, 4)),
        (Resize2d((1, 1)), unsigned(2, 2, 2)),
    ):
        low, high = op.accumulator_range([source], None)
        shape = op.output_shape([source.shape])
        output = Tensor(shape, source.bits, source.signed, (low, high))
        kind = type(op).__name__.lower()
        yield kind, Graph("case", source, (Node("node", op, (INPUT,), output, 0),))


CASES: dict[str, tuple[Graph, ...]] = {
    "depthwise2d": tuple(depthwise()),
    "grouped2d": tuple(grouped()),
    "average2d": tuple(averages()),
    "conv_transpose2d": tuple(transposed()),
    "table": tuple(tables()),
    "concat": tuple(joins()),
    "multiply": tuple(products()),
    **{
        kind: tuple(graph for other, graph in views() if other == kind)
        for kind in ("slice", "pad2d", "resize2d")
    },
    "conv2d": tuple(convolutions()),
    "dense": tuple(dense_layers()),
    "pool2d": tuple(pools()),
    "add": tuple(additions()),
}
"""By hardware template; a template without cases fails its contract test."""
