"""Writing a network down layer by layer, and drawing weights that let signals through.

The builder follows the mean square of every tensor (its power) and scales the weights so that
the sums of each layer have the power that its style asks for: He initialisation, carried
through residual sums, concatenations, pooling and any activation.

Source: He et al., ICCV 2015, section 2.2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from codesign.network.functions import FUNCTIONS
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.op import Op, Shape
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor, map_shape, signed_bits
from codesign.network.windows import Window

LINEAR = "linear"
RELU = "relu"
RELU6 = "relu6"

_JOIN_BITS = 8
"""Bits of the factors that bring the inputs of a join to one scale; quantising narrows them."""

_POOLED_POWER = {"max": 1.5, "average": 0.5}
"""How pooling changes the power of rectified maps, roughly: between equal and independent ones."""

_IMAGE_POWER = 1 / 3  # of numbers spread evenly over 0..1
_BIAS_SPREAD = 0.05  # of a bias, beside a spread of 1 of the sums


@dataclass(frozen=True, slots=True)
class Style:
    """What a publication's layer has beside its shape.

    `activation` is linear, relu, relu6 or a function of `codesign.network.functions`, with its
    `parameters`. A normalised layer is followed by a batch normalisation, which is fused here;
    `biased` says whether it has biases of its own. The sums have the spread `gain`: less than
    one damps a residual branch.
    """

    activation: str = RELU
    parameters: tuple[float, ...] = ()
    normalised: bool = True
    biased: bool = False
    gain: float = 1.0


PLAIN = Style(LINEAR, normalised=False, biased=True)
"""A layer of nothing but weights and biases: usually the last."""


class Layers:
    """The layers written so far; each method appends one and returns the name of its output."""

    def __init__(self, source: Tensor, weight_bits: int, activation_bits: int) -> None:
        self.input = source
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.normalised = 0
        """Channels that a batch normalisation follows."""
        self.unbiased = 0
        """Channels of layers without biases of their own."""
        self._nodes: dict[str, Node] = {}
        self._kinds: Counter[str] = Counter()
        self._power = {INPUT: 1.0 if source.signed else _IMAGE_POWER}
        self._spreads: dict[str, tuple[float, float]] = {}
        self._clips: dict[str, tuple[float, float]] = {}

    def shape(self, name: str) -> Shape:
        """Return the shape of the input or of what a layer makes."""
        return self._tensor(name).shape

    def conv(self, source: str, outputs: int, window: Window, style: Style, groups: int = 1) -> str:
        """Append a convolution and its activation."""
        inputs = self.shape(source)[0]
        op = Conv2d(inputs, outputs, window, self.weight_bits, groups)
        return self._layer("conv", op, source, style, inputs // groups * window.positions)

    def depthwise(self, source: str, window: Window, style: Style) -> str:
        """Append a convolution of every channel by itself."""
        channels = self.shape(source)[0]
        return self.conv(source, channels, window, style, channels)

    def transposed(self, source: str, outputs: int, window: Window, style: Style) -> str:
        """Append a transposed convolution whose windows do not overlap."""
        inputs = self.shape(source)[0]
        op = ConvTranspose2d(inputs, outputs, window, self.weight_bits)
        return self._layer("deconv", op, source, style, inputs)

    def dense(self, source: str, outputs: int, style: Style = PLAIN) -> str:
        """Append a fully connected layer; a map is flattened."""
        inputs = self._tensor(source).elements
        op = Dense(inputs, outputs, self.weight_bits)
        return self._layer("dense", op, source, style, inputs)

    def pool(self, source: str, kind: str, window: Window) -> str:
        """Append a "max" or "average" pooling."""
        power = self._power[source] * _POOLED_POWER[kind]
        op = Pool2d(kind, window, counts_padding=False)
        return self._append("pool", op, (source,), power, self._tensor(source).signed)

    def average(self, source: str) -> str:
        """Append the average over all pixels of each channel."""
        rows, columns = map_shape(self.shape(source))[1:]
        return self.pool(source, "average", Window((rows, columns)))

    def add(self, left: str, right: str, activation: str = LINEAR) -> str:
        """Append a sum, linear or relu."""
        power = self._power[left] + self._power[right]
        signed = [self._tensor(name).signed for name in (left, right)]
        rectifies = activation == RELU
        if rectifies and all(signed):
            power /= 2
        op = Add(_JOIN_BITS)
        return self._append("add", op, (left, right), power, any(signed) and not rectifies)

    def concat(self, *sources: str) -> str:
        """Append the channels of several tensors in a row."""
        channels = [self.shape(name)[0] for name in sources]
        powers = [self._power[name] for name in sources]
        power = float(np.average(powers, weights=channels))
        signed = any(self._tensor(name).signed for name in sources)
        return self._append("concat", Concat(len(sources), _JOIN_BITS), sources, power, signed)

    def part(self, source: str, start: int, stop: int) -> str:
        """Append some neighbouring channels of a tensor."""
        signed = self._tensor(source).signed
        return self._append("slice", Slice(start, stop), (source,), self._power[source], signed)

    def multiply(self, source: str, factors: str) -> str:
        """Append a product with a tensor of the same shape, or of one factor per channel."""
        power = self._power[source] * self._power[factors]
        signed = any(self._tensor(name).signed for name in (source, factors))
        return self._append("multiply", Multiply(), (source, factors), power, signed)

    def resize(self, source: str, factor: int) -> str:
        """Append an enlargement that repeats every pixel in both directions."""
        signed = self._tensor(source).signed
        op = Resize2d((factor, factor))
        return self._append("resize", op, (source,), self._power[source], signed)

    def function(self, source: str, name: str, parameters: tuple[float, ...] = ()) -> str:
        """Append a function of every element."""
        function, tensor = FUNCTIONS[name], self._tensor(source)
        parameters = parameters or function.defaults
        points, weights = _normal_spread()
        values = function.compute(np.sqrt(self._power[source]) * points, *parameters)
        power = float(np.average(values**2, weights=weights))
        output = Tensor(tensor.shape, self.activation_bits, signed=function.least < 0)
        domain, image = (tensor.low, tensor.high), (output.low, output.high)
        op = Table(name, parameters, domain, image)
        return self._append(name, op, (source,), power, output.signed)

    def graph(self, name: str) -> Graph:
        """Return what is written; what no layer reads is an output."""
        read = {source for node in self._nodes.values() for source in node.inputs}
        outputs = tuple(name for name in self._nodes if name not in read)
        nodes = [self._final(n) if n.name in outputs else n for n in self._nodes.values()]
        return Graph(name, self.input, tuple(nodes), outputs)

    def network(self, name: str, seed: int) -> FloatNetwork:
        """Return the network with weights drawn at random; single precision holds them."""
        random = np.random.default_rng(seed)
        parameters = {}
        for layer, (weights, bias) in self._spreads.items():
            shape = self._nodes[layer].op.weight_shape
            assert shape is not None
            drawn = random.standard_normal(shape, np.float32) * np.float32(weights)
            offsets = random.standard_normal(shape[0], np.float32) * np.float32(bias)
            parameters[layer] = FloatParameters(
                drawn.astype(np.float64), offsets.astype(np.float64)
            )
        return FloatNetwork(self.graph(name), parameters, self._clips)

    def _layer(self, kind: str, op: Op, source: str, style: Style, products: int) -> str:
        """Append a layer with weights, then its activation."""
        rectified = style.activation in (RELU, RELU6)
        power = style.gain**2 * (0.5 if rectified else 1.0)
        name = self._append(kind, op, (source,), power, not rectified)
        spread = style.gain / np.sqrt(products * self._power[source])
        self._spreads[name] = (float(spread), style.gain * _BIAS_SPREAD)
        channels = self.shape(name)[0]
        self.normalised += channels if style.normalised else 0
        self.unbiased += 0 if style.biased else channels
        if style.activation == RELU6:
            self._clips[name] = (0.0, 6.0)
        if rectified or style.activation == LINEAR:
            return name
        return self.function(name, style.activation, style.parameters)

    def _append(
        self, kind: str, op: Op, sources: tuple[str, ...], power: float, signed: bool
    ) -> str:
        name = f"{kind}{self._kinds[kind]}"
        self._kinds[kind] += 1
        shape = op.output_shape([self.shape(source) for source in sources])
        output = Tensor(shape, self.activation_bits, signed)
        if op.passes:
            output = replace(self._tensor(sources[0]), shape=shape)
        copies = op.passes or isinstance(op, Table)
        self._nodes[name] = Node(name, op, sources, output, 0 if copies else 1)
        self._power[name] = power
        return name

    def _final(self, node: Node) -> Node:
        """Return an output as the sums themselves, where they are a layer's and linear."""
        if not node.op.has_bias or not node.output.signed:
            return node
        low, high = node.op.accumulator_range([self._tensor(s) for s in node.inputs], None)
        output = replace(node.output, bits=signed_bits(low, high) + 1)  # one more for the bias
        return replace(node, output=output, multiplier_bits=0)

    def _tensor(self, name: str) -> Tensor:
        return self.input if name == INPUT else self._nodes[name].output


@cache
def _normal_spread() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return numbers and weights whose sums stand for integrals over a normal distribution."""
    points, weights = np.polynomial.hermite_e.hermegauss(32)
    return points, weights


def square(kernel: int, stride: int = 1, padding: int | None = None) -> Window:
    """Return a square window; by default it is padded so that stride 1 keeps the map's size."""
    around = (kernel - 1) // 2 if padding is None else padding
    return Window((kernel, kernel), (stride, stride), (around,) * 4)


def same(shape: Shape, kernel: tuple[int, int], stride: int = 1) -> Window:
    """Return the window with the "same" padding of TensorFlow over maps of this `shape`.

    There are `ceil(size / stride)` positions; an odd row or column of padding comes last.
    """
    _, rows, columns = map_shape(shape)
    top, bottom = _same(rows, kernel[0], stride)
    left, right = _same(columns, kernel[1], stride)
    return Window(kernel, (stride, stride), (top, left, bottom, right))


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after one axis."""
    total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
    return total // 2, total - total // 2
