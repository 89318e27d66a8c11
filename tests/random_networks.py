"""Small real-valued networks that grow at random out of every operator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from codesign.network.functions import FUNCTIONS
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
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
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window

LARGEST = 400
"""Elements that a tensor has at most."""


def random_network(seed: int, layers: int = 12) -> FloatNetwork:
    """Return a network that scores five classes; every tensor that nothing reads answers too."""
    growing = _Growing(np.random.default_rng(seed))
    while len(growing.nodes) < layers:
        growing.grow()
    return growing.network()


def random_images(network: FloatNetwork, seed: int, count: int = 6) -> np.ndarray:
    """Return images that fit a network."""
    tensor = network.graph.input
    images = np.random.default_rng(seed).random((count, *tensor.shape)).astype(np.float32)
    return 2 * images - 1 if tensor.signed else images


class _Growing:
    """A network that grows anywhere: each operator reads tensors that are there, or fails to."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        shape = (self.number(1, 4), self.number(1, 7), self.number(3, 7))
        self.input = Tensor(shape, self.number(2, 8), self.chance())
        self.known = {INPUT: self.input}
        self.nodes: list[Node] = []
        self.clips: dict[str, tuple[float, float]] = {}
        self.kinds: tuple[Callable[[], str], ...] = (
            self.convolve,
            self.convolve,
            self.convolve_groups,
            self.enlarge,
            self.dense,
            self.pool,
            self.add,
            self.concat,
            self.weigh,
            self.cut,
            self.table,
            self.table,
            self.clip,
        )

    def number(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def chance(self, share: float = 0.5) -> bool:
        return bool(self.random.random() < share)

    def grow(self) -> None:
        """Append an operator; one that does not fit what it was to read is dropped."""
        before = len(self.nodes)
        try:
            self.kinds[self.number(0, len(self.kinds) - 1)]()
        except ValueError:
            for node in self.nodes[before:]:
                del self.known[node.name]
                self.clips.pop(node.name, None)
            del self.nodes[before:]

    def network(self) -> FloatNetwork:
        name = self.some(recent=True)
        scores = Dense(self.known[name].elements, 5, self.number(2, 8))
        self.nodes.append(Node("scores", scores, (name,), Tensor((5,), 40, signed=True), 0))
        read = {source for node in self.nodes for source in node.inputs}
        if INPUT not in read:
            self.append(Pool2d("max", Window((1, 1))), INPUT)
        unread = [node.name for node in self.nodes if node.name not in read | {"scores"}]
        graph = Graph("random", self.input, tuple(self.nodes), ("scores", *unread))
        return FloatNetwork(graph, self.weights(graph), self.clips)

    def weights(self, graph: Graph) -> dict[str, FloatParameters]:
        parameters = {}
        for node in graph:
            if node.op.has_bias:
                shape = node.op.weight_shape
                assert shape is not None
                weights = self.random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
                bias = self.random.normal(size=shape[0]) * 0.2
                parameters[node.name] = FloatParameters(weights, bias)
        return parameters

    def some(self, recent: bool = False) -> str:
        names = list(self.known)
        return names[-1] if recent or self.chance(0.7) else str(self.random.choice(names))

    def like(self, name: str, axes: slice) -> str:
        """Return a tensor whose shape agrees with another's on some axes."""
        wanted = self.known[name].shape[axes]
        fitting = [n for n, tensor in self.known.items() if tensor.shape[axes] == wanted]
        return str(self.random.choice(fitting))

    def append(self, op: Op, *inputs: str, signed: bool | None = None) -> str:
        """Append an operator that is requantised."""
        sources = [self.known[name] for name in inputs]
        shape = op.output_shape([tensor.shape for tensor in sources])
        output = Tensor(shape, self.number(3, 8), self.chance() if signed is None else signed)
        name = self.keep(op, inputs, output, int(self.random.choice([1, 16])))
        if self.chance(0.2):
            reach = float(self.random.uniform(0.5, 2))
            self.clips[name] = (-reach if output.signed else 0.0, reach)
        return name

    def pass_on(self, op: Op, source: str) -> str:
        """Append an operator that leaves integers as they are."""
        tensor = self.known[source]
        bounds = op.accumulator_range([tensor], None)
        output = Tensor(op.output_shape([tensor.shape]), tensor.bits, tensor.signed, bounds)
        return self.keep(op, (source,), output, 0)

    def keep(self, op: Op, inputs: tuple[str, ...], output: Tensor, multiplier_bits: int) -> str:
        if output.elements > LARGEST:
            raise ValueError(f"{output.shape} is large")
        name = f"{type(op).__name__.lower()}{len(self.nodes)}"
        node = Node(name, op, inputs, output, multiplier_bits)
        self.nodes.append(node)
        self.known[name] = output
        return name

    def window(self, dilated: bool = True) -> Window:
        kernel = (self.number(1, 3), self.number(1, 3))
        dilation = (self.number(1, 2), self.number(1, 2)) if dilated else (1, 1)
        extent = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)] * 2
        padding = tuple(self.number(0, min(most, 2)) for most in extent)
        return Window(kernel, (self.number(1, 2), self.number(1, 2)), padding, dilation)

    def convolve(self) -> str:
        source = self.some()
        channels = self.known[source].channels
        op = Conv2d(channels, self.number(1, 6), self.window(), self.number(2, 8))
        return self.append(op, source)

    def convolve_groups(self) -> str:
        source = self.some()
        channels = self.known[source].channels
        groups = int(self.random.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        kind = Conv2d if self.chance(0.7) else ConvTranspose2d
        outputs = groups * self.number(1, 2)
        return self.append(
            kind(channels, outputs, self.window(), self.number(2, 8), groups), source
        )

    def enlarge(self) -> str:
        source = self.some()
        if self.chance():
            return self.pass_on(Resize2d((self.number(1, 2), self.number(1, 2))), source)
        window = self.window()
        # ONNX Runtime takes fewer extra rows than the stride, whatever the dilation
        rows, columns = (self.number(0, step - 1) for step in window.stride)
        channels = self.known[source].channels
        op = ConvTranspose2d(channels, self.number(1, 4), window, 6, extra=(rows, columns))
        return self.append(op, source)

    def dense(self) -> str:
        source = self.some()
        return self.append(Dense(self.known[source].elements, self.number(1, 6), 5), source)

    def pool(self) -> str:
        source = self.some()
        window = self.window(dilated=min(map_shape(self.known[source].shape)[1:]) > 3)
        if any(2 * p > extent for p, extent in zip(window.padding, window.extent * 2, strict=True)):
            raise ValueError("a window may hold nothing but padding")
        if self.chance():
            return self.pass_on(Pool2d("max", window), source)
        return self.append(Pool2d("average", window, self.chance()), source)

    def add(self) -> str:
        source = self.some()
        return self.append(Add(8), source, self.like(source, slice(None)))

    def concat(self) -> str:
        source = self.some()
        others = [self.like(source, slice(1, None)) for _ in range(self.number(1, 2))]
        return self.append(Concat(1 + len(others), 8), source, *others)

    def weigh(self) -> str:
        source = self.some()
        if self.chance():
            return self.append(Multiply(), source, self.like(source, slice(None)))
        tensor = self.known[source]
        whole = Window(map_shape(tensor.shape)[1:])
        squeezed = self.append(Pool2d("average", whole), source)
        excited = self.append(Dense(tensor.channels, tensor.channels, 6), squeezed)
        return self.append(Multiply(), source, self.table(excited, "hard_sigmoid"))

    def cut(self) -> str:
        source = self.some()
        if self.chance():
            padding = tuple(self.number(0, 2) for _ in range(4))
            return self.pass_on(Pad2d(padding), source)
        first = self.number(0, self.known[source].channels - 1)
        return self.pass_on(
            Slice(first, self.number(first + 1, self.known[source].channels)), source
        )

    def table(self, source: str = "", function: str = "") -> str:
        source = source or self.some()
        function = function or str(self.random.choice(list(FUNCTIONS)))
        tensor, channels, parameters = self.known[source], 1, FUNCTIONS[function].defaults
        if function == "leaky_relu" and self.chance():
            channels = tensor.channels
            parameters = tuple(self.random.uniform(-0.5, 1, size=channels).tolist())
        least = FUNCTIONS[function].least
        output = Tensor(tensor.shape, self.number(3, 8), signed=least < 0)
        op = Table(function, parameters, (0, 0), (0, 0), channels).typed([tensor], output)
        return self.keep(op, (source,), output, 0)

    def clip(self) -> str:
        return self.append(Pool2d("max", Window((1, 1))), self.some())
