"""Random float ONNX models, node by node as an exporter may write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx
from framework_models import Writer

Maps = tuple[str, tuple[int, int, int]]
"""A tensor `1 x C x H x W` and its `C x H x W`."""

MOST_NODES = 10


class RandomModel:
    """Grows maps step by step; any earlier ones may be joined again."""

    def __init__(self, seed: int) -> None:
        self.w = Writer(17, seed)
        self.random = self.w.random
        self.shape = (self.some(1, 4), self.some(5, 12), self.some(5, 12))
        self.made: list[Maps] = [("x", self.shape)]

    def model(self) -> onnx.ModelProto:
        """Return the model: some steps, then one product with a matrix."""
        grow: list[Callable[[Maps], Maps]] = [
            *(self.conv, self.conv, self.conv, self.deconv, self.norm, self.function),
            *(self.rectifier, self.rectifier, self.arithmetic, self.sum, self.join, self.part),
            *(self.excitation, self.pool, self.pool, self.pad, self.resize, self.turn, self.view),
        ]
        for _ in range(self.some(2, MOST_NODES)):
            recent = self.made[-1] if self.random.integers(2) else self.any(self.made)
            self.made.append(self.any(grow)(recent))
        name, shape = self.made[-1]
        if self.random.integers(3):
            name = self.w.node("GlobalAveragePool", name)
            shape = (shape[0], 1, 1)
        rows, features = self.w.node("Flatten", name), shape[0] * shape[1] * shape[2]
        answer = self.w.node("Gemm", rows, self.w.weights(4, features), self.w.weights(4), transB=1)
        return self.w.model(answer, ("n", *self.shape))

    def conv(self, maps: Maps) -> Maps:
        name, (channels, rows, columns) = maps
        groups = self.any([g for g in (1, 1, channels, 2) if channels % g == 0])
        outputs = groups * self.some(1, 3)
        kernel = [min(self.some(1, 4), rows), min(self.some(1, 4), columns)]
        dilations = [self.some(1, 3) if k * 3 < min(rows, columns) else 1 for k in kernel]
        pads = [self.some(0, 3) for _ in range(4)]
        strides = [self.some(1, 3), self.some(1, 3)]
        weights = [self.w.weights(outputs, channels // groups, *kernel)]
        if self.random.integers(2):
            weights.append(self.w.weights(outputs))
        made = self.w.node(
            "Conv", name, *weights, group=groups, dilations=dilations, pads=pads, strides=strides
        )
        extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        return made, (outputs, *slid((rows, columns), extents, strides, pads))

    def deconv(self, maps: Maps) -> Maps:
        name, (channels, rows, columns) = maps
        stride, outputs = self.some(1, 3), self.some(1, 4)
        made = self.w.node(
            "ConvTranspose",
            name,
            self.w.weights(channels, outputs, stride + 1, stride),
            strides=[stride, stride],
            pads=[1, 0, 0, 0],
        )
        return made, (outputs, rows * stride, columns * stride)

    def norm(self, maps: Maps) -> Maps:
        name, shape = maps
        return self.w.norm(name, shape[0]), shape

    def rectifier(self, maps: Maps) -> Maps:
        name, shape = maps
        low, high = self.w.constant(-0.3), self.w.constant(0.8)
        match self.some(0, 4):
            case 0:
                return self.w.node("Clip", name, low, high), shape
            case 1:
                return self.w.node("Min", high, name), shape
            case _:
                return self.w.node("Relu", name), shape

    def function(self, maps: Maps) -> Maps:
        name, shape = maps
        kind = self.any(["LeakyRelu", "PRelu", "HardSwish", "Sigmoid", "Tanh", "Elu", "silu"])
        if kind == "PRelu":
            return self.w.node(kind, name, self.w.weights(shape[0], 1, 1)), shape
        if kind == "silu":
            return self.w.node("Mul", name, self.w.node("Sigmoid", name)), shape
        return self.w.node(kind, name), shape

    def arithmetic(self, maps: Maps) -> Maps:
        name, shape = maps
        operator = self.any(["Add", "Mul", "Sub"])
        constant = self.any([self.w.constant(0.7), self.w.weights(1, shape[0], 1, 1)])
        inputs = (name, constant) if self.random.integers(2) else (constant, name)
        return self.w.node(operator, *inputs), shape

    def sum(self, maps: Maps) -> Maps:
        alike = [name for name, shape in self.made if shape == maps[1]]
        return self.w.node(self.any(["Add", "Mul", "Sub"]), maps[0], self.any(alike)), maps[1]

    def join(self, maps: Maps) -> Maps:
        name, shape = maps
        alike = [other for other in self.made if other[1][1:] == shape[1:]]
        other, (channels, *_) = self.any(alike)
        return self.w.node("Concat", name, other, axis=1), (shape[0] + channels, *shape[1:])

    def part(self, maps: Maps) -> Maps:
        name, shape = maps
        if shape[0] == 1:
            return name, shape
        first = self.some(1, shape[0])
        counts = (first, shape[0] - first)
        self.w.node("Split", name, self.w.constant(counts), axis=1, parts=2)
        halves = [(f"t{len(self.w.nodes) - 1}.{i}", size) for i, size in enumerate(counts)]
        if self.random.integers(2):
            halves.reverse()
        (other, channels), (half, kept) = halves
        self.made.append((other, (channels, *shape[1:])))
        return half, (kept, *shape[1:])

    def excitation(self, maps: Maps) -> Maps:
        name, shape = maps
        mean = self.w.node("ReduceMean", name, axes=[2, 3])
        weights = self.w.weights(shape[0], shape[0], 1, 1)
        factor = self.w.node("HardSigmoid", self.w.node("Conv", mean, weights))
        return self.w.node("Mul", name, factor), shape

    def pool(self, maps: Maps) -> Maps:
        name, (channels, rows, columns) = maps
        kernel = [min(self.some(1, 4), rows), min(self.some(1, 4), columns)]
        strides, pads = [self.some(1, 3), self.some(1, 3)], [self.some(0, k) for k in kernel * 2]
        options = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        if self.random.integers(2):
            made = self.w.node("MaxPool", name, **options)
        else:
            counts = self.some(0, 2)
            made = self.w.node("AveragePool", name, count_include_pad=counts, **options)
        return made, (channels, *slid((rows, columns), kernel, strides, pads))

    def pad(self, maps: Maps) -> Maps:
        name, (channels, rows, columns) = maps
        top, left, bottom, right = (self.some(0, 3) for _ in range(4))
        pads = self.w.constant([0, 0, top, left, 0, 0, bottom, right])
        return self.w.node("Pad", name, pads), (
            channels,
            rows + top + bottom,
            columns + left + right,
        )

    def resize(self, maps: Maps) -> Maps:
        name, (channels, rows, columns) = maps
        if rows * columns > 300:
            return maps
        factors = self.some(1, 3), self.some(1, 3)
        made = self.w.node(
            "Resize",
            name,
            "",
            self.w.constant([1.0, 1.0, *map(float, factors)]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        return made, (channels, rows * factors[0], columns * factors[1])

    def turn(self, maps: Maps) -> Maps:
        """Do something with channels last."""
        name, shape = maps
        last = self.w.node("Transpose", name, perm=[0, 2, 3, 1])
        if self.random.integers(2):
            outputs = self.some(1, 4)
            last = self.w.node("MatMul", last, self.w.weights(shape[0], outputs))
            shape = (outputs, *shape[1:])
        last = self.w.node("Add", last, self.w.weights(shape[0]))
        return self.w.node("Transpose", last, perm=[0, 3, 1, 2]), shape

    def view(self, maps: Maps) -> Maps:
        name, shape = maps
        rows = self.w.node("Reshape", name, self.w.constant([0, shape[0], -1]))
        rows = self.w.node(self.any(["Relu", "Identity", "Tanh"]), rows)
        return self.w.node("Reshape", rows, self.w.constant([-1, *shape])), shape

    def some(self, low: int, high: int) -> int:
        """Return a number of `low .. high - 1`."""
        return int(self.random.integers(low, high))

    def any(self, choices: list[Any]) -> Any:
        """Return one of several."""
        return choices[self.some(0, len(choices))]


def slid(
    size: tuple[int, int], extents: list[int], strides: list[int], pads: list[int]
) -> tuple[int, int]:
    """Return the size of what a window makes of maps."""
    rows, columns = (
        (size[axis] + pads[axis] + pads[axis + 2] - extents[axis]) // strides[axis] + 1
        for axis in (0, 1)
    )
    return rows, columns
