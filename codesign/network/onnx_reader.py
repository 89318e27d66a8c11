"""Following the tensors of a float ONNX graph from node to node.

One of the `onnx*` modules of this package, the only ones that know onnx. A `Reader` knows what
every tensor holds; a `Step` is one ONNX node being read, as its operator's function sees it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnx.reference import ReferenceEvaluator

from codesign.errors import InputError, UnsupportedOperator
from codesign.network import onnx_file
from codesign.network.network import FloatParameters
from codesign.network.op import Op, Shape

Reals = NDArray[np.float64]

_EVALUATION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Value:
    """What an ONNX tensor holds: a layer's output, in the shape `N x ...` that ONNX gives it.

    `alone` says that nothing else reads that output on the way to here, so that what follows
    may become part of the layer. `left_to_host`: an operator that no layer computes came after.
    """

    layer: str
    shape: Shape
    alone: bool
    left_to_host: bool = False
    quantised: bool = False
    """Whether the layer has been said to end here."""


@dataclass(slots=True)
class Layer:
    """A node of the network to be, while later ONNX nodes may still join it."""

    name: str
    origin: str
    op: Op
    sources: tuple[Value, ...]
    shape: Shape
    parameters: FloatParameters | None = None
    rectified: bool = False


class Reader:
    """What is known of a graph so far: constants, values, and the layers behind them."""

    def __init__(
        self, model: onnx.ModelProto, place: str, images: tuple[str, Value], input_signed: bool
    ) -> None:
        self.place = place
        self.input_signed = input_signed
        self.image_shape = images[1].shape[1:]
        self.values = dict([images])
        self.layers: dict[str, Layer] = {}
        self.notes: list[str] = []
        self.uses = Counter(name for node in model.graph.node for name in node.input)
        self.uses.update(value.name for value in model.graph.output)
        self.opsets = list(model.opset_import)
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self.computed: dict[str, NDArray[Any]] = {}

    def is_constant(self, name: str) -> bool:
        """Whether a tensor does not depend on the images."""
        return name in self.stored or name in self.computed

    def constant(self, name: str) -> NDArray[Any]:
        """Return a constant tensor."""
        if name not in self.computed:
            self.computed[name] = onnx_file.array(self.stored[name])
        return self.computed[name]

    def own_shape(self, value: Value) -> Shape:
        """Return `N x` the shape in which the value's layer makes it."""
        layer = self.layers.get(value.layer)
        return (value.shape[0], *(layer.shape if layer else self.image_shape))


class Step:
    """One ONNX node."""

    def __init__(self, reader: Reader, node: onnx.NodeProto) -> None:
        self.reader = reader
        self.node = node
        self.label = onnx_file.label(node)
        self.attributes = onnx_file.attributes(node)

    def refuse(self, form: str, remedy: str) -> NoReturn:
        """Raise the error for a form of the operator that codesign lacks."""
        operator = f"{self.node.op_type} {form}"
        raise UnsupportedOperator(self.reader.place, self.label, operator, remedy)

    def has(self, index: int) -> bool:
        """Whether the node has an input of this number."""
        return index < len(self.node.input) and bool(self.node.input[index])

    def is_constant(self, index: int) -> bool:
        """Whether an input does not depend on the images."""
        return self.reader.is_constant(self.node.input[index])

    def constant(self, index: int) -> NDArray[Any]:
        """Return a constant input."""
        if not self.is_constant(index):
            self.refuse(f"whose input {index} is computed", "it has to be a constant")
        return self.reader.constant(self.node.input[index])

    def reals(self, index: int) -> Reals:
        """Return a constant input of finite real numbers."""
        stored = self.constant(index)
        if np.iscomplexobj(stored):
            raise ValueError(f"constant '{self.node.input[index]}' is complex")
        with np.errstate(invalid="ignore"):  # what is no number is refused below
            values = stored.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"constant '{self.node.input[index]}' has values that are not finite")
        return values

    def integers(self, index: int) -> list[int]:
        """Return a constant input of integers: a shape, or axes."""
        stored = self.constant(index)
        if stored.dtype.kind not in "iu":
            raise ValueError(f"constant '{self.node.input[index]}' has no integers")
        return [int(value) for value in stored.reshape(-1)]

    def value(self, index: int) -> Value:
        """Return an input that depends on the images."""
        name = self.node.input[index]
        if self.reader.is_constant(name):
            self.refuse(f"whose input {index} is a constant", "it has to be computed")
        if name not in self.reader.values:
            raise InputError(self.reader.place, f"node '{self.label}': nothing makes '{name}'")
        value = self.reader.values[name]
        if value.left_to_host:
            remedy = "only what ends the model can be left to the host"
            self.refuse("after an operator that only ends a model", remedy)
        return value

    def maps(self, index: int) -> Value:
        """Return an input `N x C x H x W` as a layer makes it."""
        value = self.value(index)
        if len(value.shape) != 4 or value.shape != self.reader.own_shape(value):
            self.refuse(f"of a tensor of shape {value.shape}", "it reads maps, N x C x H x W")
        return value

    def layer(self, value: Value, what: str) -> Layer:
        """Return the layer with weights that this node can become a part of."""
        layer = self.reader.layers.get(value.layer)
        fits = layer is not None and layer.parameters is not None and not layer.rectified
        if layer is None or not fits or not value.alone:
            remedy = "it is fused into a convolution or dense layer that nothing else reads"
            self.refuse(f"({what}) of another tensor than a layer's sums", remedy)
        if value.shape != self.reader.own_shape(value):
            self.refuse(f"({what}) of a reshaped tensor", "it has to come before the reshaping")
        return layer

    def append(
        self, kind: str, op: Op, sources: tuple[Value, ...], own: FloatParameters | None = None
    ) -> Value:
        """Add a layer and return its output."""
        layers = self.reader.layers
        name = f"{kind}{sum(other.rstrip('0123456789') == kind for other in layers)}"
        shape = op.output_shape([self.reader.own_shape(source)[1:] for source in sources])
        layers[name] = Layer(name, self.label, op, sources, shape, own)
        return Value(name, (sources[0].shape[0], *shape), self._read_once())

    def same(self, value: Value, shape: Shape | None = None) -> Value:
        """Return the output of a node that changes no number."""
        return replace(value, shape=shape or value.shape, alone=value.alone and self._read_once())

    def fold(self) -> NDArray[Any]:
        """Compute a node whose inputs are all constant."""
        names = [name for name in self.node.input if name]
        function = helper.make_function(
            "codesign", "fold", names, self.node.output[:1], [self.node], self.reader.opsets
        )
        feeds = {name: self.reader.constant(name) for name in names}
        try:
            outputs = ReferenceEvaluator(function).run(None, feeds, {})
        except _EVALUATION_ERRORS as error:
            raise ValueError(f"cannot be computed ({onnx_file.first_line(error)})") from error
        assert isinstance(outputs, list)
        return np.asarray(outputs[0])

    def _read_once(self) -> bool:
        return self.reader.uses[self.node.output[0]] == 1
