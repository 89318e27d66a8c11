"""An integer network as an ONNX graph of quantise and dequantise steps (QDQ).

One of the `onnx*` modules of this package, the only ones that know onnx. The inverse is
`codesign.network.onnx_restore`.

Every node becomes one float operator between `DequantizeLinear` and `QuantizeLinear`. With
`gain = multiplier / 2**shift` and the scales of a node's input and output `s_x`, `s_y`:

- weights of `Conv` and `Gemm` are dequantised by `gain * s_y / s_x`, biases by `gain * s_y`;
- inputs of `Add` are dequantised by `weight * gain * s_y`, those of `MaxPool` by `gain * s_y`,
  those of `AveragePool` by `positions * gain * s_y` (ONNX divides by the positions).

So `QuantizeLinear` (half to even, saturating) sees exactly `sums * gain` steps. Widths between
those that ONNX can store are clipped before. The integers of node `a` are the tensor `a.q`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.errors import InputError
from codesign.network import serialize
from codesign.network.graph import INPUT, Node
from codesign.network.network import Network, Parameters
from codesign.network.op import Integers, Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor

OPSET = 21
IR_VERSION = 10
OUTPUT = "output"
MAX_STORED_BITS = 16
MAX_BIAS_BITS = 32
MIN_SCALE = 2.0**-60
SCHEMA_KEY = "codesign.schema"
DIGEST_KEY = "codesign.digest"
NETWORK_KEY = "codesign.network"
STORED = {"Conv2d": ("weights", "bias"), "Dense": ("weights", "bias")}

Reals = NDArray[np.float64]


def export(network: Network) -> onnx.ModelProto:
    """Return the network as a QDQ model whose batch is free.

    The model reads real images and answers reals. Its integers equal those of
    `Network.execute` where single precision is exact: every multiplier is a power of two, and
    no sum leaves 24 bits. Other multipliers may move what is (nearly) a tie by one step.

    Raises:
        InputError: a width that ONNX has no integers for.
    """
    _check(network)
    writer = _Writer(network)
    writer.read_input()
    for node in network.graph:
        writer.write(node)
    return writer.model()


def describe(network: Network) -> str:
    """Return as JSON all of a network but the weights and biases that the ONNX graph stores."""
    described = serialize.to_json(network)
    for entry in described["nodes"]:
        entry["parameters"] |= dict.fromkeys(STORED.get(entry["op"], ()))
    return json.dumps(described, sort_keys=True, separators=(",", ":"))


def _significands(network: Network) -> dict[str, float]:
    """Return by tensor the part of its scale that is kept out of the graph (1 <= part < 2).

    If every multiplier is a power of two, a graph whose scales are powers of two as well is
    exact in single precision, and computes the same integers: what counts are ratios. Then only
    the model's input and output know their scales' significands. Else nothing is kept out.
    """
    multipliers = [
        int(value)
        for own in network.parameters.values()
        if own.multiplier is not None
        for value in own.multiplier
    ]
    if any(value & (value - 1) for value in multipliers):
        return dict.fromkeys(network.scales, 1.0)
    return {name: 2 * math.frexp(scale)[0] for name, scale in network.scales.items()}


def _factors(op: Op, own: Parameters, scale: float) -> tuple[Reals, ...]:
    """Return per input port the factor from integer to real, times `s_x` for weighted layers.

    `scale` is that of the node's output. The factors are scalars for one multiplier and
    `[channels]` for one per channel.
    """
    gain = np.asarray(scale)
    if own.multiplier is not None:
        multiplier = own.multiplier.astype(np.float64) * 2.0**-own.shift
        gain = scale * (multiplier if len(multiplier) > 1 else multiplier[0])
    if isinstance(op, Add):
        assert own.weights is not None
        return gain * int(own.weights[0]), gain * int(own.weights[1])
    if isinstance(op, Pool2d) and op.kind == "average":
        return (gain * op.window.positions,)
    return (gain,)


def _check(network: Network) -> None:
    """Refuse what ONNX cannot hold, by name."""
    graph = network.graph
    for name, scale in network.scales.items():
        if not MIN_SCALE <= scale <= 1 / MIN_SCALE:
            problem = f"'{name}' has the scale {scale}, which single precision cannot carry"
            raise InputError(graph.name, problem, "quantise the network again")
    stored = [node for node in graph if node.multiplier_bits or node is not graph.nodes[-1]]
    for name, tensor in [(INPUT, graph.input), *((node.name, node.output) for node in stored)]:
        if tensor.bits > MAX_STORED_BITS:
            problem = f"'{name}' has {tensor.bits} bits, ONNX quantises to {MAX_STORED_BITS}"
            raise InputError(graph.name, problem, "requantise it to fewer bits")
    for node in graph:
        own = network.parameters[node.name]
        if node.op.weight_bits > MAX_STORED_BITS and not isinstance(node.op, Add):
            problem = f"'{node.name}' has weights of {node.op.weight_bits} bits"
            raise InputError(graph.name, problem, f"ONNX holds {MAX_STORED_BITS}")
        if own.bias is not None and int(np.abs(own.bias).max()) >= 1 << (MAX_BIAS_BITS - 1):
            problem = f"'{node.name}' has a bias of more than {MAX_BIAS_BITS} bits"
            raise InputError(graph.name, problem, "retrain it with a larger scale")


class _Writer:
    """Collects ONNX nodes and constants for one network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.significands = _significands(network)
        self.scales = {
            name: scale / self.significands[name] for name, scale in network.scales.items()
        }
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def read_input(self) -> None:
        """Quantise the real images."""
        images = INPUT
        significand = self.significands[INPUT]
        if significand != 1.0:
            divisor = self._real("input.significand", significand)
            images = self._add("Div", [images, divisor], "input.scaled")
        self._quantize(images, INPUT, self.network.graph.input)

    def write(self, node: Node) -> None:
        """Write one node, from the integers it reads to those it makes."""
        own, scale = self.network.parameters[node.name], self.scales[node.name]
        factors = _factors(node.op, own, scale)
        result = f"{node.name}.real"
        operator, attributes = _operator(node.op)
        if isinstance(node.op, Conv2d | Dense):
            assert own.weights is not None
            assert own.bias is not None
            source = self.scales[node.inputs[0]]
            stored_bits = 8 if node.op.bits <= 8 else 16
            inputs = [
                self._dequantize(node, 0, np.asarray(source)),
                self._parameter(
                    f"{node.name}.weights", own.weights, stored_bits, factors[0] / source
                ),
                self._parameter(f"{node.name}.bias", own.bias, MAX_BIAS_BITS, factors[0]),
            ]
        else:
            inputs = [self._dequantize(node, port, f) for port, f in enumerate(factors)]
        self._add(operator, inputs, result, attributes, name=node.name)
        if node is not self.network.graph.nodes[-1]:
            self._quantize(result, node.name, node.output, narrows=node.multiplier_bits > 0)
        else:
            self._answer(result, node)

    def model(self) -> onnx.ModelProto:
        """Return the finished model."""
        graph = self.network.graph
        batch: list[str | int] = ["batch"]
        inputs = helper.make_tensor_value_info(
            INPUT, TensorProto.FLOAT, batch + list(graph.input.shape)
        )
        outputs = helper.make_tensor_value_info(
            OUTPUT, TensorProto.FLOAT, batch + list(graph.output.shape)
        )
        body = helper.make_graph(
            self.nodes, graph.name, [inputs], [outputs], list(self.constants.values())
        )
        model = helper.make_model(
            body,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="codesign",
        )
        helper.set_model_props(
            model,
            {
                SCHEMA_KEY: str(serialize.SCHEMA),
                DIGEST_KEY: serialize.digest(self.network),
                NETWORK_KEY: describe(self.network),
            },
        )
        return model

    def _answer(self, real: str, node: Node) -> None:
        """Write the model's output: reals, of requantised integers if the node makes any."""
        if node.multiplier_bits:
            integers = self._quantize(real, node.name, node.output)
            scale = self._real(f"{node.name}.scale", self.scales[node.name])
            zero = self._zero(f"{node.name}.value", node.output)
            real = self._add("DequantizeLinear", [integers, scale, zero], f"{node.name}.value")
        significand = self.significands[node.name]
        if significand != 1.0:
            factor = self._real("output.significand", significand)
            self._add("Mul", [real, factor], OUTPUT)
        else:
            self.nodes[-1].output[0] = OUTPUT

    def _quantize(self, real: str, name: str, tensor: Tensor, narrows: bool = True) -> str:
        """Write `real` as the integers `NAME.q`, whose range it may leave if that `narrows`."""
        scale = self.scales[name]
        if narrows and tensor.bits not in (8, 16):
            low = self._real(f"{name}.low", tensor.low * scale)
            high = self._real(f"{name}.high", tensor.high * scale)
            real = self._add("Clip", [real, low, high], f"{name}.clipped")
        step = self._real(f"{name}.scale", scale)
        return self._add("QuantizeLinear", [real, step, self._zero(name, tensor)], f"{name}.q")

    def _dequantize(self, node: Node, port: int, factor: Reals) -> str:
        """Write what input `port` of a node reads, as reals of its own factor."""
        source = node.inputs[port]
        tensor, integers = self.network.graph.tensor(source), f"{source}.q"
        place = f"{node.name}.input{port}"
        if isinstance(node.op, Dense) and len(tensor.shape) > 1:
            integers = self._add("Flatten", [integers], f"{place}.flat", {"axis": 1})
        scale = self._real(f"{place}.scale", factor)
        inputs = [integers, scale, self._zero(place, tensor, factor.shape)]
        return self._add("DequantizeLinear", inputs, place, {"axis": 1} if factor.ndim else {})

    def _parameter(self, name: str, integers: Integers, bits: int, scale: Reals) -> str:
        """Write weights or a bias, stored as integers of `bits`, and their scale."""
        stored = self._constant(f"{name}.q", integers.astype(f"int{bits}"))
        inputs = [stored, self._real(f"{name}.scale", scale)]
        if bits < MAX_BIAS_BITS:
            inputs.append(self._zero(name, Tensor((1,), bits, True), scale.shape))
        return self._add("DequantizeLinear", inputs, name, {"axis": 0} if scale.ndim else {})

    def _zero(self, place: str, tensor: Tensor, shape: tuple[int, ...] = ()) -> str:
        """Return the zero point that makes ONNX store a tensor in the right integer type.

        Each place has its own: ONNX Runtime's optimiser stumbles over shared ones.
        """
        stored = f"{'int' if tensor.signed else 'uint'}{8 if tensor.bits <= 8 else 16}"
        return self._constant(f"{place}.zero", np.zeros(shape, stored))

    def _real(self, name: str, value: float | Reals) -> str:
        return self._constant(name, np.asarray(value, np.float32))

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def _add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        attributes: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> str:
        own = dict(attributes or {})
        self.nodes.append(helper.make_node(operator, inputs, [output], name or output, **own))
        return output


def _operator(op: Op) -> tuple[str, dict[str, Any]]:
    """Return the ONNX operator of an op and its attributes."""
    if isinstance(op, Conv2d | Pool2d):
        window = op.window
        attributes: dict[str, Any] = {
            "kernel_shape": list(window.kernel),
            "strides": list(window.stride),
            "pads": list(window.padding),
        }
        if isinstance(op, Conv2d):
            return "Conv", attributes
        if op.kind == "max":
            return "MaxPool", attributes
        return "AveragePool", attributes | {"count_include_pad": 1}
    if isinstance(op, Dense):
        return "Gemm", {"transB": 1}
    return "Add", {}
