"""Reading back what `qdq_export` and `qonnx_export` wrote, bit for bit.

The weights and biases are the file's own initializers; names, widths, multipliers and exact
scales come from the description beside the graph. What was read is then exported again, and the
file has to say the same: so a description never overrules the graph that ONNX would run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from codesign.errors import InputError
from codesign.network import serialize
from codesign.network.network import Network
from codesign.network.onnx.qdq_export import DIGEST_KEY, FORM_KEY, NETWORK_KEY, Writer
from codesign.network.onnx.qonnx_export import QonnxWriter

WRITERS: Mapping[str, type[Writer]] = {writer.form: writer for writer in (Writer, QonnxWriter)}
"""By the form of the export."""

REMEDY = "export the network again, or import its float model"


def is_export(model: onnx.ModelProto) -> bool:
    """Whether `export` wrote the model."""
    return NETWORK_KEY in _properties(model)


def restore(model: onnx.ModelProto, place: str, notes: list[str]) -> Network:
    """Return the network of an exported model.

    Weights and biases changed since the export are read as they are now, and noted.

    Raises:
        InputError: the graph is not (or no longer) what the description says.
    """
    properties = _properties(model)
    write = WRITERS.get(properties.get(FORM_KEY, "qdq"))
    if write is None:
        raise InputError(place, f"is an export of form '{properties[FORM_KEY]}'", REMEDY)
    try:
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        described = json.loads(properties[NETWORK_KEY])
        for entry in described["nodes"]:
            for key in write.stored.get(entry["op"], ()):
                stored = _integers(constants, f"{entry['name']}.{key}", entry)
                entry["parameters"][key] = serialize.encode(stored)
        network = serialize.from_json(described)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise InputError(place, f"is a damaged export ({error})", REMEDY) from error
    try:
        written = write(network).model()
    except InputError as error:  # a network that `save` would refuse
        raise InputError(place, f"is a damaged export ({error})", REMEDY) from error
    _compare(written, model, place)
    if serialize.digest(network) != properties.get(DIGEST_KEY):
        notes.append("weights or biases were changed after the export; the changed ones are used")
    return network


def _integers(
    constants: Mapping[str, NDArray[Any]], name: str, entry: Mapping[str, Any]
) -> NDArray[np.int64]:
    """Return the integers of a stored parameter, which QONNX holds as reals."""
    stored = constants[f"{name}.q"]
    if stored.dtype.kind == "f":
        scale = constants[f"{entry['name']}.q.scale" if entry["op"] == "Table" else f"{name}.scale"]
        with np.errstate(divide="ignore", invalid="ignore"):  # what is no number is refused below
            steps = np.rint(stored.astype(np.float64) / scale)
        if not np.isfinite(steps).all() or np.abs(steps).max(initial=0) >= 1 << 31:
            raise ValueError(f"'{name}.q' holds no steps of its scale")
        stored = steps.astype(np.int64)
    if not np.can_cast(stored.dtype, np.int64):
        raise ValueError(f"'{name}.q' holds no integers")
    if entry["op"] == "Table":
        stored = stored.reshape(entry["attributes"]["channels"], -1)
    return stored


def _compare(expected: onnx.ModelProto, model: onnx.ModelProto, place: str) -> None:
    """Refuse a graph that computes anything but the network that was read from it."""
    wanted, found = _content(expected), _content(model)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            problem = f"'{name}' was changed after the export and contradicts the description"
            raise InputError(place, problem, REMEDY)


def _content(model: onnx.ModelProto) -> dict[str, Any]:
    """Return what a model computes: each tensor with the constant or the node that makes it."""
    graph = model.graph
    content: dict[str, Any] = {
        "operator set": sorted((opset.domain, opset.version) for opset in model.opset_import),
        "model inputs": [value.name for value in graph.input],
        "model outputs": [value.name for value in graph.output],
    }
    for node in graph.node:
        attributes = sorted((a.name, a.SerializeToString()) for a in node.attribute)
        content[node.output[0]] = (node.domain, node.op_type, list(node.input), attributes)
    for tensor in graph.initializer:
        content[tensor.name] = _value(numpy_helper.to_array(tensor))
    return content


def _value(array: NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.name, array.shape, np.ascontiguousarray(array).tobytes()


def _properties(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}
