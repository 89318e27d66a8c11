"""An integer network as an ONNX graph of quantise and dequantise steps (QDQ).

The inverse is `codesign.network.onnx.restore`.

Every node becomes one float operator between `DequantizeLinear` and `QuantizeLinear`. What it
reads is dequantised such that `QuantizeLinear` (half to even, saturating) sees exactly its sums
times `gain = multiplier / 2**shift`, in steps of its output's scale. Ranges that ONNX' integers do
not have are clipped before. A table is no arithmetic: it stays a look-up among integers. The
integers of node `a` are the tensor `a.q`.
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
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network
from codesign.network.onnx.export_forms import Form, View, form_of
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor

OPSET = 21
IR_VERSION = 10
OUTPUT = "output"
MAX_STORED_BITS = 16
MAX_MOVED_BITS = 8
"""Maxima and enlargements of wider integers are left to real numbers."""
MAX_BIAS_BITS = 32
MIN_SCALE = 2.0**-60
SCHEMA_KEY = "codesign.schema"
DIGEST_KEY = "codesign.digest"
NETWORK_KEY = "codesign.network"
FORM_KEY = "codesign.form"
LEARNING = ("Conv2d", "ConvTranspose2d", "Dense")

Reals = NDArray[np.float64]


def export(network: Network) -> onnx.ModelProto:
    """Return the network as a QDQ model whose batch is free.

    The model reads real images and answers reals. Its integers equal those of
    `Network.execute` where single precision is exact: every multiplier is a power of two, and
    no sum leaves 24 bits. Other multipliers may move what is (nearly) a tie by one step.

    Raises:
        InputError: a width that ONNX has no integers for.
    """
    return Writer(network).model()


def describe(network: Network, stored: Mapping[str, tuple[str, ...]]) -> str:
    """Return as JSON all of a network but the parameters that the ONNX graph stores."""
    described = serialize.to_json(network)
    for entry in described["nodes"]:
        entry["parameters"] |= dict.fromkeys(stored.get(entry["op"], ()))
    return json.dumps(described, sort_keys=True, separators=(",", ":"))


def output_name(graph: Graph, name: str) -> str:
    """Return what the model calls the answer of a node."""
    return OUTPUT if len(graph.outputs) == 1 else f"{OUTPUT}_{name}"


def _significands(network: Network) -> dict[str, float]:
    """Return by tensor the part of its scale that is kept out of the graph (1 <= part < 2).

    What counts are ratios of scales. With powers of two in the graph no scale is rounded to single
    precision, and neither is a weight's, which is a multiplier of few bits by a power of two. Only
    the model's input and outputs know their scales' significands.
    """
    return {name: 2 * math.frexp(scale)[0] for name, scale in network.scales.items()}


def _check(network: Network) -> None:
    """Refuse what ONNX cannot hold, by name."""
    graph = network.graph
    for name, scale in network.scales.items():
        if not MIN_SCALE <= scale <= 1 / MIN_SCALE:
            problem = f"'{name}' has the scale {scale}, which single precision cannot carry"
            raise InputError(graph.name, problem, "quantise the network again")
    stored = [node for node in graph if node.multiplier_bits or graph.readers(node.name)]
    for name, tensor in [(INPUT, graph.input), *((node.name, node.output) for node in stored)]:
        if tensor.bits > MAX_STORED_BITS:
            problem = f"'{name}' has {tensor.bits} bits, ONNX quantises to {MAX_STORED_BITS}"
            raise InputError(graph.name, problem, "requantise it to fewer bits")
    for node in graph:
        own = network.parameters[node.name]
        if node.op.has_bias and node.op.weight_bits > MAX_STORED_BITS:
            problem = f"'{node.name}' has weights of {node.op.weight_bits} bits"
            raise InputError(graph.name, problem, f"ONNX holds {MAX_STORED_BITS}")
        if own.bias is not None and int(np.abs(own.bias).max()) >= 1 << (MAX_BIAS_BITS - 1):
            problem = f"'{node.name}' has a bias of more than {MAX_BIAS_BITS} bits"
            raise InputError(graph.name, problem, "retrain it with a larger scale")


def stored_type(tensor: Tensor) -> str:
    """Return the integer type of ONNX that holds a tensor."""
    return f"{'int' if tensor.signed else 'uint'}{8 if tensor.bits <= 8 else 16}"


class Writer:
    """Collects ONNX nodes and constants for one network."""

    form = "qdq"
    stored: Mapping[str, tuple[str, ...]] = {
        **dict.fromkeys(LEARNING, ("weights", "bias")),
        "Table": ("weights",),
    }
    """By operator, the parameters whose integers are read from the graph itself."""
    domains: tuple[tuple[str, int], ...] = (("", OPSET),)

    def __init__(self, network: Network) -> None:
        _check(network)
        self.network = network
        self.significands = _significands(network)
        self.scales = {
            name: scale / self.significands[name] for name, scale in network.scales.items()
        }
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def model(self) -> onnx.ModelProto:
        """Return the whole network as a model."""
        graph = self.network.graph
        self._read_input()
        for node in graph:
            self._write(node)
        inputs = [self._declared(INPUT, graph.input)]
        outputs = [self._declared(output_name(graph, n), graph.tensor(n)) for n in graph.outputs]
        body = helper.make_graph(
            self.nodes, graph.name, inputs, outputs, list(self.constants.values())
        )
        model = helper.make_model(
            body,
            opset_imports=[helper.make_opsetid(*domain) for domain in self.domains],
            ir_version=IR_VERSION,
            producer_name="codesign",
        )
        properties = {
            SCHEMA_KEY: str(serialize.SCHEMA),
            DIGEST_KEY: serialize.digest(self.network),
            NETWORK_KEY: describe(self.network, self.stored),
            FORM_KEY: self.form,
        }
        helper.set_model_props(model, properties)
        return model

    # --- what a dialect of quantised ONNX decides

    def quantise(self, real: str, name: str, tensor: Tensor) -> str:
        """Write reals within a tensor's range as its integers `NAME.q`."""
        step = self.real(f"{name}.scale", self.scales[name])
        zero = self.zero(name, tensor)
        return self.add("QuantizeLinear", [real, step, zero], f"{name}.q")

    def dequantise(self, source: str, place: str, factor: Reals, view: View) -> str:
        """Write what a node reads, as reals of a factor of its own, `[]` or `[channels]`."""
        tensor = self.network.graph.tensor(source)
        scale, zero = self.real(f"{place}.scale", factor), self.zero(place, tensor, factor.shape)
        attributes = {"axis": 1} if factor.ndim else {}
        integers = self.viewed(f"{source}.q", place, view)
        return self.add("DequantizeLinear", [integers, scale, zero], place, attributes)

    def parameter(self, name: str, integers: Integers, bits: int, scale: Reals) -> str:
        """Write weights, stored as integers of at least `bits`, and their scale."""
        width = 8 if bits <= 8 else 16
        stored = self.constant(f"{name}.q", integers.astype(f"int{width}"))
        zero = self.zero(name, Tensor((1,), width, True), scale.shape)
        inputs = [stored, self.real(f"{name}.scale", scale), zero]
        return self.add("DequantizeLinear", inputs, name, {"axis": 0} if scale.ndim else {})

    def bias(self, name: str, integers: Integers, scale: Reals) -> str:
        """Write a bias, stored as integers, and its scale."""
        stored = self.constant(f"{name}.q", integers.astype(np.int32))
        inputs = [stored, self.real(f"{name}.scale", scale)]
        return self.add("DequantizeLinear", inputs, name, {"axis": 0} if scale.ndim else {})

    def look_up(self, node: Node, op: Table, weights: Integers) -> str:
        """Write a table: integers are places, and what lies there are integers."""
        places = self._places(node, op, self.add_cast(f"{node.inputs[0]}.q", f"{node.name}.place"))
        stored = weights.astype(stored_type(node.output)).reshape(-1)
        table = self.constant(f"{node.name}.weights.q", stored)
        return self.add("Gather", [table, places], f"{node.name}.q", name=node.name)

    def answer(self, node: Node) -> str:
        """Write the integers of a node as reals."""
        zero = self.zero(f"{node.name}.value", node.output)
        scale = self.real(f"{node.name}.value.scale", self.scales[node.name])
        return self.add("DequantizeLinear", [f"{node.name}.q", scale, zero], f"{node.name}.value")

    # --- what all dialects share

    def real(self, name: str, value: float | Reals) -> str:
        """Store a real constant."""
        return self.constant(name, np.asarray(value, np.float32))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Store a constant."""
        self.constants.setdefault(name, numpy_helper.from_array(value, name))
        return name

    def zero(self, place: str, tensor: Tensor, shape: tuple[int, ...] = ()) -> str:
        """Return the zero point that makes ONNX store a tensor in the right integer type.

        Each place has its own: ONNX Runtime's optimiser stumbles over shared ones.
        """
        return self.constant(f"{place}.zero", np.zeros(shape, stored_type(tensor)))

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        attributes: Mapping[str, Any] | None = None,
        name: str = "",
        domain: str = "",
    ) -> str:
        """Append a node; return its output."""
        own = dict(attributes or {})
        node = helper.make_node(operator, inputs, [output], name or output, domain=domain, **own)
        self.nodes.append(node)
        return output

    def add_cast(self, source: str, output: str) -> str:
        """Append a cast to the integers that places are counted in."""
        return self.add("Cast", [source], f"{output}.cast", {"to": TensorProto.INT32})

    def clipped(self, real: str, name: str, low: int, high: int) -> str:
        """Clip reals to some integers of a node."""
        scale = self.scales[name]
        bounds = [self.real(f"{name}.low", low * scale), self.real(f"{name}.high", high * scale)]
        return self.add("Clip", [real, *bounds], f"{name}.clipped")

    def viewed(self, tensor: str, place: str, shape: View) -> str:
        """Write a tensor in another shape; 0 keeps the batch."""
        if shape is None:
            return tensor
        wanted = self.constant(f"{place}.shape", np.array((0, *shape), np.int64))
        return self.add("Reshape", [tensor, wanted], f"{place}.view")

    def _places(self, node: Node, op: Table, integers: str) -> str:
        """Write the places in a table of all channels, one row after the other."""
        offsets = op.entries * np.arange(op.channels, dtype=np.int32) - op.domain[0]
        dimensions = len(node.output.shape)
        offset = offsets.reshape(-1, *(1,) * (dimensions - 1)) if op.channels > 1 else offsets[0]
        constant = self.constant(f"{node.name}.offset", np.asarray(offset, np.int32))
        return self.add("Add", [integers, constant], f"{node.name}.place")

    def _read_input(self) -> None:
        """Quantise the real images."""
        images, tensor = INPUT, self.network.graph.input
        significand = self.significands[INPUT]
        if significand != 1.0:
            divisor = self.real("input.significand", significand)
            images = self.add("Div", [images, divisor], "input.scaled")
        self.quantise(self._within(images, INPUT, tensor), INPUT, tensor)

    def _write(self, node: Node) -> None:
        """Write one node, from the integers it reads to those it makes."""
        own = self.network.parameters[node.name]
        if isinstance(node.op, Table):
            assert own.weights is not None
            self.look_up(node, node.op, own.weights)
        else:
            form = form_of(node, own, self.network.graph)
            if self._passes(node, form):
                (source,) = node.inputs
                integers = self.viewed(f"{source}.q", f"{node.name}.input0", form.views[0])
                self._applied(node, form, [integers], f"{node.name}.q")
                return self._answered(node)
            result = self._computed(node, form)
            if not (node.multiplier_bits or self.network.graph.readers(node.name)):
                # sums that nobody else reads are no stored integers
                return self._answer(node, result)
            if node.multiplier_bits:
                result = self._within(result, node.name, node.output)
            self.quantise(result, node.name, node.output)
        return self._answered(node)

    def _answered(self, node: Node) -> None:
        """Write the model's output, if the node's stored integers are one."""
        if node.name in self.network.graph.outputs:
            self._answer(node, self.answer(node))

    def _passes(self, node: Node, form: Form) -> bool:
        """Whether a node only moves integers, of a type that runtimes move."""
        moves = node.op.passes and not node.multiplier_bits and bool(form.operator)
        return moves and node.output.bits <= MAX_MOVED_BITS

    def _computed(self, node: Node, form: Form) -> str:
        """Write a node's operator on reals."""
        inputs = []
        for port, source in enumerate(node.inputs):
            factor = np.asarray(self._factor(node, form, port))
            place = f"{node.name}.input{port}"
            inputs.append(self.dequantise(source, place, factor, form.views[port]))
        if node.op.has_bias:
            inputs += self._learned(node, form)
        if not form.operator:
            return inputs[0]
        return self._applied(node, form, inputs, f"{node.name}.real")

    def _factor(self, node: Node, form: Form, port: int) -> Reals | float:
        """Return what one integer at a port is worth to the operator."""
        own = self.scales[node.inputs[port]]
        if node.op.has_bias or port == form.own_scale:
            return own  # the gain is in the weights, or in the other factor
        factor = form.factors[port] * self.scales[node.name]
        if form.own_scale is not None:
            factor = factor / self.scales[node.inputs[form.own_scale]]
        return factor

    def _applied(self, node: Node, form: Form, inputs: list[str], output: str) -> str:
        """Write a node's operator."""
        extras = [
            self.constant(f"{node.name}.{suffix}", extra) if extra.size else ""
            for suffix, extra in form.constants.items()
        ]
        return self.add(form.operator, [*inputs, *extras], output, form.attributes, node.name)

    def _learned(self, node: Node, form: Form) -> list[str]:
        """Write weights and biases."""
        own = self.network.parameters[node.name]
        assert own.weights is not None
        assert own.bias is not None
        gain = form.factors[0] * self.scales[node.name]
        name = f"{node.name}.weights"
        steps = gain / self.scales[node.inputs[0]]
        weights = self.parameter(name, own.weights, node.op.weight_bits, steps)
        for number, (operator, value) in enumerate(form.weight_views):
            output = f"{name}.view{number}"
            if operator == "Transpose":
                weights = self.add(operator, [weights], output, {"perm": value})
            else:
                shape = self.constant(f"{output}.shape", np.array(value, np.int64))
                weights = self.add(operator, [weights, shape], output)
        return [weights, self.bias(f"{node.name}.bias", own.bias, gain)]

    def _within(self, real: str, name: str, tensor: Tensor) -> str:
        """Clip to a range that ONNX' integers do not have of themselves."""
        held = np.iinfo(stored_type(tensor))
        if (tensor.low, tensor.high) == (held.min, held.max):
            return real
        return self.clipped(real, name, tensor.low, tensor.high)

    def _answer(self, node: Node, real: str) -> None:
        """Write one of the model's outputs."""
        name = output_name(self.network.graph, node.name)
        significand = self.significands[node.name]
        if significand != 1.0:
            factor = self.real(f"{name}.significand", significand)
            self.add("Mul", [real, factor], name)
        else:
            self.add("Identity", [real], name)

    def _declared(self, name: str, tensor: Tensor) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *tensor.shape])
