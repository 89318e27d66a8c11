"""Plain and residual convolutional networks, chosen layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from codesign.network.family import Family
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor, signed_bits
from codesign.network.windows import Window
from codesign.space import Choice, Point, Space

Downsample = Literal["none", "stride", "max", "average"]
Head = Literal["average", "flatten"]

_SMALLEST_HALVED = 4
_HEAD_BITS = 8
_ADDITION_BITS = 5
_HALVING = Window((2, 2), stride=(2, 2))


@dataclass(frozen=True)
class Convnet(Family):
    """Convolutions with ReLU, then global average pooling or flattening, then one dense layer.

    Every layer chooses its width, kernel, downsampling, bits of weights and activations, and
    whether a residual block (two more convolutions and an identity skip) follows. A choice that
    a small map cannot bear falls back to the nearest one it can: no downsampling below 4 x 4,
    the largest kernel that the map covers, and average pooling before too large a dense layer.
    """

    layers: tuple[int, ...] = (2, 3, 4)
    widths: tuple[int, ...] = (4, 8, 12, 16, 24, 32)
    kernels: tuple[int, ...] = (1, 3, 5)
    downsamples: tuple[Downsample, ...] = ("none", "stride", "max", "average")
    residuals: tuple[bool, ...] = (False, True)
    weight_bits: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    activation_bits: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    heads: tuple[Head, ...] = ("average", "flatten")
    largest_flattened: int = 1024
    """Inputs of the dense layer up to which a map may be flattened."""

    def __post_init__(self) -> None:
        Family.__post_init__(self)
        for key in ("layers", "widths", "kernels", "weight_bits", "activation_bits"):
            values = getattr(self, key)
            if not values or min(values) < 1 or len(set(values)) < len(values):
                raise ValueError(f"{key} are different positive integers, got {list(values)}")
        for key in ("weight_bits", "activation_bits"):
            values = getattr(self, key)
            if min(values) < 2 or max(values) > 8:
                raise ValueError(f"{key} are 2 to 8, got {list(values)}")
        for key in ("downsamples", "residuals", "heads"):
            values = getattr(self, key)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key} are different and at least one, got {list(values)}")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError(f"kernels have a middle: odd numbers, got {list(self.kernels)}")
        if len(self.input.shape) != 3:
            raise ValueError(f"convolutions need C x H x W, got {self.input.shape}")

    def space(self) -> Space:
        """Return the choices of every layer that may exist, and of the head."""
        choices = [Choice("layers", self.layers)]
        for index in range(max(self.layers)):
            choices += [
                Choice(f"width{index}", self.widths),
                Choice(f"kernel{index}", self.kernels),
                Choice(f"downsample{index}", self.downsamples),
                Choice(f"residual{index}", self.residuals),
                Choice(f"weight_bits{index}", self.weight_bits),
                Choice(f"activation_bits{index}", self.activation_bits),
            ]
        choices += [Choice("head", self.heads), Choice("head_weight_bits", self.weight_bits)]
        return Space(tuple(choices))

    def decode(self, point: Point) -> Graph:
        """Return the network; choices of layers beyond the point's number of layers are idle."""
        chain = _Chain(self.input)
        for index in range(int(point["layers"])):
            layer = _Layer(
                width=int(point[f"width{index}"]),
                kernel=self._kernel(chain.tensor, int(point[f"kernel{index}"])),
                weight_bits=int(point[f"weight_bits{index}"]),
                activation_bits=int(point[f"activation_bits{index}"]),
            )
            chain.downsampled(layer, str(point[f"downsample{index}"]))
            if point[f"residual{index}"]:
                chain.residual(replace(layer, kernel=self._kernel(chain.tensor, layer.kernel)))
        flattens = point["head"] == "flatten" and chain.tensor.elements <= self.largest_flattened
        chain.head(self.classes, int(point["head_weight_bits"]), flattens)
        return Graph("convnet", self.input, tuple(chain.nodes))

    def _kernel(self, tensor: Tensor, wanted: int) -> int:
        """Return the largest kernel up to `wanted` that the map covers, else the smallest."""
        covered = [k for k in self.kernels if k <= min(wanted, *tensor.shape[1:])]
        return max(covered, default=min(self.kernels))


@dataclass(frozen=True, slots=True)
class _Layer:
    width: int
    kernel: int
    weight_bits: int
    activation_bits: int


class _Chain:
    """The nodes written so far, and what the last of them produces."""

    def __init__(self, tensor: Tensor) -> None:
        self.nodes: list[Node] = []
        self.last = INPUT
        self.tensor = tensor

    def downsampled(self, layer: _Layer, kind: str) -> None:
        """Append a convolution with ReLU, and halve the map where it is large enough."""
        halves = min(self.tensor.shape[1:]) >= _SMALLEST_HALVED and kind != "none"
        self.convolution(layer, stride=2 if halves and kind == "stride" else 1)
        if not halves or kind == "stride":
            return
        output = _tensor(Pool2d(kind, _HALVING), self.tensor, self.tensor.bits, signed=False)
        multiplier_bits = 1 if kind == "average" else 0
        self.append("pool", Pool2d(kind, _HALVING), output, multiplier_bits)

    def residual(self, layer: _Layer) -> None:
        """Append two convolutions whose sum with what came before passes a ReLU."""
        skip, shape = self.last, self.tensor
        self.convolution(layer)
        # the branch has no ReLU: its sign costs one more bit, up to the widest stream of 8
        self.convolution(layer, bits=min(layer.activation_bits + 1, 8), signed=True)
        sources = (skip, self.last)
        output = Tensor(shape.shape, layer.activation_bits, signed=False)
        self.append("add", Add(_ADDITION_BITS), output, inputs=sources)

    def convolution(
        self, layer: _Layer, stride: int = 1, bits: int = 0, signed: bool = False
    ) -> None:
        """Append one convolution that keeps the map's size but for its stride."""
        half = layer.kernel // 2
        window = Window((layer.kernel,) * 2, (stride,) * 2, (half,) * 4)
        op = Conv2d(self.tensor.channels, layer.width, window, layer.weight_bits)
        self.append("conv", op, _tensor(op, self.tensor, bits or layer.activation_bits, signed))

    def head(self, classes: int, weight_bits: int, flattens: bool) -> None:
        """Append the dense layer that scores the classes, as exact sums."""
        if not flattens and self.tensor.pixels > 1:
            rows, columns = self.tensor.shape[1:]
            op = Pool2d("average", Window((rows, columns)))
            # the mean of many narrow values is worth more bits than each of them
            self.append("pool", op, Tensor((self.tensor.channels, 1, 1), _HEAD_BITS, signed=False))
        dense = Dense(prod(self.tensor.shape), classes, weight_bits)
        bits = 1 + signed_bits(*dense.accumulator_range([self.tensor], None))
        self.append("dense", dense, Tensor((classes,), bits, signed=True), multiplier_bits=0)

    def append(
        self,
        kind: str,
        op: Op,
        output: Tensor,
        multiplier_bits: int = 1,
        inputs: tuple[str, ...] = (),
    ) -> None:
        """Append a node that reads the last one, or `inputs`, named after its kind and number."""
        number = sum(type(node.op) is type(op) for node in self.nodes)
        node = Node(f"{kind}{number}", op, inputs or (self.last,), output, multiplier_bits)
        self.nodes.append(node)
        self.last, self.tensor = node.name, output


def _tensor(op: Op, source: Tensor, bits: int, signed: bool) -> Tensor:
    return Tensor(op.output_shape([source.shape]), bits, signed)
