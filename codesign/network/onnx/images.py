"""The images that an ONNX model reads."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import onnx

from codesign.errors import InputError
from codesign.network.graph import INPUT
from codesign.network.onnx import model_file
from codesign.network.onnx.values import Value, channels_last
from codesign.network.op import Shape

MOST_ELEMENTS = 1 << 27
"""Numbers of the largest tensor: 64 channels of 1920 x 1080 pixels."""

_TO_CHANNELS_FIRST = ([0, 3, 1, 2], [0, 2, 1])
_KEEPING_ORDER = frozenset(
    ["Add", "Cast", "Clip", "Div", "Dropout", "Identity", "Mul", "Quantised", "Relu", "Sub"]
)


@dataclass(frozen=True, slots=True)
class Images:
    """The model's one input: its name, what it holds, and the shape that the network gives it."""

    name: str
    value: Value
    shape: Shape


def images(model: onnx.ModelProto, place: str) -> Images:
    """Return the model's one input, with a free batch fixed to 1.

    Images that are turned to channels first after they were read are taken as `C x H x W`.

    Raises:
        InputError: there is not one, or its size is not known.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) > 1:
        uses = Counter(name for node in model.graph.node for name in node.input)
        inputs = [value for value in inputs if uses[value.name]] or inputs
    if len(inputs) != 1:
        names = [value.name for value in inputs]
        raise InputError(place, f"has {len(inputs)} inputs {names}", "codesign maps one image")
    extents = _extents(inputs[0], place)
    name, inner = inputs[0].name, extents[1:]
    if len(inner) == 1:
        return Images(name, Value(INPUT, extents, alone=True), inner)
    if not _turned(model, name):
        shape = inner if len(inner) == 3 else (inner[0], 1, inner[1])
        return Images(name, Value(INPUT, extents, alone=True), shape)
    shape = (inner[-1], inner[0] if len(inner) == 3 else 1, inner[-2])
    try:
        places = channels_last(shape)
    except ValueError as error:
        raise InputError(place, f"input '{name}': {error}") from error
    flat = None if places is None else places.reshape(inner)
    return Images(name, Value(INPUT, extents, alone=True, places=flat), shape)


def _extents(value: onnx.ValueInfoProto, place: str) -> Shape:
    """Return the shape of the input, batch first."""
    kind = value.type.tensor_type
    if len(kind.shape.dim) not in (2, 3, 4):
        problem = f"input '{value.name}' has {len(kind.shape.dim)} dimensions"
        remedy = "images are N x C x H x W, N x C x L or N x features"
        raise InputError(place, problem, remedy)
    extents = []
    for axis, dimension in enumerate(kind.shape.dim):
        extent = dimension.dim_value
        if extent < 1 and axis:
            said = f" ('{dimension.dim_param}')" if dimension.dim_param else ""
            problem = f"input '{value.name}': dimension {axis}{said} is dynamic"
            raise InputError(place, problem, "export the model with a fixed image size")
        extents.append(max(1, extent))
    if math.prod(extents[1:]) > MOST_ELEMENTS:
        problem = f"input '{value.name}' has {math.prod(extents[1:])} numbers"
        raise InputError(place, problem, f"{MOST_ELEMENTS} are the most")
    return tuple(extents)


def _turned(model: onnx.ModelProto, name: str) -> bool:
    """Whether what the model reads is brought to channels first."""
    same = {name}
    for node in model.graph.node:
        if same.isdisjoint(node.input):
            continue
        if node.op_type == "Transpose":
            try:
                axes = model_file.attributes(node).get("perm")
            except ValueError:  # reading the node itself will say so
                continue
            if axes in _TO_CHANNELS_FIRST:
                return True
        elif node.op_type in _KEEPING_ORDER:
            same.update(node.output)
    return False
