"""Looking into a model: an ONNX file, or a reference network by name."""

from __future__ import annotations

from pathlib import Path

from codesign.network import onnx
from codesign.network.model import reference
from codesign.report.inspection import Inspection, inspected


def inspect_model(model: str) -> Inspection:
    """Return what a model is made of, or everything that keeps it from being imported.

    Args:
        model: a path, or the name of a reference network where there is no such file.

    Raises:
        InputError: there is no such model, or the file is no ONNX model.
    """
    path = Path(model)
    if not path.exists() and not path.suffix:
        return inspected(reference(model).network(), {})
    notes: list[str] = []
    network = onnx.load(path, notes=notes)
    return inspected(network, {}, tuple(notes))
