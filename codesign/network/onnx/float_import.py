"""A trained float ONNX model as a `FloatNetwork`.

A first pass here reads node by node (`codesign.network.onnx.operators`) and collects layers
(`codesign.network.onnx.reader`), a second one turns those that the outputs need into a graph.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import onnx

from codesign.errors import InputError
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork
from codesign.network.onnx import model_file
from codesign.network.onnx.operators import apply, check_known
from codesign.network.onnx.patterns import recognised
from codesign.network.onnx.reader import Reader
from codesign.network.onnx.values import Layer, Value
from codesign.network.ops.table import Table
from codesign.network.tensor import MAX_BITS, Tensor

INPUT_BITS = 8
FACTOR_BITS = 8
"""Bits of the factors that bring the inputs of a join to one scale; quantising narrows them."""

_RELU = (0.0, math.inf)


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
        model: a float model; what only changes shapes vanishes, constants are folded, batch
            normalisation and arithmetic with constants become a part of layers where that is
            exact, a rectifier becomes an unsigned output.
        path: where it was read, for messages and as the network's name.
        widths: what the integers are to be.
        notes: receives what is left to the host.
        origins: receives which layer came from which node; without it the notes do.
        names: receives by every tensor that depends on the images which layer makes it; what is
            only a view of a layer's output, or a step fused into it, is made by that layer.

    Raises:
        InputError: the model is invalid, or has no single image input.
        UnsupportedOperator: an operator, or a form of it, that codesign lacks.
    """
    reader = opened(model, str(path), input_signed=widths.input_signed)
    for node in reader.nodes:
        apply(reader, node)
    answers = _answers(model, reader)
    layers = _named(_live(reader.layers, {answer.layer for answer in answers.values()}))
    outputs = _outputs(answers, layers, reader)
    told = {layer.name: layer.origin for layer in layers.values()}
    if origins is None:
        notes.append(", ".join(f"{name} is '{origin}'" for name, origin in told.items()))
    else:
        origins.update(told)
    notes.extend(reader.notes)
    called = {INPUT: INPUT} | {key: layer.name for key, layer in layers.items()}
    if names is not None:
        made = reader.values.items()
        names.update({t: called[v.layer] for t, v in made if v.layer in called})
    images = Tensor(reader.image_shape, INPUT_BITS, widths.input_signed)
    try:
        graph = _Grapher(called, outputs, widths).graph(path.stem, images, layers.values())
    except ValueError as error:
        raise InputError(str(path), f"cannot be mapped ({error})") from error
    parameters = {x.name: x.parameters for x in layers.values() if x.parameters is not None}
    clips = {x.name: x.bounds for x in layers.values() if _clips(x)}
    return FloatNetwork(graph, parameters, clips)


def opened(model: onnx.ModelProto, place: str, *, input_signed: bool) -> Reader:
    """Return a reader for a model that is valid, and of known operators.

    Raises:
        InputError: the model is invalid, or has no single image input.
        UnsupportedOperator: an operator that codesign does not know at all.
    """
    for node in model.graph.node:  # before the checker complains of something else
        check_known(node, place)
    model_file.operator_set(model, place)
    model_file.check(model, place)
    return Reader(model, recognised(model), place, input_signed=input_signed)


def _answers(model: onnx.ModelProto, reader: Reader) -> dict[str, Value]:
    """Return what the model's outputs hold."""
    answers = {}
    for output in model.graph.output:
        answer = reader.values.get(output.name)
        if answer is None:
            problem = f"output '{output.name}' does not depend on the input"
            raise InputError(reader.place, problem)
        if answer.layer == INPUT:
            problem = f"computes nothing of its input for '{output.name}'"
            raise InputError(reader.place, problem, "a network needs a layer")
        if answer.padding is not None:
            problem = f"output '{output.name}' ends with a padding"
            raise InputError(reader.place, problem, "end the model before it")
        if answer.places is not None:
            order = " x ".join(map(str, answer.shape[1:]))
            reader.notes.append(
                f"'{output.name}' lists its elements in another order, as {order}; the network "
                f"answers channels first"
            )
        answers[output.name] = answer
    return answers


def _live(layers: dict[str, Layer], needed: set[str]) -> dict[str, Layer]:
    """Return the layers that the outputs need, in order."""
    for layer in reversed(layers.values()):
        if layer.name in needed:
            needed.update(source.layer for source in layer.sources)
    return {key: layer for key, layer in layers.items() if key in needed}


def _named(layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """Return the layers with names that count every kind from 0."""
    kinds: Counter[str] = Counter()
    named = {}
    for key, layer in layers.items():
        kind = key.partition(" ")[0]
        named[key] = replace(layer, name=f"{kind}{kinds[kind]}")
        kinds[kind] += 1
    return named


def _outputs(
    answers: Mapping[str, Value], layers: Mapping[str, Layer], reader: Reader
) -> tuple[str, ...]:
    """Return the layers that answer; what several outputs hold is one answer."""
    found: dict[str, str] = {}
    for output, answer in answers.items():
        first = found.setdefault(layers[answer.layer].name, output)
        if first != output:
            reader.notes.append(f"'{output}' is the same answer as '{first}'")
    return tuple(found)


def _clips(layer: Layer) -> bool:
    """Whether a layer has bounds that an unsigned, requantised output does not say."""
    return layer.is_bounded and (layer.bounds != _RELU or isinstance(layer.op, Table))


class _Grapher:
    """Turns layers into nodes with integer types."""

    def __init__(self, called: Mapping[str, str], outputs: tuple[str, ...], widths: Widths) -> None:
        self.called = called
        self.outputs = outputs
        self.widths = widths
        self.known: dict[str, Tensor] = {}

    def graph(self, name: str, images: Tensor, layers: Iterable[Layer]) -> Graph:
        """Return the graph; an answer of sums is as wide as they turn out to be.

        Raises:
            ValueError: the layers do not fit each other, or their sums are too wide.
        """
        self.known = {INPUT: images}
        layers = list(layers)
        read = {source.layer for layer in layers for source in layer.sources}
        ends = {self.called[key] for key in self.called.keys() - read}
        nodes = [self._node(layer, layer.name in ends) for layer in layers]
        rough = Graph(name, images, tuple(nodes), self.outputs)
        fitted = [
            replace(node, output=replace(node.output, bits=node.accumulator_bits))
            if node.output.bits == MAX_BITS
            else node
            for node in rough
        ]
        return replace(rough, nodes=tuple(fitted))

    def _node(self, layer: Layer, ends: bool) -> Node:
        """Return the node of a layer; one that ends the network may answer its sums."""
        op = layer.op
        inputs = tuple(self.called[source.layer] for source in layer.sources)
        sources = [self.known[name] for name in inputs]
        if op.has_bias:
            op = replace(op, bits=self.widths.weight_bits)  # type: ignore[type-var]
        elif op.rescales:
            op = replace(op, bits=FACTOR_BITS)  # type: ignore[type-var]
        sums = ends and op.has_bias and not layer.is_bounded
        bits = MAX_BITS if sums else self.widths.activation_bits
        output = Tensor(layer.shape, bits, signed=layer.signed)
        copies = op.passes and not layer.is_bounded
        if copies:
            output = replace(sources[0], shape=layer.shape)
        self.known[layer.name] = output
        scaled = not (copies or sums or isinstance(op, Table))
        op = op.typed(sources, output)
        return Node(layer.name, op, inputs, output, multiplier_bits=1 if scaled else 0)
