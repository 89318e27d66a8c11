"""Following the tensors of a float ONNX graph from node to node.

A `Reader` knows what every tensor holds; a `Step` is one ONNX node being read, as its operator's
function sees it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.graph import INPUT
from codesign.network.network import FloatParameters
from codesign.network.onnx import model_file
from codesign.network.onnx.constants import Constants
from codesign.network.onnx.images import MOST_ELEMENTS, images
from codesign.network.onnx.values import Layer, Value
from codesign.network.op import Op, Reals, Shape
from codesign.network.ops.pad2d import Pad2d
from codesign.network.tensor import map_shape

ANY_BITS = 8
"""Width of the weights while only real numbers are known; the graph gets the wanted one."""

_LOOKING = ("Shape", "Size")
"""Operators that do not read the numbers of a tensor."""


class Reader:
    """What is known of a graph so far: constants, values, and the layers behind them."""

    def __init__(
        self,
        model: onnx.ModelProto,
        nodes: Sequence[onnx.NodeProto],
        place: str,
        *,
        input_signed: bool,
    ) -> None:
        found = images(model, place)
        self.nodes = nodes
        self.place = place
        self.input_signed = input_signed
        self.image_shape = found.shape
        self.values = {found.name: found.value}
        self.layers: dict[str, Layer] = {}
        self.notes: list[str] = []
        self.constants = Constants(model)
        readers = [node for node in nodes if node.op_type not in _LOOKING]
        self.uses = Counter(name for node in readers for name in node.input)
        self.uses.update(value.name for value in model.graph.output)
        if found.value.places is not None:
            self.notes.append(
                f"the model reads '{found.name}' with channels last; the network takes channels "
                f"first, {' x '.join(map(str, found.shape))}"
            )

    def own(self, value: Value) -> Shape:
        """Return the shape in which the value's layer makes it, without the batch."""
        layer = self.layers.get(value.layer)
        return layer.shape if layer else self.image_shape

    def is_signed(self, value: Value) -> bool:
        """Whether a tensor may have negative values."""
        layer = self.layers.get(value.layer)
        return layer.signed if layer else self.input_signed

    def takes(self, shape: Shape) -> bool:
        """Take the images in another shape, element after element, while no layer reads them."""
        fixed = any(source.layer == INPUT for x in self.layers.values() for source in x.sources)
        if not fixed:
            self.image_shape = shape
            self.notes.append(f"the network takes images of {' x '.join(map(str, shape))}")
        return not fixed


class Step:
    """One ONNX node."""

    def __init__(self, reader: Reader, node: onnx.NodeProto) -> None:
        self.reader = reader
        self.node = node
        self.label = model_file.label(node)
        self.attributes = model_file.attributes(node)

    def refuse(self, form: str, remedy: str) -> NoReturn:
        """Raise the error for a form of the operator that codesign lacks."""
        operator = f"{self.node.op_type} {form}"
        raise UnsupportedOperator(self.reader.place, self.label, operator, remedy)

    def has(self, index: int) -> bool:
        """Whether the node has an input of this number."""
        return index < len(self.node.input) and bool(self.node.input[index])

    def is_constant(self, index: int) -> bool:
        """Whether an input does not depend on the images."""
        return self._input(index) in self.reader.constants

    def constant(self, index: int) -> NDArray[Any]:
        """Return a constant input."""
        if not self.is_constant(index):
            self.refuse(f"whose input {index} is computed", "it has to be a constant")
        return self.reader.constants[self._input(index)]

    def reals(self, index: int) -> Reals:
        """Return a constant input of finite real numbers."""
        stored = self.constant(index)
        if stored.dtype.kind in "cOSU":
            raise ValueError(f"constant '{self.node.input[index]}' has no real numbers")
        with np.errstate(invalid="ignore"):  # what is no number is refused below
            values = stored.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError(f"constant '{self.node.input[index]}' has values that are not finite")
        return values

    def integers(self, index: int) -> list[int]:
        """Return a constant input of integers: a shape, or axes."""
        stored = self.constant(index)
        if stored.dtype.kind not in "iu" or stored.ndim > 1:
            raise ValueError(f"constant '{self.node.input[index]}' has no integers")
        return [int(value) for value in stored.reshape(-1)]

    def value(self, index: int) -> Value:
        """Return an input that depends on the images; one that was padded gets a layer for it."""
        value = self.unpadded(index)
        if value.padding is None:
            return value
        if value.padding.lowest:
            remedy = "only a maximum pooling can take that in, less than its window"
            self.refuse("of a tensor padded with less than zeros", remedy)
        padded = replace(self.padded(value, value.padding.sides), alone=value.alone)
        self.reader.values[self._input(index)] = padded
        return padded

    def unpadded(self, index: int) -> Value:
        """Return an input that depends on the images; its padding may be left to do."""
        name = self._input(index)
        if name in self.reader.constants:
            self.refuse(f"whose input {index} is a constant", "it has to be computed")
        if name not in self.reader.values:
            raise InputError(self.reader.place, f"node '{self.label}': nothing makes '{name}'")
        value = self.reader.values[name]
        if value.left_to_host:
            remedy = "only what ends the model can be left to the host"
            self.refuse("after an operator that only ends a model", remedy)
        return value

    def maps(self, value: Value) -> Value:
        """Return a value that is `N x C x H x W` or `N x C x L`, in the order of its layer."""
        inner = value.shape[1:]
        remedy = "it reads maps, N x C x H x W"
        if len(inner) not in (2, 3):
            self.refuse(f"of a tensor of shape {value.shape}", remedy)
        if value.places is not None:
            self.refuse("of a tensor whose elements were reordered", remedy)
        wanted = (inner[0], 1, inner[1]) if len(inner) == 2 else inner
        differs = value.padding is None and map_shape(self.reader.own(value)) != wanted
        if differs and not (value.layer == INPUT and self.reader.takes(wanted)):
            self.refuse(f"of a tensor of shape {value.shape}", remedy)
        return value

    def padded(self, value: Value, sides: tuple[int, int, int, int]) -> Value:
        """Put zeros around maps by a layer of their own."""
        source = replace(value, padding=None)
        return self.append("pad", Pad2d(sides), (source,), like=value)

    def fusable(self, value: Value) -> Layer | None:
        """Return the layer with weights that what follows a value can become a part of."""
        layer = self.reader.layers.get(value.layer)
        fits = layer is not None and layer.parameters is not None and value.alone
        return layer if fits else None

    def append(
        self,
        kind: str,
        op: Op,
        sources: tuple[Value, ...],
        parameters: FloatParameters | None = None,
        *,
        like: Value | None = None,
    ) -> Value:
        """Add a layer and return its output, in the shape and order of another value if told.

        Its output is taken to be signed if one of its sources is.
        """
        reader = self.reader
        name = f"{kind} {len(reader.layers)}"
        shape = op.output_shape([reader.own(source) for source in sources])
        if math.prod(shape) > MOST_ELEMENTS:
            raise ValueError(f"it makes {math.prod(shape)} numbers; {MOST_ELEMENTS} are the most")
        signed = op.has_bias or any(reader.is_signed(source) for source in sources)
        reader.layers[name] = Layer(name, self.label, op, sources, shape, parameters, signed)
        if like is not None:
            kept = replace(like, padding=None, quantised=False)
            return replace(kept, layer=name, alone=self.read_once())
        first = sources[0].shape
        seen = (shape[0], shape[2]) if len(first) == 3 and len(shape) == 3 else shape
        return Value(name, (first[0], *seen), self.read_once())

    def same(self, value: Value) -> Value:
        """Return the output of a node that changes no number."""
        return replace(value, alone=value.alone and self.read_once())

    def read_once(self, output: int = 0) -> bool:
        """Whether one other node reads an output."""
        return self.reader.uses[self.node.output[output]] == 1

    def _input(self, index: int) -> str:
        if not self.has(index):
            raise ValueError(f"its input {index} is missing")
        name: str = self.node.input[index]
        return name
