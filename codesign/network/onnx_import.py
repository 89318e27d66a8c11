"""A trained float ONNX model as a `FloatNetwork`.

One of the `onnx*` modules of this package, the only ones that know onnx. A first pass here
reads node by node (`codesign.network.onnx_operators`) and collects layers
(`codesign.network.onnx_reader`), a second one turns those that the output needs into a graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from codesign.errors import InputError, UnsupportedOperator
from codesign.network import onnx_file
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork
from codesign.network.onnx_operators import KNOWN, QUANTISED, REMEDIES, apply
from codesign.network.onnx_reader import Layer, Reader, Value
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import MAX_BITS, Tensor

INPUT_BITS = 8
STANDARD_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class Widths:
    """What the integers of a float model are to be."""

    weight_bits: int
    activation_bits: int
    input_signed: bool


def translate(
    model: onnx.ModelProto,
    path: Path,
    widths: Widths,
    notes: list[str],
    origins: dict[str, str] | None = None,
    names: dict[str, str] | None = None,
) -> FloatNetwork:
    """Return the network of a float model, for a batch of one image.

    Args:
        model: a float model; dropout, casts and reshapes that only flatten vanish, batch
            normalisation is fused, a rectifier becomes an unsigned output.
        path: where it was read, for messages and as the network's name.
        widths: what the integers are to be.
        notes: receives what is left to the host.
        origins: receives which layer came from which node; without it the notes do.
        names: receives by every tensor that depends on the images which layer makes it; what is
            only a view of a layer's output, or a step fused into it, is made by that layer.

    Raises:
        InputError: the model is invalid, or has no single image input and output.
        UnsupportedOperator: an operator, or a form of it, that codesign lacks.
    """
    place = str(path)
    for node in model.graph.node:  # before the checker complains of something else
        check_known(node, place)
    onnx_file.check(model, place)
    reader = Reader(model, place, images(model, place), widths.input_signed)
    for node in model.graph.node:
        apply(reader, node)
    answer = _answer(model, reader)
    layers = _live(reader.layers, answer.layer)
    if not layers:
        raise InputError(place, "computes nothing of its input", "a network needs a layer")
    if origins is None:
        notes.append(", ".join(f"{layer.name} is '{layer.origin}'" for layer in layers))
    else:
        origins.update({layer.name: layer.origin for layer in layers})
    notes.extend(reader.notes)
    if names is not None:
        live = {INPUT, *(layer.name for layer in layers)}
        names.update({t: v.layer for t, v in reader.values.items() if v.layer in live})
    try:
        graph = _graph(path.stem, reader.image_shape, layers, widths)
    except ValueError as error:
        raise InputError(place, f"cannot be mapped ({error})") from error
    return FloatNetwork(graph, {x.name: x.parameters for x in layers if x.parameters})


def check_known(node: onnx.NodeProto, place: str) -> None:
    """Refuse an operator that codesign does not know at all.

    Raises:
        UnsupportedOperator: with what would help.
    """
    standard = node.domain in STANDARD_DOMAINS
    operator = node.op_type if standard else f"{node.domain}.{node.op_type}"
    if operator not in (*KNOWN, QUANTISED):
        known = "codesign knows " + ", ".join(sorted(KNOWN))
        remedy = REMEDIES.get(operator, known)
        raise UnsupportedOperator(place, onnx_file.label(node), operator, remedy)


def images(model: onnx.ModelProto, place: str) -> tuple[str, Value]:
    """Return the name and value of the model's one input, with a free batch fixed to 1.

    Raises:
        InputError: there is not one, or its size is not known.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = [value.name for value in inputs]
        raise InputError(place, f"has {len(inputs)} inputs {names}", "codesign maps one image")
    name, kind = inputs[0].name, inputs[0].type.tensor_type
    if len(kind.shape.dim) not in (2, 4):
        problem = f"input '{name}' has {len(kind.shape.dim)} dimensions"
        raise InputError(place, problem, "images are N x C x H x W or N x features")
    extents = []
    for axis, dimension in enumerate(kind.shape.dim):
        extent = dimension.dim_value
        if extent < 1 and axis:
            said = f" ('{dimension.dim_param}')" if dimension.dim_param else ""
            problem = f"input '{name}': dimension {axis}{said} is dynamic"
            raise InputError(place, problem, "export the model with a fixed image size")
        extents.append(max(1, extent))
    return name, Value(INPUT, tuple(extents), alone=True)


def _answer(model: onnx.ModelProto, reader: Reader) -> Value:
    outputs = [value.name for value in model.graph.output]
    if len(outputs) != 1:
        problem = f"has {len(outputs)} outputs {outputs}"
        raise InputError(reader.place, problem, "codesign maps one")
    answer = reader.values.get(outputs[0])
    if answer is None:
        raise InputError(reader.place, f"output '{outputs[0]}' does not depend on the input")
    return answer


def _live(layers: dict[str, Layer], last: str) -> list[Layer]:
    """Return the layers that the output needs, in order."""
    needed = {last}
    for layer in reversed(layers.values()):
        if layer.name in needed:
            needed.update(source.layer for source in layer.sources)
    return [layer for layer in layers.values() if layer.name in needed]


def _graph(name: str, images: tuple[int, ...], layers: list[Layer], widths: Widths) -> Graph:
    known = {INPUT: Tensor(images, INPUT_BITS, widths.input_signed)}
    nodes: list[Node] = []
    for layer in layers:
        sources = [known[value.layer] for value in layer.sources]
        op = layer.op
        if op.weight_shape is not None:
            op = replace(op, bits=widths.weight_bits)  # type: ignore[type-var]
        passes = isinstance(op, Pool2d) and op.kind == "max"
        final = layer is layers[-1] and op.has_bias and not layer.rectified
        node = Node(
            name=layer.name,
            op=op,
            inputs=tuple(value.layer for value in layer.sources),
            output=_output(layer, sources, MAX_BITS if final else widths.activation_bits),
            multiplier_bits=0 if passes or final else 1,
        )
        nodes.append(node)
        known[layer.name] = node.output
    graph = Graph(name, known[INPUT], tuple(nodes))
    last = graph.nodes[-1]
    if last.output.bits == MAX_BITS:  # the answer is as wide as the sums turn out to be
        last = replace(last, output=replace(last.output, bits=last.accumulator_bits))
    return replace(graph, nodes=(*graph.nodes[:-1], last))


def _output(layer: Layer, sources: list[Tensor], bits: int) -> Tensor:
    shape = layer.op.output_shape([tensor.shape for tensor in sources])
    if not isinstance(layer.op, Pool2d):
        return Tensor(shape, bits, signed=not layer.rectified)
    if layer.op.kind == "max":
        return replace(sources[0], shape=shape)
    return Tensor(shape, bits, signed=sources[0].signed and not layer.rectified)
