"""A float network as a plain ONNX model, before quantisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.network.floats import rectifies
from codesign.network.graph import INPUT, Node
from codesign.network.network import FloatNetwork
from codesign.network.onnx import model_file
from codesign.network.op import Op, Shape
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
from codesign.network.windows import Window

OPSET = 20
"""The first with Gelu; every operator used here is in it."""

IR_VERSION = 9

FUNCTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "elu": ("Elu", ("alpha",)),
        "gelu": ("Gelu", ()),
        "hard_sigmoid": ("HardSigmoid", ("alpha", "beta")),
        "hard_swish": ("HardSwish", ()),
        "leaky_relu": ("LeakyRelu", ("alpha",)),
        "mish": ("Mish", ()),
        "selu": ("Selu", ("alpha", "gamma")),
        "sigmoid": ("Sigmoid", ()),
        "softplus": ("Softplus", ()),
        "softsign": ("Softsign", ()),
        "tanh": ("Tanh", ()),
    }
)
"""The ONNX operator of each function that has one, and what it calls the parameters."""

_PLAIN: Mapping[type[Op], tuple[str, dict[str, Any]]] = MappingProxyType(
    {Add: ("Add", {}), Concat: ("Concat", {"axis": 1}), Multiply: ("Mul", {})}
)
"""Operators whose inputs and attributes are always the same."""

_MAP_READERS = (Conv2d, ConvTranspose2d, Pool2d, Pad2d, Resize2d)


def save_floats(network: FloatNetwork, path: Path) -> None:
    """Write a float network as an ONNX file.

    Raises:
        InputError: the file cannot be written.
    """
    model_file.write(export_floats(network), path)


def export_floats(network: FloatNetwork) -> onnx.ModelProto:
    """Return the model of a float network, in single precision and with a free batch.

    Tensors are called as the nodes that make them; widths and scales are not recorded.
    """
    writer = _Writer(network)
    for node in network.graph:
        writer.write(node)
    return writer.model()


class _Writer:
    """Collects ONNX nodes and constants."""

    def __init__(self, network: FloatNetwork) -> None:
        self.network = network
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def write(self, node: Node) -> None:
        """Write one node: its operator, its bias, its ReLU and its clip."""
        low, high = self.network.clips.get(node.name, (-math.inf, math.inf))
        low = max(low, 0.0) if self._rectifies(node) else low
        bounded = low > -math.inf or high < math.inf
        result = f"{node.name}.sums" if bounded else node.name
        if type(node.op) in _PLAIN:
            operator, attributes = _PLAIN[type(node.op)]
            self.add(operator, self._sources(node), result, **attributes)
        else:
            _WRITERS[type(node.op)](self, node, self._sources(node), result)
        if (low, high) == (0.0, math.inf):
            self.add("Relu", [result], node.name, name=f"{node.name}.relu")
        elif bounded:
            bounds = [
                self.constant(f"{node.name}.{end}", np.float32(value))
                if math.isfinite(value)
                else ""
                for end, value in (("low", low), ("high", high))
            ]
            self.add("Clip", [result, *bounds], node.name, name=f"{node.name}.clip")

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Append an ONNX node and return its output, after which it is called by default."""
        attributes.setdefault("name", output.removesuffix(".sums"))
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """Store a constant and return its name."""
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, node: Node) -> tuple[NDArray[np.float32], str]:
        """Return the weights of a node, and its bias as a constant."""
        own = self.network.parameters[node.name]
        bias = self.constant(f"{node.name}.bias", own.bias.astype(np.float32))
        return own.weights.astype(np.float32), bias

    def model(self) -> onnx.ModelProto:
        """Return the finished model."""
        graph = self.network.graph
        ends = [
            helper.make_tensor_value_info(
                name, TensorProto.FLOAT, ["batch", *graph.tensor(name).shape]
            )
            for name in (INPUT, *graph.outputs)
        ]
        body = helper.make_graph(self.nodes, graph.name, ends[:1], ends[1:], self.constants)
        return helper.make_model(
            body,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="codesign",
        )

    def _rectifies(self, node: Node) -> bool:
        """Whether a node's ReLU changes anything: what is joined or averaged may be positive."""
        sources = [name == INPUT or self.network.graph.tensor(name).signed for name in node.inputs]
        return rectifies(node) and (node.op.has_bias or any(sources))

    def _sources(self, node: Node) -> list[str]:
        """Return what a node reads, in the shape that its ONNX operator wants."""
        shapes = [self.network.graph.tensor(name).shape for name in node.inputs]
        sources = list(node.inputs)
        if isinstance(node.op, Dense) and len(shapes[0]) > 1:
            sources[0] = self.add("Flatten", sources, f"{node.name}.flat", axis=1)
        elif isinstance(node.op, _MAP_READERS) and len(shapes[0]) == 1:
            sources[0] = self._viewed(node, sources[0], (*shapes[0], 1, 1))
        elif isinstance(node.op, Multiply) and len(shapes[1]) != len(shapes[0]):
            ones = (1,) * (len(shapes[0]) - 1)
            sources[1] = self._viewed(node, sources[1], (shapes[1][0], *ones))
        return sources

    def _viewed(self, node: Node, source: str, shape: Shape) -> str:
        target = self.constant(f"{node.name}.shape", np.array([0, *shape]))
        return self.add("Reshape", [source, target], f"{node.name}.viewed")


def _conv(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    assert isinstance(node.op, Conv2d)
    weights, bias = writer.weights(node)
    stored = writer.constant(f"{node.name}.weights", weights)
    window = _window(node.op.window)
    writer.add("Conv", [*sources, stored, bias], result, group=node.op.groups, **window)


def _conv_transpose(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    """Write the weights `[inputs, outputs / groups, ...]`, as ONNX has them."""
    op = node.op
    assert isinstance(op, ConvTranspose2d)
    weights, bias = writer.weights(node)
    grouped = weights.reshape(op.groups, op.outputs // op.groups, *weights.shape[1:])
    turned = grouped.swapaxes(1, 2).reshape(op.inputs, -1, *weights.shape[2:])
    stored = writer.constant(f"{node.name}.weights", turned)
    attributes = _window(op.window) | ({"output_padding": op.extra} if any(op.extra) else {})
    writer.add("ConvTranspose", [*sources, stored, bias], result, group=op.groups, **attributes)


def _dense(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    weights, bias = writer.weights(node)
    stored = writer.constant(f"{node.name}.weights", weights)
    writer.add("Gemm", [*sources, stored, bias], result, transB=1)


def _pool(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    op, (shape, *_) = node.op, (tensor.shape for tensor in writer.network.graph.inputs(node))
    assert isinstance(op, Pool2d)
    kind = {"max": "MaxPool", "average": "AveragePool"}[op.kind]
    if op.window.is_point and not any(op.window.padding):
        writer.add("Identity", sources, result)
    elif op.window.covers(shape):
        writer.add(f"Global{kind}", sources, result)
    else:
        counted = op.kind == "average" and op.counts_padding and any(op.window.padding)
        extra = {"count_include_pad": 1} if counted else {}
        writer.add(kind, sources, result, **_window(op.window), **extra)


def _slice(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    assert isinstance(node.op, Slice)
    ends = {"starts": node.op.start, "ends": node.op.stop, "axes": 1}
    names = [writer.constant(f"{node.name}.{k}", np.array([v])) for k, v in ends.items()]
    writer.add("Slice", [*sources, *names], result)


def _pad(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    assert isinstance(node.op, Pad2d)
    top, left, bottom, right = node.op.padding
    pads = writer.constant(f"{node.name}.pads", np.array([0, 0, top, left, 0, 0, bottom, right]))
    writer.add("Pad", [*sources, pads], result)


def _resize(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    assert isinstance(node.op, Resize2d)
    factors = np.array([1, 1, *node.op.factors], np.float32)
    scales = writer.constant(f"{node.name}.scales", factors)
    rule = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    writer.add("Resize", [*sources, "", scales], result, mode="nearest", **rule)


def _table(writer: _Writer, node: Node, sources: list[str], result: str) -> None:
    op, ones = node.op, (1,) * (len(node.output.shape) - 1)
    assert isinstance(op, Table)
    if op.function == "silu":
        writer.add("Mul", [*sources, writer.add("Sigmoid", sources, f"{result}.gate")], result)
    elif op.function == "sign":
        zero, low, high = (
            writer.constant(f"{node.name}.{name}", np.float32(value))
            for name, value in (("zero", 0), ("low", -1), ("high", 1))
        )
        below = writer.add("Less", [*sources, zero], f"{result}.below")
        writer.add("Where", [below, low, high], result)
    elif op.function == "leaky_relu" and len(op.parameters) > 1:
        slopes = np.array(op.parameters, np.float32).reshape(-1, *ones)
        writer.add("PRelu", [*sources, writer.constant(f"{node.name}.slopes", slopes)], result)
    else:
        operator, names = FUNCTIONS[op.function]
        writer.add(operator, sources, result, **dict(zip(names, op.parameters, strict=True)))


def _window(window: Window) -> dict[str, Any]:
    """Return the attributes of a window."""
    attributes: dict[str, Any] = {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": list(window.padding),
    }
    return attributes | ({"dilations": list(window.dilation)} if window.is_dilated else {})


_WRITERS: Mapping[type[Op], Callable[[_Writer, Node, list[str], str], None]] = MappingProxyType(
    {
        Conv2d: _conv,
        ConvTranspose2d: _conv_transpose,
        Dense: _dense,
        Pad2d: _pad,
        Pool2d: _pool,
        Resize2d: _resize,
        Slice: _slice,
        Table: _table,
    }
)
