"""A network as a file: canonical JSON, without losing a bit."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import InputError
from codesign.load import member, names
from codesign.network.graph import Graph, Node
from codesign.network.network import Network, Parameters
from codesign.network.op import Integers, Op
from codesign.network.tensor import ADDED_LATER, Tensor
from codesign.network.windows import Window

SCHEMA = 1


def digest(network: Network) -> str:
    """SHA-256 of the canonical form: networks of equal digest compute equal integers."""
    canonical = json.dumps(to_json(network), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def to_json(network: Network) -> dict[str, Any]:
    """Return the network as plain JSON values; `from_json` is the inverse."""
    graph = network.graph
    described: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "input": _plain(graph.input),
        "nodes": [_node_to_json(node, network.parameters[node.name]) for node in graph],
        "scales": {name: float(scale).hex() for name, scale in network.scales.items()},
    }
    if graph.outputs != (graph.nodes[-1].name,):
        described["outputs"] = list(graph.outputs)
    return described


def from_json(data: Mapping[str, Any]) -> Network:
    """Return the network that `to_json` described.

    Raises:
        KeyError, TypeError, ValueError: the data describe no valid network.
    """
    if data["schema"] != SCHEMA:
        raise ValueError(f"network schema {data['schema']} is not the supported {SCHEMA}")
    nodes = tuple(_node_from_json(entry) for entry in data["nodes"])
    return Network(
        graph=Graph(data["name"], _tensor(data["input"]), nodes, tuple(data.get("outputs", ()))),
        parameters={e["name"]: _parameters_from_json(e["parameters"]) for e in data["nodes"]},
        scales={name: float.fromhex(scale) for name, scale in data["scales"].items()},
    )


def save(network: Network, path: Path) -> None:
    """Write `network` to a JSON file."""
    path.write_text(json.dumps(to_json(network), indent=1, sort_keys=True) + "\n")


def load(path: Path) -> Network:
    """Read a network from a JSON file.

    Raises:
        InputError: the file cannot be read, or describes no valid network.
    """
    try:
        return from_json(json.loads(path.read_text()))
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(str(path), f"is no network file ({error})") from error


@cache
def operators() -> Mapping[str, type[Op]]:
    """Return the operators by the names of their classes."""
    members = (member("network.ops", Op, name) for name in names("network.ops"))
    return {op.__name__: op for op in members}


def _node_to_json(node: Node, own: Parameters) -> dict[str, Any]:
    return {
        "name": node.name,
        "op": type(node.op).__name__,
        "attributes": _plain(node.op),
        "inputs": list(node.inputs),
        "output": _plain(node.output),
        "multiplier_bits": node.multiplier_bits,
        "accumulator_bits": node.accumulator_bits,
        "parameters": {
            "weights": encode(own.weights),
            "bias": encode(own.bias),
            "multiplier": encode(own.multiplier),
            "shift": own.shift,
        },
    }


def _plain(value: Any) -> Any:
    """Return a dataclass as plain values, without what says no more than older files did."""
    if not is_dataclass(value):
        return value
    return {
        field.name: _plain(getattr(value, field.name))
        for field in fields(value)
        if field.metadata != ADDED_LATER or getattr(value, field.name) != field.default
    }


def _node_from_json(entry: Mapping[str, Any]) -> Node:
    attributes = {key: _listed(value) for key, value in entry["attributes"].items()}
    if "window" in attributes:
        window = attributes["window"]
        attributes["window"] = Window(**{key: tuple(value) for key, value in window.items()})
    return Node(
        name=entry["name"],
        op=operators()[entry["op"]](**attributes),
        inputs=tuple(entry["inputs"]),
        output=_tensor(entry["output"]),
        multiplier_bits=entry["multiplier_bits"],
        accumulator_bits=entry["accumulator_bits"],
    )


def _listed(value: Any) -> Any:
    """Return a JSON list as the tuple that it was."""
    return tuple(value) if isinstance(value, list) else value


def _parameters_from_json(entry: Mapping[str, Any]) -> Parameters:
    weights, bias, multiplier = (_decode(entry[key]) for key in ("weights", "bias", "multiplier"))
    return Parameters(
        weights=weights,
        bias=None if bias is None else bias.astype(np.int64),
        multiplier=None if multiplier is None else multiplier.astype(np.int64),
        shift=entry["shift"],
    )


def _tensor(entry: Mapping[str, Any]) -> Tensor:
    bounds = entry.get("bounds")
    shape, bounds = tuple(entry["shape"]), None if bounds is None else tuple(bounds)
    return Tensor(shape, entry["bits"], entry["signed"], bounds)


def encode(array: Integers | None) -> dict[str, Any] | None:
    """Return an array as shape and base64 of the narrowest little-endian integers."""
    if array is None:
        return None
    values = np.asarray(array, dtype=np.int64)
    narrow = np.min_scalar_type(min(int(values.min()), -int(values.max()) - 1))
    data = base64.b64encode(values.astype(narrow.newbyteorder("<")).tobytes()).decode()
    return {"shape": list(values.shape), "dtype": narrow.name, "data": data}


def _decode(entry: Mapping[str, Any] | None) -> Integers | None:
    """Return an array in the type in which it was written."""
    if entry is None:
        return None
    if entry["dtype"] not in ("int8", "int16", "int32", "int64"):
        raise ValueError(f"arrays are signed integers, not {entry['dtype']}")
    raw = base64.b64decode(entry["data"], validate=True)
    values = np.frombuffer(raw, dtype=np.dtype(entry["dtype"]).newbyteorder("<"))
    return values.astype(entry["dtype"]).reshape(entry["shape"])
