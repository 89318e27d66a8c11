"""Operators on integers (`QLinearConv` and its kind) as dequantise, operator, quantise.

What is written here is the definition of each operator, so nothing is lost; a bias of 32 bits
stands at the scale of the sums.

Source: ONNX operator specifications; ONNX Runtime's contributed operators (com.microsoft).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.onnx import model_file
from codesign.network.onnx.quantised_types import DAMAGE

MICROSOFT = "com.microsoft"

_PER_LAYER = "quantise it statically, with scales for every activation"
REMEDIES = {
    "ConvInteger": _PER_LAYER,
    "MatMulInteger": _PER_LAYER,
    "MatMulIntegerToFloat": _PER_LAYER,
    "DynamicQuantizeLinear": _PER_LAYER,
    "DynamicQuantizeMatMul": _PER_LAYER,
    "MatMulNBits": "quantise the activations as well, or import the float model",
    "QLinearWhere": "import the float model: codesign quantises it itself",
}
"""Operators of quantised models that no integer network follows from, and what to do."""


def rewrite(model: onnx.ModelProto, place: str) -> onnx.ModelProto:
    """Return the model with every operator on integers written in real numbers.

    Raises:
        InputError: a node lacks inputs, or its scales are no constants.
        UnsupportedOperator: dynamic quantisation, or a form that has no real counterpart.
    """
    rewriter = _Rewriter(model, place)
    for node in model.graph.node:
        rewriter.read(node)
    return rewriter.model()


class _Rewriter:
    """The nodes and constants of the model to be."""

    def __init__(self, model: onnx.ModelProto, place: str) -> None:
        self.source = model
        self.place = place
        self.nodes: list[onnx.NodeProto] = []
        self.added: list[onnx.TensorProto] = []
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def read(self, node: onnx.NodeProto) -> None:
        """Add a node, or what stands for it."""
        if node.op_type in REMEDIES:
            remedy = REMEDIES[node.op_type]
            raise UnsupportedOperator(self.place, model_file.label(node), node.op_type, remedy)
        if node.op_type in REWRITES:
            try:
                REWRITES[node.op_type](_Operator(self, node))
            except DAMAGE as error:
                label = model_file.label(node)
                problem = f"node '{label}' ({node.op_type}): {error}"
                raise InputError(self.place, problem, "export the model again") from error
            return
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        if node.domain == MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            kept.domain = ""
        self.nodes.append(kept)

    def model(self) -> onnx.ModelProto:
        """Return the finished model."""
        result = onnx.ModelProto()
        result.CopyFrom(self.source)
        del result.graph.node[:]
        result.graph.node.extend(self.nodes)
        result.graph.initializer.extend(self.added)
        return result


class _Operator:
    """One operator on integers."""

    def __init__(self, rewriter: _Rewriter, node: onnx.NodeProto) -> None:
        self.rewriter = rewriter
        self.node = node
        self.label = model_file.label(node)
        self.attributes = model_file.attributes(node)

    def refuse(self, form: str, remedy: str) -> NoReturn:
        """Raise the error for a form of the operator that codesign lacks."""
        operator = f"{self.node.op_type} {form}"
        raise UnsupportedOperator(self.rewriter.place, self.label, operator, remedy)

    def name(self, index: int) -> str:
        """Return the name of an input, "" for one that is left out."""
        return self.node.input[index] if index < len(self.node.input) else ""

    def constant(self, index: int) -> NDArray[Any]:
        """Return a constant input."""
        name = self.node.input[index]
        if name not in self.rewriter.constants:
            self.refuse(f"whose input {index} ('{name}') is computed", "it has to be a constant")
        return model_file.array(self.rewriter.constants[name])

    def single(self, index: int) -> NDArray[np.float32]:
        """Return a constant scale."""
        return np.asarray(self.constant(index), np.float32)

    def real(self, first: int, axis: int | None = None) -> str:
        """Return the reals of the integers, scale and zero point of three inputs."""
        names = [self.node.input[first], self.node.input[first + 1], self.name(first + 2)]
        place = f"{self.node.output[0]}.input{first}"
        return self._dequantised(names, place, axis)

    def bias(self, index: int, scale: NDArray[np.float32]) -> str:
        """Return the reals of a bias that stands at `scale`, or "" for none."""
        if not self.name(index):
            return ""
        place = f"{self.node.output[0]}.bias"
        stored = numpy_helper.from_array(np.asarray(scale), f"{place}.scale")
        self.rewriter.added.append(stored)
        return self._dequantised([self.name(index), stored.name, ""], place, 0)

    def finish(self, operator: str, inputs: Sequence[str], attributes: Mapping[str, Any]) -> str:
        """Add the operator on reals and return what it makes."""
        real = f"{self.node.output[0]}.real"
        made = helper.make_node(operator, list(inputs), [real], self.label, **attributes)
        self.rewriter.nodes.append(made)
        return real

    def quantise(self, real: str, first: int) -> None:
        """Make the node's own output of a real tensor, with scale and zero point of two inputs."""
        names = [real, self.node.input[first], self.name(first + 1)]
        self._add("QuantizeLinear", names, self.node.output[0])

    def _dequantised(self, names: list[str], place: str, axis: int | None) -> str:
        self._add("DequantizeLinear", names, place, {} if axis is None else {"axis": axis})
        return place

    def _add(
        self,
        operator: str,
        inputs: list[str],
        output: str,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        while not inputs[-1]:
            inputs.pop()
        made = helper.make_node(operator, inputs, [output], output, **(attributes or {}))
        self.rewriter.nodes.append(made)


def _conv(step: _Operator) -> None:
    inputs = [step.real(0), step.real(3, axis=0)]
    bias = step.bias(8, step.single(1) * step.single(4))
    step.quantise(step.finish("Conv", [*inputs, *filter(None, [bias])], step.attributes), 6)


def _matmul(step: _Operator) -> None:
    columns = step.constant(3).ndim - 1
    inputs = [step.real(0), step.real(3, axis=columns)]
    step.quantise(step.finish("MatMul", inputs, {}), 6)


def _gemm(step: _Operator) -> None:
    if step.attributes.get("alpha", 1.0) != 1.0:
        step.refuse(f"with alpha {step.attributes['alpha']}", "take the factor into the weights")
    columns = 0 if step.attributes.get("transB", 0) else 1
    inputs = [step.real(0), step.real(3, axis=columns)]
    bias = step.bias(6, step.single(1) * step.single(4))
    kept = {key: value for key, value in step.attributes.items() if key.startswith("trans")}
    real = step.finish("Gemm", [*inputs, *filter(None, [bias])], kept)
    if step.name(7):
        step.quantise(real, 7)
    else:
        _renamed(step, real)


def _renamed(step: _Operator, real: str) -> None:
    """Give a real tensor the name of the node's output."""
    step.rewriter.nodes.append(helper.make_node("Identity", [real], [step.node.output[0]]))


def _pair(operator: str) -> Callable[[_Operator], None]:
    def rewritten(step: _Operator) -> None:
        step.quantise(step.finish(operator, [step.real(0), step.real(3)], {}), 6)

    return rewritten


def _concat(step: _Operator) -> None:
    inputs = [step.real(first) for first in range(2, len(step.node.input), 3)]
    step.quantise(step.finish("Concat", inputs, step.attributes), 0)


def _single(operator: str) -> Callable[[_Operator], None]:
    def rewritten(step: _Operator) -> None:
        attributes = dict(step.attributes)
        if attributes.pop("channels_last", 0):
            step.refuse("with channels_last", "export the model with maps of N x C x H x W")
        attributes.pop("opset", None)
        step.quantise(step.finish(operator, [step.real(0)], attributes), 3)

    return rewritten


REWRITES: Mapping[str, Callable[[_Operator], None]] = {
    "QGemm": _gemm,
    "QLinearAdd": _pair("Add"),
    "QLinearAveragePool": _single("AveragePool"),
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _single("GlobalAveragePool"),
    "QLinearLeakyRelu": _single("LeakyRelu"),
    "QLinearMatMul": _matmul,
    "QLinearMul": _pair("Mul"),
    "QLinearReduceMean": _single("ReduceMean"),
    "QLinearSigmoid": _single("Sigmoid"),
    "QLinearSoftmax": _single("Softmax"),
}
"""How each operator on integers is written in real numbers."""
