"""What damage makes of ONNX files, and how an importer has to take that."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnx
from numpy.random import Generator
from onnx import AttributeProto, TensorProto, external_data_helper, helper, numpy_helper

from codesign.errors import InputError
from codesign.network.floats import answer_floats
from codesign.network.network import FloatNetwork, Network
from codesign.network.onnx import load, problems
from codesign.network.onnx.restore import is_export

Item = TypeVar("Item")

NUMBERS = (
    -(2**63),
    -(2**31),
    -2,
    -1,
    0,
    1,
    2,
    3,
    7,
    64,
    4096,
    2**15,
    10**6,
    2**31 - 1,
    2**40,
    2**62,
)
REALS = (float("nan"), float("inf"), -float("inf"), -1.0, 0.0, 1e-45, 1e-8, 1e8, 3e38)
TEXTS = (b"", b"\xff\x00x", b"two\nlines", b"SAME_UPPER", b"VALID", b"../../none", b"%s" * 9)
VERSIONS = (-1, 0, 1, 5, 7, 9, 11, 13, 18, 21, 25, 99, 2**40)
OPERATORS = (
    *("AveragePool", "Clip", "Concat", "ConstantOfShape", "ConvTranspose", "DequantizeLinear"),
    *("Expand", "Flatten", "Gather", "If", "Loop", "MatMul", "Pad", "QuantizeLinear", "Range"),
    *("ReduceMean", "Resize", "Shape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "\n"),
)
NODE_BYTES = 4096
"""Nodes stand at the beginning of a file, and inputs and outputs at its end."""

PLACES = ("/dev/zero", "/etc/hostname", "..", "", "../none", "a\0b", "none.data")

# ---------------------------------------------------------------- damage of fields


def _pick(items: Sequence[Item], random: Generator) -> Item:
    """Return one of some items.

    Raises:
        ValueError: there is none.
    """
    return items[int(random.integers(len(items)))]


def _tensor_names(model: onnx.ModelProto) -> list[str]:
    made = [name for node in model.graph.node for name in (*node.input, *node.output) if name]
    return ["", "no such tensor", *made, *(tensor.name for tensor in model.graph.initializer)]


def _attribute(model: onnx.ModelProto, random: Generator) -> AttributeProto:
    return _pick([a for node in model.graph.node for a in node.attribute], random)


def _weights(model: onnx.ModelProto, random: Generator) -> TensorProto:
    """Return a constant; half of the times one that holds integers, as shapes are."""
    held = [*model.graph.initializer]
    held += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    integers = [tensor for tensor in held if tensor.data_type == TensorProto.INT64]
    return _pick(integers if integers and random.random() < 0.5 else held, random)


def an_input(model: onnx.ModelProto, random: Generator) -> None:
    names = _pick(model.graph.node, random).input
    names[_pick(range(len(names)), random)] = _pick(_tensor_names(model), random)


def an_output(model: onnx.ModelProto, random: Generator) -> None:
    names = _pick(model.graph.node, random).output
    names[_pick(range(len(names)), random)] = _pick(_tensor_names(model), random)


def an_operator(model: onnx.ModelProto, random: Generator) -> None:
    others = [node.op_type for node in model.graph.node]
    _pick(model.graph.node, random).op_type = _pick([*others, *OPERATORS], random)


def a_domain(model: onnx.ModelProto, random: Generator) -> None:
    names = ("", "com.microsoft", "codesign", "none", "two\nlines", "qonnx.custom_op.general")
    _pick(model.graph.node, random).domain = _pick(names, random)


def an_attribute(model: onnx.ModelProto, random: Generator) -> None:
    held = _attribute(model, random)
    if held.ints:
        held.ints[_pick(range(len(held.ints)), random)] = _pick(NUMBERS, random)
    elif held.floats:
        held.floats[_pick(range(len(held.floats)), random)] = _pick(REALS, random)
    elif held.type == AttributeProto.INT:
        held.i = _pick(NUMBERS, random)
    elif held.type == AttributeProto.FLOAT:
        held.f = _pick(REALS, random)
    elif held.type == AttributeProto.STRING:
        held.s = _pick(TEXTS, random)


def a_kind_of_attribute(model: onnx.ModelProto, random: Generator) -> None:
    _attribute(model, random).type = _pick(AttributeProto.AttributeType.values(), random)


def a_count_of_numbers(model: onnx.ModelProto, random: Generator) -> None:
    held = _pick([a for node in model.graph.node for a in node.attribute if a.ints], random)
    if random.random() < 0.5:
        held.ints.append(_pick(NUMBERS, random))
    else:
        del held.ints[_pick(range(len(held.ints)), random)]


def a_lost_attribute(model: onnx.ModelProto, random: Generator) -> None:
    held = _pick([node.attribute for node in model.graph.node if node.attribute], random)
    del held[_pick(range(len(held)), random)]


def a_strange_attribute(model: onnx.ModelProto, random: Generator) -> None:
    _pick(model.graph.node, random).attribute.append(_attribute(model, random))


def a_dimension(model: onnx.ModelProto, random: Generator) -> None:
    dims = _weights(model, random).dims
    dims[_pick(range(len(dims)), random)] = _pick(NUMBERS, random)


def a_type(model: onnx.ModelProto, random: Generator) -> None:
    _weights(model, random).data_type = int(random.integers(30))


def a_number(model: onnx.ModelProto, random: Generator) -> None:
    tensor = _weights(model, random)
    if external_data_helper.uses_external_data(tensor):
        raise ValueError("its numbers are in another file")
    values = numpy_helper.to_array(tensor).copy()
    numbers = np.array(REALS if values.dtype.kind == "f" else NUMBERS)
    with np.errstate(all="ignore"):
        held = numbers.astype(values.dtype)
    values.reshape(-1)[_pick(range(values.size), random)] = _pick(held, random)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def some_data(model: onnx.ModelProto, random: Generator) -> None:
    tensor = _weights(model, random)
    tensor.raw_data = tensor.raw_data[: int(random.integers(len(tensor.raw_data) + 1))]


def a_place_of_data(model: onnx.ModelProto, random: Generator) -> None:
    tensor = _weights(model, random)
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (
        ("location", _pick(PLACES, random)),
        ("offset", str(_pick(NUMBERS, random))),
        ("length", str(_pick(NUMBERS, random))),
    ):
        tensor.external_data.add(key=key, value=value)


def an_image_size(model: onnx.ModelProto, random: Generator) -> None:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    kind = int(random.integers(4))
    if kind == 0:
        del dims[_pick(range(len(dims)), random)]
    elif kind == 1:
        _pick(dims, random).dim_param = _pick(("n", "two\nlines", ""), random)
    else:
        _pick(dims, random).dim_value = _pick(NUMBERS, random)


def an_operator_set(model: onnx.ModelProto, random: Generator) -> None:
    sets = _pick(model.opset_import, random)
    sets.version = _pick(VERSIONS, random)
    model.ir_version = _pick((model.ir_version, *VERSIONS), random)


def a_lost_node(model: onnx.ModelProto, random: Generator) -> None:
    del model.graph.node[_pick(range(len(model.graph.node)), random)]


def an_order(model: onnx.ModelProto, random: Generator) -> None:
    nodes = model.graph.node
    nodes.insert(_pick(range(len(nodes)), random), nodes.pop(_pick(range(len(nodes)), random)))


def an_answer(model: onnx.ModelProto, random: Generator) -> None:
    _pick(model.graph.output, random).name = _pick(_tensor_names(model), random)


def a_name(model: onnx.ModelProto, random: Generator) -> None:
    """Rename a node, or a tensor everywhere."""
    name = _pick(("", "two\nlines", "\x1b[2J", "a" * 9999, "ä\u2028b", "0"), random)
    if random.random() < 0.5:
        _pick(model.graph.node, random).name = name
        return
    old = _pick(_tensor_names(model)[2:], random)
    for node in model.graph.node:
        for names in (node.input, node.output):
            for index in [index for index, other in enumerate(names) if other == old]:
                names[index] = name
    for value in (*model.graph.initializer, *model.graph.input, *model.graph.output):
        value.name = name if value.name == old else value.name


def a_description(model: onnx.ModelProto, random: Generator) -> None:
    """Change what stands beside the graph: our exports say there what network it is."""
    entry = _pick(model.metadata_props, random)
    place, text = int(random.integers(len(entry.value))), entry.value
    new = _pick(
        ("", "0", "-", '"', "9" * 400, "[" * 5000, "null", "1e999", "{}", "\\ud800"), random
    )
    entry.value = text[:place] + new + text[place + int(random.integers(9)) :]


def an_explosion(model: onnx.ModelProto, random: Generator) -> None:
    """Put a node before another one that makes very much of very little."""
    target = _pick([node for node in model.graph.node if node.input], random)
    source = target.input[0]
    name = f"explosion {len(model.graph.node)}"
    # most are refused for their batch and channels, were it not for the first two
    extents = [*_pick(((), (1, 1), (0, 0), (0, 0)), random)]
    extents += [_pick(NUMBERS, random) for _ in range(_pick((1, 2, 2, 2, 4), random))]
    extents += [0] * _pick((0, 0, 2, 4), random)
    sizes = numpy_helper.from_array(np.array(extents), name + " sizes")
    reals = np.array(extents, np.float32)
    scales = numpy_helper.from_array(reals, name + " scales")
    kind, inputs = _pick(
        (
            ("ConstantOfShape", [sizes.name]),
            ("Expand", [source, sizes.name]),
            ("Tile", [source, sizes.name]),
            ("Pad", [source, sizes.name]),
            ("Reshape", [source, sizes.name]),
            ("Resize", [source, "", scales.name]),
            ("Resize", [source, "", "", sizes.name]),
            ("Range", [sizes.name, sizes.name, sizes.name]),
            ("MatMul", [source, scales.name]),
            ("Unsqueeze", [source, sizes.name]),
            ("AveragePool", [source]),
            ("MaxPool", [source]),
        ),
        random,
    )
    options = {}
    if kind.endswith("Pool"):
        options = {"kernel_shape": extents[:2], "pads": extents[:2] * 2, "strides": extents[-2:]}
    node = helper.make_node(kind, inputs, [name], **options)
    model.graph.initializer.extend([sizes, scales])
    model.graph.node.insert(list(model.graph.node).index(target), node)
    target.input[0] = name


Edit = Callable[[onnx.ModelProto, Generator], None]

EDITS: tuple[Edit, ...] = (
    *(an_input, an_output, an_operator, a_domain, an_attribute, an_attribute, a_kind_of_attribute),
    *(a_count_of_numbers, a_lost_attribute, a_strange_attribute, a_dimension, a_type, a_number),
    *(a_number, some_data, a_place_of_data, an_image_size, an_operator_set, a_lost_node, an_order),
    *(an_answer, a_name, a_description, an_explosion, an_explosion),
)

# ---------------------------------------------------------------- damage of bytes


def a_byte(data: bytearray, place: int, random: Generator) -> None:
    data[place] = int(random.integers(256))


def a_bit(data: bytearray, place: int, random: Generator) -> None:
    data[place] ^= 1 << int(random.integers(8))


def lost_bytes(data: bytearray, place: int, random: Generator) -> None:
    del data[place : place + int(random.integers(1, 40))]


def strange_bytes(data: bytearray, place: int, random: Generator) -> None:
    data[place:place] = data[: int(random.integers(1, 40))]


CHANGES = (a_byte, a_bit, lost_bytes, strange_bytes)

DAMAGES = (*dict.fromkeys(edit.__name__ for edit in EDITS), "some_bytes", "a_lost_end")


def damaged(whole: bytes, random: Generator) -> tuple[str, bytes]:
    """Return a kind of damage (one of `DAMAGES`), and what it makes of a file.

    Fields are edited once or twice, bytes changed up to four times.
    """
    kind = random.random()
    if kind < 0.05:
        return "a_lost_end", whole[: int(random.integers(len(whole)))]
    if kind < 0.25:
        data = bytearray(whole)
        for _ in range(int(random.integers(1, 5))):
            _pick(CHANGES, random)(data, _place(len(data), random), random)
        return "some_bytes", bytes(data)
    model = onnx.load_model_from_string(whole)
    names = [_edited(model, random) for _ in range(int(random.integers(1, 3)))]
    return names[-1], model.SerializeToString()


def _place(length: int, random: Generator) -> int:
    """Return a place in a file: every second one is where nodes and inputs stand, not weights."""
    near = int(random.integers(min(length, NODE_BYTES)))
    return _pick((near, length - 1 - near, *random.integers(length, size=2).tolist()), random)


def _edited(model: onnx.ModelProto, random: Generator) -> str:
    """Edit a model, which need not have what an edit is about, and return the edit's name."""
    before = model.SerializeToString()
    while True:
        edit = _pick(EDITS, random)
        try:
            edit(model, random)
        except (TypeError, ValueError):
            model.ParseFromString(before)
        if model.SerializeToString() != before:
            return edit.__name__


# ---------------------------------------------------------------- what an importer has to do

MOST_MACS = 10**9
MOST_ELEMENTS = 1 << 22
"""Of networks that answer an image here."""


def judged(path: Path) -> str:
    """Return "imported" and whether it ran, or the class of the error that names what is wrong.

    Raises:
        AssertionError: it was imported, but does not answer; or it is refused without a reason.
        Exception: any other error, and any warning, is a fault of the importer as well.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            network = load(path)
        except InputError as error:
            _check_reason(error, path)
            _check_problems(path, refused=True)
            return type(error).__name__
        _check_problems(path, refused=False)
        return "answered" if _answers(network) else "imported"


def _check_reason(error: InputError, path: Path) -> None:
    text = str(error)
    assert text.startswith(f"{path}: "), text
    assert len(text.splitlines()) == 1, text
    assert error.problem.strip(), text
    assert text.isprintable(), text


def _check_problems(path: Path, *, refused: bool) -> None:
    """Check that all that is wrong can be listed if anything is."""
    try:
        found = problems(path)
    except InputError as error:
        found = [error]
    for problem in found:
        _check_reason(problem, path)
    assert bool(found) == refused or is_export(onnx.load(path, load_external_data=False))


def _answers(network: Network | FloatNetwork) -> bool:
    """Check that a network which is not too large computes an image."""
    graph = network.graph
    tensors = [graph.input, *(node.output for node in graph)]
    if graph.macs > MOST_MACS or max(tensor.elements for tensor in tensors) > MOST_ELEMENTS:
        return False
    random = np.random.default_rng(0)
    if isinstance(network, FloatNetwork):
        answers = answer_floats(network, random.random((1, *graph.input.shape)))
    else:
        low, high = graph.input.low, graph.input.high
        answers = network.answers(random.integers(low, high, (1, *graph.input.shape)))
    for name, answer in answers.items():
        assert answer.shape == (1, *graph.tensor(name).shape), name
    return True
