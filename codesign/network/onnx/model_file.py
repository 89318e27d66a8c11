"""ONNX files and their parts as plain values; every damage is an `InputError`."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import (  # type: ignore[import-untyped]
    DecodeError,
    EncodeError,
    Message,
)
from numpy.typing import NDArray
from onnx import checker, defs, external_data_helper, helper, inliner, numpy_helper

from codesign.errors import InputError, printable

STANDARD_DOMAINS = ("", "ai.onnx")

OLDEST_OPSET = 7
"""Operators of earlier sets mean other things."""

_LARGE = 1 << 16
"""Numbers of a constant that is not copied to be checked."""


def read(path: Path) -> onnx.ModelProto:
    """Return the model of a file, with the weights stored beside it and functions inlined.

    Raises:
        InputError: the file cannot be read, is no ONNX model, or its weights are missing.
    """
    place = str(path)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise InputError(place, f"cannot be read ({error.strerror})") from error
    except (DecodeError, ValueError) as error:
        raise InputError(place, "is no ONNX model, or a truncated one") from error
    strange = next((text for text in _texts(model) if not isinstance(text, str)), None)
    if strange is not None:
        raise InputError(place, f"is no ONNX model, or damaged: {strange!r} is no text")
    if not model.graph.node:
        raise InputError(place, "is no ONNX model, or one without any node")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a misspelt key is not to be passed over
            external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, UserWarning, ValueError, checker.ValidationError) as error:
        problem = f"has weights in other files that cannot be read ({first_line(error)})"
        raise InputError(place, problem, "keep the .data file beside the model") from error
    return _inlined(model, place) if model.functions else model


def check(model: onnx.ModelProto, place: str) -> None:
    """Refuse a model that breaks the ONNX standard; large constants are `array`'s to judge.

    Raises:
        InputError: with the checker's reason.
    """
    try:
        checker.check_model(_outline(model))
    except (checker.ValidationError, EncodeError, RuntimeError, ValueError) as error:
        raise InputError(place, f"is no valid ONNX model ({first_line(error)})") from error


def check_node(node: onnx.NodeProto, version: int, place: str) -> None:
    """Refuse a node of the standard operators that breaks the ONNX standard.

    Raises:
        InputError: with the checker's reason.
    """
    context = checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": version}
    try:
        checker.check_node(node, context)
    except (checker.ValidationError, EncodeError, RuntimeError, ValueError) as error:
        problem = f"node '{label(node)}' is no valid ONNX ({first_line(error)})"
        raise InputError(place, problem) from error


def operator_set(model: onnx.ModelProto, place: str) -> int:
    """Return the version of a model's standard operators.

    Raises:
        InputError: operators of that version are not known, or mean other things.
    """
    named = [opset for opset in model.opset_import if opset.domain in STANDARD_DOMAINS]
    newest = defs.onnx_opset_version()
    if len(named) != 1:
        raise InputError(place, f"names {len(named)} sets of standard operators")
    version: int = named[0].version
    if version < OLDEST_OPSET:
        problem = f"is of operator set {version}; {OLDEST_OPSET} is the oldest"
        raise InputError(place, problem, "convert it with onnx.version_converter")
    if version > newest:
        problem = f"is of operator set {version}; {newest} is the newest"
        raise InputError(place, problem, "install a later onnx package")
    return version


def write(model: onnx.ModelProto, path: Path) -> None:
    """Write a model to a file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise InputError(str(path), f"cannot be written ({error.strerror})") from error


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return a node's attributes as Python values, text as `str`.

    Raises:
        ValueError: an attribute has no readable value.
    """
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode() if isinstance(v, bytes) else v for k, v in values.items()}


def array(tensor: onnx.TensorProto) -> NDArray[Any]:
    """Return a constant.

    Raises:
        ValueError: its data do not fit its type and shape.
    """
    try:
        return numpy_helper.to_array(tensor)
    except (TypeError, KeyError) as error:
        raise ValueError(f"constant '{tensor.name}' is damaged ({error})") from error


def label(node: onnx.NodeProto) -> str:
    """Return what to call a node, on one line: its name, or the tensor it makes."""
    return printable(node.name or (node.output[0] if node.output else node.op_type))


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason")


def _texts(message: Message) -> Iterator[object]:
    """Yield every name of a model; it is bytes where it is no UTF-8."""
    for field, held in message.ListFields():
        parts = [held] if isinstance(held, (str, bytes, Message)) else held
        if field.type == field.TYPE_STRING:
            yield from parts
        elif field.type == field.TYPE_MESSAGE:
            for part in parts:
                yield from _texts(part)


def _outline(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with large constants empty: the checker would copy them twice."""
    outline = onnx.ModelProto()
    for whole, copy in ((model, outline), (model.graph, outline.graph)):
        for field, held in whole.ListFields():
            if field.name in ("graph", "initializer"):
                continue
            if isinstance(held, (int, str)):
                setattr(copy, field.name, held)
            else:
                getattr(copy, field.name).MergeFrom(held)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) < _LARGE:
            outline.graph.initializer.append(tensor)
        else:
            outline.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=[0])
    return outline


def _inlined(model: onnx.ModelProto, place: str) -> onnx.ModelProto:
    try:
        return inliner.inline_local_functions(model)
    except (EncodeError, DecodeError, RuntimeError, ValueError) as error:
        problem = f"has functions that cannot be inlined ({first_line(error)})"
        raise InputError(place, problem) from error
