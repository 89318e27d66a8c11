"""Float models in the forms that converters other than torch's write.

Every maker returns a model and the shape of its images as the model reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[int | str | None, ...]
Made = tuple[onnx.ModelProto, tuple[int, ...]]


class Writer:
    """Collects the nodes and constants of a model, with seeded weights."""

    def __init__(self, opset: int, seed: int = 0) -> None:
        self.opset = opset
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def weights(self, *shape: int) -> str:
        """Store random numbers, smaller where more of them are added up."""
        spread = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 1.0
        return self.constant(self.random.normal(size=shape) * spread)

    def constant(self, value: Any) -> str:
        """Store numbers: reals as float32, integers as int64."""
        array = np.asarray(value)
        name = f"c{len(self.constants)}"
        self.constants[name] = array.astype(np.float32 if array.dtype.kind == "f" else np.int64)
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node and return its first output."""
        outputs = [f"t{len(self.nodes)}"]
        if operator == "Split":
            outputs = [f"t{len(self.nodes)}.{part}" for part in range(attributes.pop("parts"))]
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, outputs, name, **attributes))
        return outputs[0]

    def norm(self, maps: str, channels: int, **attributes: Any) -> str:
        """Append a batch normalisation."""
        rules = ((0.5, 1.5), (-0.5, 0.5), (-0.5, 0.5), (0.5, 2.0))
        numbers = [self.constant(self.random.uniform(*rule, channels)) for rule in rules]
        return self.node("BatchNormalization", maps, *numbers, **attributes)

    def model(self, output: str, shape: Shape, *, listed: bool = False) -> onnx.ModelProto:
        """Return the model; the constants may be `listed` as inputs, as they once had to be."""
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
        stored = [numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        if listed:
            inputs += [
                helper.make_tensor_value_info(x.name, x.data_type, list(x.dims)) for x in stored
            ]
        answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, ("n", "m"))
        graph = helper.make_graph(self.nodes, "made", inputs, [answer], stored)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=3 if listed else 8)


def tensorflow(clip: Callable[[Writer, str], str]) -> Made:
    """A convolution network of tf2onnx: channels last outside, first inside."""
    w = Writer(13)
    maps = w.node("Transpose", "x", perm=[0, 3, 1, 2])
    maps = w.node("Conv", maps, w.weights(8, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])
    maps = w.node("Add", maps, w.weights(1, 8, 1, 1))  # BiasAdd
    maps = clip(w, maps)
    maps = w.node("Pad", maps, w.constant([0, 0, 0, 0, 0, 0, 1, 1]), w.constant(0.0))
    maps = w.node("Conv", maps, w.weights(8, 1, 3, 3), group=8, strides=[2, 2], auto_pad="VALID")
    maps = clip(w, w.norm(maps, 8, epsilon=1e-3))
    left = w.node("Conv", maps, w.weights(8, 8, 1, 1))
    maps = w.node("Add", w.node("Add", left, w.weights(8, 1, 1)), maps)
    mean = w.node("ReduceMean", maps, axes=[2, 3], keepdims=1)
    vectors = w.node("Squeeze", mean, w.constant([2, 3]))
    answer = w.node("Add", w.node("MatMul", vectors, w.weights(8, 5)), w.weights(5))
    return w.model(answer, ("unk__1", 11, 13, 3)), (11, 13, 3)


def _clip(w: Writer, maps: str) -> str:
    return w.node("Clip", maps, w.constant(0.0), w.constant(6.0))


def _between(w: Writer, maps: str) -> str:
    return w.node("Max", w.node("Min", maps, w.constant(6.0)), w.constant([0.0]))


def _transposed_end() -> Made:
    """Maps that are turned back to channels last at the end, between layers as well."""
    w = Writer(15)
    maps = w.node("Transpose", "x", perm=[0, 3, 1, 2])
    maps = w.node("Relu", w.node("Conv", maps, w.weights(4, 2, 3, 3)))
    last = w.node("Transpose", maps, perm=[0, 2, 3, 1])
    last = w.node("Mul", last, w.weights(4))  # per channel, channels last
    last = w.node("Pad", last, w.constant([0, 1, 0, 0, 0, 0, 2, 0]))
    maps = w.node("Transpose", last, perm=[0, 3, 1, 2])
    maps = w.node("MaxPool", maps, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    last = w.node("Transpose", maps, perm=[0, 2, 3, 1])
    rows = w.node("Reshape", last, w.constant([-1, 4 * 4 * 4]))
    return w.model(w.node("MatMul", rows, w.weights(64, 5)), (None, 8, 8, 2)), (8, 8, 2)


def keras() -> Made:
    """A dense layer on maps that were flattened with channels last, twice."""
    w = Writer(12)
    maps = w.node("Transpose", "x", perm=[0, 3, 1, 2])
    maps = w.node("Conv", maps, w.weights(6, 1, 3, 3), w.weights(6), kernel_shape=[3, 3])
    maps = w.node("LeakyRelu", maps, alpha=0.3)
    maps = w.node("AveragePool", maps, kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER")
    last = w.node("Transpose", maps, perm=[0, 2, 3, 1])
    rows = w.node("Reshape", last, w.constant([-1, 3 * 4 * 6]))
    rows = w.node("Add", w.node("MatMul", rows, w.weights(72, 9)), w.weights(9))
    rows = w.node("Relu", rows)
    answer = w.node("Add", w.node("MatMul", rows, w.weights(9, 4)), w.weights(1, 4))
    return w.model(answer, ("N", 8, 9, 1)), (8, 9, 1)


def paddle() -> Made:
    """Early operator sets: bounds, pads and sizes as attributes, shapes computed on the way."""
    w = Writer(9)
    maps = w.node("Pad", "x", pads=[0, 0, 1, 0, 0, 0, 2, 1], mode="constant", value=0.0)
    maps = w.node("Conv", maps, w.weights(4, 3, 3, 3), kernel_shape=[3, 3], dilations=[1, 1])
    maps = w.node("Clip", w.norm(maps, 4, momentum=0.9), min=0.0, max=6.0)
    maps = w.node("Upsample", maps, w.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
    maps = w.node("Dropout", maps, ratio=0.5)
    w.node("Split", maps, axis=1, split=[1, 3], parts=2)
    maps = w.node("Concat", f"t{len(w.nodes) - 1}.1", f"t{len(w.nodes) - 1}.0", axis=1)
    maps = w.node("MaxPool", maps, kernel_shape=[3, 3], strides=[3, 3])
    batch = w.node("Gather", w.node("Shape", maps), w.constant(0), axis=0)
    target = w.node("Concat", w.node("Unsqueeze", batch, axes=[0]), w.constant([-1]), axis=0)
    rows = w.node("Reshape", maps, target)
    rows = w.node("Slice", rows, axes=[1], starts=[0], ends=[100000])
    answer = w.node("Gemm", rows, w.weights(5, 64), w.weights(5), transB=1, alpha=0.5, beta=2.0)
    return w.model(answer, (-1, 3, 6, 8)), (3, 6, 8)


def mxnet() -> Made:
    """Constants listed as inputs, Flatten before every dense layer, one mean per map."""
    w = Writer(8)
    maps = w.norm("x", 3, epsilon=2e-5)  # of the images, with gains not fixed
    maps = w.node("Conv", maps, w.weights(6, 3, 3, 3), pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    left = w.node("Relu", w.norm(maps, 6))
    maps = w.node("Sum", left, w.node("Conv", left, w.weights(6, 6, 1, 1), kernel_shape=[1, 1]))
    maps = w.node("PRelu", maps, w.weights(6, 1, 1))
    maps = w.node("GlobalAveragePool", maps)
    answer = w.node("Gemm", w.node("Flatten", maps), w.weights(5, 6), w.weights(5), transB=1)
    return w.model(answer, ("batch", 3, 7, 7), listed=True), (3, 7, 7)


def _small(
    stored: Callable[[Writer, str], str], opset: int = 13, batch: int | str | None = "n"
) -> Made:
    """A layer whose weights are brought in by some nodes."""
    w = Writer(opset)
    maps = w.node("Conv", "x", stored(w, w.weights(4, 2, 3, 3)), stored(w, w.weights(4)))
    rows = w.node("Flatten", w.node("Relu", maps))
    answer = w.node("MatMul", rows, stored(w, w.weights(36, 3)))
    return w.model(answer, (batch, 2, 5, 5)), (2, 5, 5)


def _as_node(w: Writer, name: str) -> str:
    return w.node("Constant", value=numpy_helper.from_array(w.constants.pop(name)))


def _as_identity(w: Writer, name: str) -> str:
    return w.node("Identity", w.node("Identity", name))


def _in_half_precision(w: Writer, name: str) -> str:
    w.constants[name] = w.constants[name].astype(np.float16)
    return w.node("Cast", name, to=TensorProto.FLOAT)


def _as_stored(w: Writer, name: str) -> str:
    return name


MODELS: dict[str, Callable[[], Made]] = {
    "tensorflow": lambda: tensorflow(_clip),
    "tensorflow, bounds apart": lambda: tensorflow(_between),
    "tensorflow, channels last": _transposed_end,
    "keras": keras,
    "paddle": paddle,
    "mxnet": mxnet,
    "weights as nodes": lambda: _small(_as_node),
    "weights of the same name": lambda: _small(_as_identity),
    "weights in half precision": lambda: _small(_in_half_precision),
    "batch of any name": lambda: _small(_as_stored, batch="N"),
    "batch without name": lambda: _small(_as_stored, batch=None),
    "batch of -1": lambda: _small(_as_stored, batch=-1),
}


def named(shape: Sequence[int | str]) -> onnx.ModelProto:
    """Return a small model with other names for its dimensions."""
    model, _ = _small(_as_stored)
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    for dimension, extent in zip(dimensions, shape, strict=True):
        if isinstance(extent, str):
            dimension.dim_param = extent
        else:
            dimension.dim_value = extent
    return model
