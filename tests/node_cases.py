"""The onnx package's own tests of operators, as models to import.

Source: `onnx.backend.test.case.node`, the test cases that runtimes are judged by.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from codesign.errors import InputError
from codesign.network.floats import answer_floats
from codesign.network.network import FloatNetwork
from codesign.network.onnx import load
from codesign.network.onnx.activations import ACTIVATIONS
from codesign.network.onnx.operators import OPERATORS

TOLERANCE = 1e-3
"""Relative to the largest number of an answer, as of the tests themselves: some state 4 digits."""

FEATURES = 5

POINTWISE = ACTIVATIONS.keys() | {"Add", "Div", "Mul", "Neg", "Sub", "Sum"}
"""Operators without axes."""

Arrays = list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """One test: a node with what it reads and has to make."""

    name: str
    model: onnx.ModelProto
    inputs: Arrays
    output: NDArray[Any]


@cache
def cases() -> dict[str, list[Case]]:
    """Return the tests of single nodes on finite real numbers, by operator."""
    found = defaultdict(list)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for case in collected:
        nodes = case.model.graph.node
        known = len(nodes) == 1 and nodes[0].op_type in OPERATORS and not nodes[0].domain
        if not known or case.name.endswith("_expanded"):
            continue
        inputs, outputs = ([_array(x) for x in arrays] for arrays in case.data_sets[0])
        if inputs[0].dtype.kind == "f" and inputs[0].size and np.isfinite(inputs[0]).all():
            own = Case(case.name, case.model, inputs, outputs[0])
            found[nodes[0].op_type].append(_batched(own))
    return dict(found)


def _batched(case: Case) -> Case:
    """Return a test of single numbers in a row as one of a batch of one."""
    if case.model.graph.node[0].op_type not in POINTWISE or case.inputs[0].ndim != 1:
        return case
    inputs = [x[None] if x.ndim == 1 else x for x in case.inputs]
    return Case(case.name, case.model, inputs, case.output[None])


def _array(value: Any) -> NDArray[Any]:
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def variants(case: Case) -> Iterator[tuple[onnx.ModelProto, NDArray[Any], NDArray[Any]]]:
    """Yield models that hold the node, with their images and answers.

    Other inputs than the first are constants, or, where all are alike, parts of one input. The
    answer is the node's, or a product of it with a matrix, which tells the order of elements.
    """
    alike = {(x.shape, x.dtype) for x in case.inputs}
    several = len(case.inputs) > 1 and len(alike) == 1 and case.inputs[0].ndim > 1
    for split in (False, True) if several else (False,):
        for probed in (False, True) if case.output.ndim else (False,):
            yield _variant(case, split=split, probed=probed)


def _variant(
    case: Case, *, split: bool, probed: bool
) -> tuple[onnx.ModelProto, NDArray[Any], NDArray[Any]]:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    names = [name for name in graph.node[0].input if name]
    output, expected = graph.output[0].name, case.output
    images = case.inputs[0]
    constants = dict(zip(names[1:], case.inputs[1:], strict=True))
    nodes = [*graph.node]
    if split:
        images = np.concatenate(case.inputs, axis=1)
        nodes.insert(0, helper.make_node("Split", ["all"], names, axis=1))
        constants, names = {}, ["all"]
    if probed:
        rows = expected.reshape(len(expected), -1)
        matrix = np.random.default_rng(0).normal(size=(rows.shape[1], FEATURES))
        constants |= {"matrix": matrix.astype(images.dtype)}
        expected = rows @ matrix
        nodes.append(helper.make_node("Flatten", [output], ["rows"], axis=1))
        nodes.append(helper.make_node("MatMul", ["rows", "matrix"], ["product"]))
        output = "product"
    stored = [numpy_helper.from_array(x, name) for name, x in constants.items()]
    kind = helper.np_dtype_to_tensor_dtype(images.dtype)
    ends = [
        [helper.make_tensor_value_info(names[0], kind, images.shape)],
        [helper.make_tensor_value_info(output, kind, expected.shape)],
    ]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.extend(ends[0])
    graph.output.extend(ends[1])
    graph.initializer.extend(stored)
    return model, images, expected


def outcome(case: Case, folder: Path) -> tuple[str, str]:
    """Return passed, refused or wrong, and why.

    What is passed is answered as expected by one variant at least, and wrongly by none.
    """
    passed, reason = False, ""
    for model, images, expected in variants(case):
        path, notes = folder / "node.onnx", list[str]()
        onnx.save(model, path)
        try:
            network = load(path, input_signed=True, notes=notes)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ")
            continue
        if any("another order" in note or "channels last" in note for note in notes):
            continue  # its matrix tells the order
        assert isinstance(network, FloatNetwork)
        inputs = images.reshape(len(images), *network.graph.input.shape)
        answer = answer_floats(network, inputs)[network.graph.outputs[0]]
        if answer.size != expected.size:
            return "wrong", f"{answer.shape} for {expected.shape}"
        difference = np.abs(answer.reshape(expected.shape) - expected).max()
        if not difference <= TOLERANCE * max(1, np.abs(expected).max()):
            return "wrong", f"by {difference}"
        passed = True
    return ("passed", "") if passed else ("refused", reason)
