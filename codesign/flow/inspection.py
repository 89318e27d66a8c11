"""Looking into a model: an ONNX file, or a reference network by name."""

from __future__ import annotations

from pathlib import Path

from codesign.errors import InputError, UnsupportedOperator
from codesign.flow.model import names_reference
from codesign.network import onnx
from codesign.network.model import reference
from codesign.network.network import Network
from codesign.report.inspection import Inspection, Refusal, inspected


def inspect_model(model: str) -> Inspection:
    """Return what a model is made of, or everything that keeps it from being imported.

    Args:
        model: a path, or the name of a reference network where there is no such file.

    Raises:
        InputError: there is no such model, or the file is no ONNX model.
    """
    path = Path(model)
    if names_reference(model):
        return inspected(reference(model).network(), {})
    notes: list[str] = []
    origins: dict[str, str] = {}
    try:
        network = onnx.load(path, notes=notes, origins=origins)
    except InputError as first:
        problems = onnx.problems(path) or [first]
        return Inspection(path.stem, refusals=tuple(_refusal(problem) for problem in problems))
    if isinstance(network, Network):
        origins = {node.name: node.name for node in network.graph}
    return inspected(network, origins, tuple(notes))


def _refusal(problem: InputError) -> Refusal:
    if not isinstance(problem, UnsupportedOperator):
        return Refusal("", problem.problem, problem.remedy)
    return Refusal(problem.node, f"operator {problem.operator} is not supported", problem.remedy)
