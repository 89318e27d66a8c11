"""Constants of an ONNX model, and what can be computed from them before any image is seen.

The reference evaluator of the onnx package computes; see decision 9.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from codesign.network.onnx import model_file

Constant = NDArray[Any]

MOST_ELEMENTS = 1 << 25
"""How many numbers may be computed in all: no small file fills the memory."""

FOLDED = frozenset(
    [
        *("Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Clip", "Concat", "Constant"),
        *("ConstantOfShape", "Div", "Equal", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather"),
        *("Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "MatMul", "Max"),
        *("Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Range", "Reciprocal", "ReduceL2"),
        *("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape"),
        *("Round", "Shape", "Sigmoid", "Size", "Slice", "Softplus", "Split", "Sqrt", "Squeeze"),
        *("Sub", "Sum", "Tanh", "Tile", "Transpose", "Unsqueeze", "Where"),
    ]
)
"""Operators computed at once if all their inputs are constant."""

_EVALUATION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
)

_GROWING = frozenset(["ConstantOfShape", "Expand", "Gather", "MatMul", "Range", "Tile"])

_MOVING = frozenset(["CastLike", "Concat", "Reshape", "Slice", "Split", "Squeeze", "Unsqueeze"])


class Constants:
    """The tensors of a model that do not depend on the images, by name."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._known: dict[str, Constant] = {}
        self._opsets = list(model.opset_import)
        self._elements = 0

    def __contains__(self, name: str) -> bool:
        """Whether a tensor is constant."""
        return name in self._stored or name in self._known

    def __getitem__(self, name: str) -> Constant:
        """Return a constant.

        Raises:
            ValueError: its data do not fit its type and shape.
        """
        if name not in self._known:
            self._known[name] = model_file.array(self._stored[name])
        return self._known[name]

    def put(self, name: str, value: Constant) -> None:
        """Note a constant."""
        self._known[name] = value

    def fold(self, node: onnx.NodeProto) -> None:
        """Compute a node whose inputs are all constant.

        Raises:
            ValueError: it cannot be computed, or takes too much memory.
        """
        names = list(dict.fromkeys(name for name in node.input if name))
        feeds = {name: self[name] for name in names}
        self._elements += _elements(node, [self[name] for name in node.input if name])
        if self._elements > MOST_ELEMENTS:
            raise ValueError(f"constants of more than {MOST_ELEMENTS} elements are computed")
        outputs = [name for name in node.output if name]
        try:
            function = helper.make_function(
                "codesign", "fold", names, outputs, [node], self._opsets
            )
            with np.errstate(all="ignore"):  # what is not finite is refused where it is used
                results = ReferenceEvaluator(function).run(None, feeds, {})
        except _EVALUATION_ERRORS as error:
            raise ValueError(f"cannot be computed ({model_file.first_line(error)})") from error
        assert isinstance(results, list)
        self._known.update(zip(outputs, map(np.asarray, results), strict=True))


def _elements(node: onnx.NodeProto, inputs: list[Constant]) -> int:
    """Bound the elements that a node computes.

    Raises:
        ValueError: its inputs do not fit each other.
    """
    if any(attribute.name == "sparse_value" for attribute in node.attribute):
        raise ValueError("a sparse constant is not read")
    if node.op_type == "ReduceMean" and not inputs[0].size:
        raise ValueError("a mean of nothing")
    if node.op_type in _GROWING:
        return _grown(node, inputs)
    moves = node.op_type in _MOVING or node.op_type.startswith("Reduce")
    if moves or len(inputs) < 2:
        return sum(value.size for value in inputs)
    return math.prod(np.broadcast_shapes(*(value.shape for value in inputs)))


def _grown(node: onnx.NodeProto, inputs: list[Constant]) -> int:
    """Count the elements that a node makes by repeating some."""
    first, last = inputs[0], inputs[-1]
    match node.op_type:
        case "ConstantOfShape" | "Expand" | "Tile":
            if last.dtype.kind not in "iu":
                raise ValueError("its last input has no integers")
            times = math.prod(max(1, int(extent)) for extent in last.reshape(-1)[:64])
            return times if node.op_type == "ConstantOfShape" else times * first.size
        case "Gather":
            axis = int(model_file.attributes(node).get("axis", 0))
            if not -first.ndim <= axis < first.ndim:
                raise ValueError(f"axis {axis} of a tensor of {first.ndim} dimensions")
            return int(last.size * (first.size // max(1, first.shape[axis])))
        case "Range":
            start, limit, step = (float(value.reshape(())) for value in inputs)
            trips = (limit - start) / step if step else math.nan
            if not math.isfinite(trips):
                raise ValueError(f"a range from {start} to {limit} by {step}")
            return math.ceil(max(0.0, trips))
        case _:
            return math.prod((*first.shape[:-1], *last.shape))
