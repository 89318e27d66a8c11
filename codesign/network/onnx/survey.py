"""Everything in a float ONNX model that codesign cannot import, not only the first of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import shape_inference

from codesign.errors import InputError
from codesign.network.network import FloatParameters
from codesign.network.onnx import model_file
from codesign.network.onnx.float_import import Widths, translate
from codesign.network.onnx.operators import apply, check_known
from codesign.network.onnx.reader import ANY_BITS, Reader
from codesign.network.onnx.values import MOST_PLACES, Layer, Value
from codesign.network.op import Shape
from codesign.network.ops.conv2d import Conv2d
from codesign.network.windows import Window

_WIDTHS = Widths(weight_bits=8, activation_bits=8, input_signed=False)


def survey(model: onnx.ModelProto, path: Path) -> list[InputError]:
    """Return what `translate` would refuse, node by node.

    What a refused node makes is taken for a layer's sums, in the shape that ONNX infers, so that
    the nodes after it are looked at as well. Where no shape is known only their names are.
    """
    try:
        translate(model, path, _WIDTHS, [])
    except InputError as error:
        try:
            found = _Survey(model, str(path)).problems()
        except InputError:  # of the whole model, or it has no image to start from
            return [error]
        return found or [error]
    return []


class _Survey:
    """One walk through a model."""

    def __init__(self, model: onnx.ModelProto, place: str) -> None:
        self.model = model
        self.place = place
        self.version = model_file.operator_set(model, place)
        nodes = list(model.graph.node)
        self.reader = Reader(model, nodes, place, input_signed=_WIDTHS.input_signed)
        self.shapes = _inferred(model)
        self.unknown: set[str] = set()

    def problems(self) -> list[InputError]:
        """Return what each node is refused for."""
        found = []
        for node in self.model.graph.node:
            try:
                check_known(node, self.place)
                model_file.check_node(node, self.version, self.place)
                if not self.unknown.isdisjoint(node.input):
                    self.unknown.update(node.output)
                    continue
                apply(self.reader, node)
            except InputError as error:
                found.append(error)
                self._pretend(node)
        return found

    def _pretend(self, node: onnx.NodeProto) -> None:
        """Go on as if a refused node were a layer, where anything is known of its output."""
        computed = any(name in self.reader.values for name in node.input)
        for output in node.output:
            shape = self.shapes.get(output)
            if shape is None or not computed:
                self.unknown.add(output)
                continue
            channels = shape[1]
            op = Conv2d(channels, channels, Window((1, 1)), ANY_BITS, channels)
            own = FloatParameters(np.zeros((channels, 1, 1, 1)), np.zeros(channels))
            name = f"refused {output}"
            label = model_file.label(node)
            self.reader.layers[name] = Layer(name, label, op, (), shape[1:], own)
            alone = self.reader.uses[output] == 1
            self.reader.values[output] = Value(name, shape, alone)


def _inferred(model: onnx.ModelProto) -> dict[str, Shape]:
    """Return the known shapes of tensors that a layer could make, for a batch of one."""
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return {}
    shapes = {}
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        extents = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        mapped = len(extents) > 1 and extents[0] in (0, 1) and min(extents[1:]) > 0
        if mapped and math.prod(extents[1:]) <= MOST_PLACES:
            shapes[value.name] = (1, *extents[1:])
    return shapes
