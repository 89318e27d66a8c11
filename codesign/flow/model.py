"""The network that a command is about: an ONNX file, or a reference network by name."""

from __future__ import annotations

from pathlib import Path

from codesign.network import onnx
from codesign.network.model import reference
from codesign.network.network import FloatNetwork, Network


def names_reference(model: str) -> bool:
    """Whether a model is meant by name: it has no ending, and there is no such file."""
    path = Path(model)
    return not path.exists() and not path.suffix


def load_model(
    model: str,
    *,
    weight_bits: int = 8,
    activation_bits: int = 8,
    input_signed: bool = False,
    notes: list[str] | None = None,
    origins: dict[str, str] | None = None,
) -> Network | FloatNetwork:
    """Read an ONNX file, or build a reference network with the weights of seed 0.

    Arguments and exceptions are those of `codesign.network.onnx.load`; only a file is asked
    whether its images have negative values.
    """
    if names_reference(model):
        return reference(model, weight_bits, activation_bits).network()
    return onnx.load(
        Path(model),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        input_signed=input_signed,
        notes=notes,
        origins=origins,
    )
