"""What each ONNX operator means for a network.

There is one function per operator, in `layers`, `activations`, `joins`, `pools` and `views`. An
attribute or form that is not understood is refused by name, never approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnx

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.onnx import model_file
from codesign.network.onnx.activations import ACTIVATIONS
from codesign.network.onnx.constants import FOLDED
from codesign.network.onnx.joins import JOINS
from codesign.network.onnx.layers import LAYERS
from codesign.network.onnx.patterns import DOMAIN, RECOGNISED
from codesign.network.onnx.pools import POOLS
from codesign.network.onnx.reader import Reader, Step
from codesign.network.onnx.values import Value
from codesign.network.onnx.views import VIEWS

QUANTISED = "Quantised"
"""Says that a layer ends here: its one output is its input, and nothing after it is fused.

What is said to end twice, or `requantises` though others read it as it is, gets a layer of its own.
"""

OPERATORS: Mapping[str, Callable[[Step], Value | list[Value]]] = {
    **LAYERS,
    **ACTIVATIONS,
    **JOINS,
    **POOLS,
    **VIEWS,
}
"""By operator: what reads it and returns what it makes."""

KNOWN = frozenset([*OPERATORS, *FOLDED]) - {QUANTISED, RECOGNISED}

_OWN = f"{DOMAIN}.{QUANTISED}"
_LOOKING = ("Shape", "Size")
_HANDED_ON = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")

_USE_KNOWN = "train it with another activation, as ReLU or HardSwish"
_USE_BATCH_NORM = "train it with batch normalisation instead"
_USE_CONVOLUTIONS = "train convolutions along the time instead"
_END_BEFORE = "end the model before it, and let the host do it"
_CONSTANT_ONLY = "it is known for constants only"

REMEDIES: Mapping[str, str] = {
    **dict.fromkeys(("Abs", "Exp", "Log", "Pow", "Sqrt", "ThresholdedRelu"), _USE_KNOWN),
    **dict.fromkeys(
        ("GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization"),
        _USE_BATCH_NORM,
    ),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), _USE_CONVOLUTIONS),
    **dict.fromkeys(("NonMaxSuppression", "TopK"), _END_BEFORE),
    "DepthToSpace": "enlarge by a transposed convolution, or nearest neighbours",
    "Erf": "it is known as a part of GELU",
    "ReduceSum": "take the mean, ReduceMean",
}
"""What would help against operators that cannot be read, or not of computed tensors."""


def check_known(node: onnx.NodeProto, place: str) -> None:
    """Refuse an operator that codesign does not know at all.

    Raises:
        UnsupportedOperator: with what would help.
    """
    standard = node.domain in model_file.STANDARD_DOMAINS
    operator = node.op_type if standard else f"{node.domain}.{node.op_type}"
    if operator not in KNOWN and operator != _OWN:
        known = "codesign knows " + ", ".join(sorted(OPERATORS.keys() & KNOWN))
        remedy = REMEDIES.get(operator, known)
        raise UnsupportedOperator(place, model_file.label(node), operator, remedy)


def apply(reader: Reader, node: onnx.NodeProto) -> None:
    """Read one node: note what its outputs hold.

    Raises:
        InputError: the node contradicts itself or the shapes it reads.
        UnsupportedOperator: a form of the operator that codesign lacks.
    """
    try:
        _apply(reader, node)
    except ValueError as error:
        label = node.name or node.op_type
        raise InputError(reader.place, f"node '{label}' ({node.op_type}): {error}") from error


def _apply(reader: Reader, node: onnx.NodeProto) -> None:
    step = Step(reader, node)
    if not node.output:
        raise ValueError("it makes nothing")
    constant = all(name in reader.constants for name in node.input if name)
    if constant and node.op_type in FOLDED:
        reader.constants.fold(node)
    elif node.op_type in _LOOKING:
        reader.constants.put(node.output[0], _looked_at(step))
    elif node.op_type in OPERATORS:
        made = _handed_on(step) or OPERATORS[node.op_type](step)
        results = made if isinstance(made, list) else [made]
        extra = [name for name in node.output[len(results) :] if reader.uses[name]]
        if extra:
            step.refuse(f"with a second output '{extra[0]}'", "only the first one is computed")
        reader.values.update(zip(node.output, results, strict=False))
    else:
        remedy = REMEDIES.get(node.op_type, _CONSTANT_ONLY)
        step.refuse("of a tensor that depends on the images", remedy)


def _handed_on(step: Step) -> Value | None:
    """Return the value of a node that only passes on what is left to the host."""
    value = step.reader.values.get(step.node.input[0]) if step.node.input else None
    if value is not None and value.left_to_host and step.node.op_type in _HANDED_ON:
        return step.same(value)
    return None


def _looked_at(step: Step) -> np.ndarray:
    """Return the shape of a tensor that depends on the images, or its size."""
    extents = np.array(step.unpadded(0).shape, np.int64)
    if step.node.op_type == "Size":
        return np.asarray(extents.prod())
    return extents[step.attributes.get("start", 0) : step.attributes.get("end", len(extents))]
