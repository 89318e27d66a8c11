"""ONNX models that others quantised (QDQ, QOperator, QONNX) as networks of integers.

A quantised model is a float model and scales: `qoperator` writes operators on integers in real
numbers, `quantised_strip` takes the scales off, the importer of float models reads what remains,
and `quantised_integers` puts both together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from codesign.errors import InputError
from codesign.network.network import Network
from codesign.network.onnx import qonnx_import
from codesign.network.onnx.float_import import Widths, translate
from codesign.network.onnx.qoperator import REMEDIES, REWRITES, rewrite
from codesign.network.onnx.quantised_integers import Said, integer_network
from codesign.network.onnx.quantised_strip import QUANTISERS, strip
from codesign.network.onnx.quantised_types import Quantiser, Stripped
from codesign.network.onnx.quantised_weights import weight_steps

_WIDTHS = (8, 8)
"""Widths that the float network is read with; every one is then replaced by the model's own."""

_OPERATORS = frozenset([*QUANTISERS, *REWRITES, *REMEDIES, *qonnx_import.OPERATORS])


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether a model says what its integers are."""
    return any(node.op_type in _OPERATORS for node in model.graph.node)


@np.errstate(over="ignore")  # what is not finite is refused where it is used
def translate_quantised(
    model: onnx.ModelProto,
    path: Path,
    notes: list[str],
    origins: dict[str, str] | None = None,
    tensors: dict[str, str] | None = None,
) -> Network:
    """Return the network of a quantised model, for a batch of one image.

    Its integers are those of the model with the zero points taken off.

    Args:
        model: a model in which every tensor between layers is quantised, by constants.
        path: where it was read, for messages and as the network's name.
        notes: receives what was found, and what is left to the host.
        origins: receives which ONNX node each layer came from.
        tensors: receives which node of the network holds each quantised tensor of the model.

    Raises:
        InputError: the model is invalid, or quantised in part only.
        UnsupportedOperator: an operator, or a form of quantisation, that codesign lacks.
    """
    place = str(path)
    stripped = strip(rewrite(model, place), place)
    signed = _reads_negatives(stripped)
    names: dict[str, str] = {}
    origins = {} if origins is None else origins
    real = translate(stripped.model, path, Widths(*_WIDTHS, signed), notes, origins, names)
    quantisers = _by_node(stripped, names, place)
    try:
        steps = weight_steps(stripped, names)
    except ValueError as error:
        raise InputError(place, str(error), "quantise per tensor or per output") from error
    network, renamed = integer_network(real, Said(quantisers, steps, origins), place, notes)
    if tensors is not None:
        held = {tensor: names[tensor] for tensor in stripped.quantisers if tensor in names}
        tensors.update({tensor: renamed.get(name, name) for tensor, name in held.items()})
    notes.append(_summary(network, quantisers))
    return network


def _reads_negatives(stripped: Stripped) -> bool:
    """Whether the images, once quantised, have negative values."""
    images = {value.name for value in stripped.model.graph.input}
    return any(
        stripped.quantisers[node.output[0]].bounds[0] < 0
        for node in stripped.model.graph.node
        if node.output[0] in stripped.quantisers and node.input[0] in images
    )


def _by_node(stripped: Stripped, names: dict[str, str], place: str) -> dict[str, Quantiser]:
    found: dict[str, Quantiser] = {}
    for tensor, quantiser in stripped.quantisers.items():
        name = names.get(tensor)
        if name is not None and found.setdefault(name, quantiser) != quantiser:
            problem = f"'{tensor}' is quantised a second time, otherwise"
            raise InputError(place, problem, "keep one scale per tensor")
    return found


def _summary(network: Network, quantisers: dict[str, Quantiser]) -> str:
    """Say which integers were found."""
    weights = sorted({node.op.weight_bits for node in network.graph if node.op.has_bias})
    tensors = sorted({network.graph.tensor(name).bits for name in quantisers})
    zeros = sum(quantiser.zero != 0 for quantiser in quantisers.values())
    factors = sum(node.multiplier_bits > 1 for node in network.graph)
    return (
        f"came quantised: weights of {weights} bits, tensors of {tensors} bits; {zeros} of "
        f"{len(quantisers)} zero points taken off; {factors} requantisations by multipliers"
    )
