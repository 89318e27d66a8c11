"""Functions that exporters write as several nodes, recognised by what they compute.

HardSwish may come as `x * Clip(x + 3, 0, 6) / 6`, GELU as `x * (Erf(x / sqrt(2)) + 1) / 2`, in any
order of factors. Nodes that make one tensor a function of another, number by number, are computed
on a range of numbers; if the answers are a function's that codesign knows, one node takes their
place.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from codesign.network.functions import FUNCTIONS
from codesign.network.onnx import model_file

DOMAIN = "codesign"
RECOGNISED = "Recognised"
"""The operator that takes their place; its attribute `function` says which one it is."""

_POINTWISE = frozenset(
    [
        *("Abs", "Add", "Clip", "Div", "Erf", "Exp", "Greater", "HardSigmoid", "Max", "Min", "Mul"),
        *("Neg", "Reciprocal", "Relu", "Sigmoid", "Softplus", "Sub", "Tanh", "Where"),
    ]
)
_LAST = ("Div", "Mul", "Where")
_SOUGHT = ("gelu", "hard_swish", "mish", "silu", "softplus", "softsign")
_FARTHEST = 8
"""Nodes on the longest way through a function."""

_FAR = np.geomspace(12, 700, 25)
_NUMBERS = np.concatenate([-_FAR[::-1], np.linspace(-12, 12, 961), _FAR])
"""Beyond them double precision knows no exponential."""
_TOLERANCE = 1e-5

_EVALUATION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def recognised(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """Return the nodes of a model in order, with known functions as one node each."""
    finder = _Finder(model)
    nodes = [finder.read(node) for node in model.graph.node]
    return _without_unread(model, nodes) if finder.found else nodes


class _Finder:
    """One walk through a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.found = False
        self.makers: dict[str, onnx.NodeProto] = {}
        self.numbers = {
            tensor.name: tensor for tensor in model.graph.initializer if math.prod(tensor.dims) == 1
        }
        self.opsets = list(model.opset_import)
        self.origins: dict[str, tuple[str, ...]] = {}
        """Of which tensors each one is a function, number by number; the nearest come first."""
        self.joined: set[str] = set()
        """What is made of one tensor in two ways."""

    def read(self, node: onnx.NodeProto) -> onnx.NodeProto:
        """Return the node, or what takes its place if a function ends with it."""
        if node.op_type == "Constant":
            self._read_constant(node)
        if node.op_type not in _POINTWISE or len(node.output) != 1 or node.domain:
            return node
        sources = [name for name in node.input if name and name not in self.numbers]
        if not sources:
            return node
        ways = [(name, *self.origins.get(name, ())) for name in sources]
        common = [name for name in ways[0] if all(name in way for way in ways[1:])]
        output = node.output[0]
        self.makers[output] = node
        self.origins[output] = tuple(common[:_FARTHEST])
        if (len(sources) > 1 and common) or not self.joined.isdisjoint(sources):
            self.joined.add(output)
        if node.op_type in _LAST and output in self.joined:
            return self._recognised(node)
        return node

    def _read_constant(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name == "value" and math.prod(attribute.t.dims) == 1 and node.output:
                self.numbers[node.output[0]] = attribute.t

    def _recognised(self, node: onnx.NodeProto) -> onnx.NodeProto:
        output = node.output[0]
        for source in self.origins[output]:
            function = self._function(source, output)
            if function is not None:
                self.found = True
                label = model_file.label(node)
                return helper.make_node(
                    RECOGNISED, [source], [output], label, domain=DOMAIN, function=function
                )
        return node

    def _function(self, source: str, output: str) -> str | None:
        """Return the name of the function that leads from one tensor to another."""
        answers = self._answers(source, output)
        if answers is None or answers.shape != _NUMBERS.shape:
            return None
        for name in _SOUGHT:
            expected = FUNCTIONS[name].compute(_NUMBERS)
            if np.allclose(answers, expected, rtol=_TOLERANCE, atol=_TOLERANCE):
                return name
        return None

    def _answers(self, source: str, output: str) -> NDArray[np.floating] | None:
        """Compute what the nodes between two tensors make of some numbers."""
        nodes: list[onnx.NodeProto] = []
        self._collect(source, output, nodes)
        try:
            constants = {
                name: model_file.array(self.numbers[name]).reshape(()).astype(np.float64)
                for node in nodes
                for name in node.input
                if name in self.numbers
            }
            feeds = constants | {source: _NUMBERS}
            function = helper.make_function(
                DOMAIN, "pattern", list(feeds), [output], nodes, self.opsets
            )
            with np.errstate(all="ignore"):
                (answers,) = ReferenceEvaluator(function).run(None, feeds, {})
        except _EVALUATION_ERRORS:  # whoever reads the nodes one by one will say what is wrong
            return None
        return np.asarray(answers)

    def _collect(self, source: str, output: str, nodes: list[onnx.NodeProto]) -> None:
        """Append the nodes between two tensors, in order."""
        if output == source or output in self.numbers or output not in self.makers:
            return
        node = self.makers[output]
        if any(node is other for other in nodes):
            return
        for name in node.input:
            self._collect(source, name, nodes)
        nodes.append(node)


def _without_unread(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Drop pointwise nodes that nothing reads any more."""
    uses = Counter(name for node in nodes for name in node.input)
    uses.update(value.name for value in model.graph.output)
    kept = []
    for node in reversed(nodes):
        if node.op_type in _POINTWISE and not any(uses[name] for name in node.output):
            uses.subtract(node.input)
        else:
            kept.append(node)
    return kept[::-1]
