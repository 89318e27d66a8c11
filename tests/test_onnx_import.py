"""Float ONNX models as exporters write them, against ONNX Runtime.

The network answers in double precision, ONNX Runtime in single: they agree to `TOLERANCE` of the
largest number of an answer.
"""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from framework_models import MODELS as FRAMEWORKS
from framework_models import Writer, named
from numpy.typing import NDArray
from onnx import checker
from random_models import RandomModel
from torch_modules import ENDS, LATER, MODULES, built

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.floats import answer_floats
from codesign.network.network import FloatNetwork
from codesign.network.onnx import constants, images, load, qoperator, quantised, values
from codesign.network.onnx.operators import KNOWN
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.table import Table

TOLERANCE = 1e-5
OPSETS = (9, 11, 13, 17, None)
"""Of torch's older exporter; None is the newer one, as it is by default."""

pytestmark = pytest.mark.filterwarnings("ignore")


def run(model: onnx.ModelProto, images: NDArray[Any]) -> list[NDArray[Any]]:
    """Return what ONNX Runtime makes of images, unoptimised."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    answers: list[NDArray[Any]] = session.run(None, {session.get_inputs()[0].name: images})
    return answers


def imported(path: Path, notes: list[str] | None = None) -> FloatNetwork:
    """Return the network of a file."""
    network = load(path, input_signed=True, notes=notes)
    assert isinstance(network, FloatNetwork)
    return network


def answered(network: FloatNetwork, images: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the answers to images in any shape."""
    batch = images.reshape(-1, *network.graph.input.shape)
    return list(answer_floats(network, batch).values())


def check(answers: Sequence[NDArray[Any]], expected: Sequence[NDArray[Any]]) -> None:
    """Compare answers, element after element."""
    for answer, wanted in zip(answers, expected, strict=True):
        limit = TOLERANCE * float(np.abs(wanted).max())
        assert limit > 0
        np.testing.assert_allclose(answer.reshape(wanted.shape), wanted, rtol=0, atol=limit)


def drawn(shape: Sequence[int], count: int = 5) -> NDArray[np.float32]:
    """Return images of either sign."""
    numbers = np.random.default_rng(0).normal(size=(count, *shape))
    return numbers.astype(np.float32)


# ---------------------------------------------------------------- torch


def exported(
    name: str, opset: int | None, path: Path, *, untouched: bool = False
) -> NDArray[np.float32]:
    """Write a module as torch exports it, and return images for it."""
    content, shape = _exported(name, opset, untouched)
    path.write_bytes(content)
    return drawn(shape)


@cache
def _exported(name: str, opset: int | None, untouched: bool) -> tuple[bytes, tuple[int, ...]]:
    """Return the file of a module with a free batch, and the shape of its images."""
    logging.disable(logging.WARNING)
    module, shape = built({**MODULES, **ENDS}[name])
    images = (torch.rand(2, *shape),)
    names = {"input_names": ["images"], "output_names": ["answer"]}
    if opset is None:
        free: Any = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "verbose": False}
    else:
        free = {"dynamic_axes": {"images": {0: "n"}}, "opset_version": opset}
    if untouched:
        free |= {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    file = io.BytesIO()
    torch.onnx.export(module, images, file, dynamo=opset is None, **names, **free)
    logging.disable(logging.NOTSET)
    return file.getvalue(), shape


@pytest.mark.parametrize(
    ("name", "opset"),
    [
        pytest.param(name, opset, id=f"{name}-{opset or 'dynamo'}")
        for name in MODULES
        for opset in OPSETS
        if opset != 9 or name not in LATER
    ],
)
def test_what_torch_exports_keeps_its_answers(name: str, opset: int | None, tmp_path: Path) -> None:
    images = exported(name, opset, tmp_path / "model.onnx")
    network = imported(tmp_path / "model.onnx")
    check(answered(network, images), run(onnx.load(tmp_path / "model.onnx"), images))


def test_functions_of_several_nodes_become_one_table_each(tmp_path: Path) -> None:
    for opset in (9, 17, None):
        exported("functions", opset, tmp_path / "model.onnx")
        graph = imported(tmp_path / "model.onnx").graph
        kinds = Counter(type(node.op) for node in graph)
        assert kinds == {Conv2d: 15, Table: 14, Dense: 1}
        expected = {
            *("leaky_relu", "hard_swish", "silu", "gelu", "mish", "elu", "softplus", "tanh"),
            *("hard_sigmoid", "sigmoid", "selu", "softsign"),
        }
        assert {node.op.function for node in graph if isinstance(node.op, Table)} == expected


def test_what_is_almost_a_function_is_none(tmp_path: Path) -> None:
    """`min(x, 100) * sigmoid(x)` is SiLU almost everywhere."""
    w = Writer(13)
    low = w.node("Min", "x", w.constant(100.0))
    product = w.node("Mul", low, w.node("Sigmoid", "x"))
    answer = w.node("Gemm", product, w.weights(2, 3))
    onnx.save(w.model(answer, ("n", 2)), tmp_path / "model.onnx")
    network = imported(tmp_path / "model.onnx")
    images = drawn((2,), 9) * 300
    check(answered(network, images), run(onnx.load(tmp_path / "model.onnx"), images))


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize("name", ["normalisations", "Softmax"])
def test_an_untouched_export_keeps_its_answers(name: str, opset: int, tmp_path: Path) -> None:
    """With batch normalisation and dropout as nodes, as for further training."""
    images = exported(name, opset, tmp_path / "model.onnx", untouched=True)
    model = onnx.load(tmp_path / "model.onnx")
    kinds = Counter(node.op_type for node in model.graph.node)
    assert kinds["BatchNormalization"] == (7 if name == "normalisations" else 0)
    answers = answered(imported(tmp_path / "model.onnx"), images)
    if name == "Softmax":
        answers = [np.exp(answers[0]) / np.exp(answers[0]).sum(axis=1, keepdims=True)]
    check(answers, run(model, images))


@pytest.mark.parametrize("opset", [17, None])
@pytest.mark.parametrize("operator", ENDS)
def test_the_end_is_left_to_the_host(operator: str, opset: int | None, tmp_path: Path) -> None:
    images = exported(operator, opset, tmp_path / "model.onnx")
    notes: list[str] = []
    (answer,) = answered(imported(tmp_path / "model.onnx", notes), images)
    assert any(operator in note and "is left to the host" in note for note in notes)
    (expected,) = run(onnx.load(tmp_path / "model.onnx"), images)
    if operator == "Softmax":
        expected = expected.argmax(axis=1)
    np.testing.assert_array_equal(answer.argmax(axis=1), expected)


# ---------------------------------------------------------------- other frameworks


@pytest.mark.parametrize("form", FRAMEWORKS)
def test_what_others_export_keeps_its_answers(form: str, tmp_path: Path) -> None:
    model, shape = FRAMEWORKS[form]()
    checker.check_model(model)
    onnx.save(model, tmp_path / "model.onnx")
    network = imported(tmp_path / "model.onnx")
    images = drawn(shape)
    turned = np.moveaxis(images, -1, 1) if shape != network.graph.input.shape else images
    check(answered(network, turned), run(model, images))


def test_bounds_and_normalisation_become_part_of_layers(tmp_path: Path) -> None:
    for form in ("tensorflow", "tensorflow, bounds apart"):
        onnx.save(FRAMEWORKS[form]()[0], tmp_path / "model.onnx")
        network = imported(tmp_path / "model.onnx")
        names = [node.name for node in network.graph]
        assert names == ["conv0", "conv1", "conv2", "add0", "pool0", "dense0"]
        assert network.clips == {"conv0": (0.0, 6.0), "conv1": (0.0, 6.0)}


def test_what_becomes_of_a_part_is_no_matter_of_the_others(tmp_path: Path) -> None:
    for operator in ("Split", "Pad"):
        w = Writer(13)
        maps = w.node("Conv", "x", w.weights(6, 3, 1, 1))
        if operator == "Split":
            left = w.node("Split", maps, w.constant([3, 3]), axis=1, parts=2)
            right = left.replace(".0", ".1")
        else:
            right = w.node("Pad", maps, w.constant([0, 0, 1, 1, 0, 0, 1, 1]))
            left = w.node("Slice", right, w.constant([0]), w.constant([3]), w.constant([1]))
        clipped = w.node("Relu", w.node("Identity", left))
        rows = w.node("Flatten", w.node("Concat", clipped, right, axis=1))
        features = 6 * 16 if operator == "Split" else 9 * 36
        model = w.model(w.node("MatMul", rows, w.weights(features, 3)), ("n", 3, 4, 4))
        onnx.save(model, tmp_path / "model.onnx")
        images = drawn((3, 4, 4))
        check(answered(imported(tmp_path / "model.onnx"), images), run(model, images))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("n", 2, "height", 5), r"dimension 2 \('height'\) is dynamic.*fixed image size"),
        (("n", "channels", 5, 5), r"dimension 1 \('channels'\) is dynamic"),
        (("n", 2, 5, -1), "dimension 3 is dynamic"),
    ],
)
def test_other_free_dimensions_are_refused_by_name(
    shape: tuple[int | str, ...], message: str, tmp_path: Path
) -> None:
    onnx.save(named(shape), tmp_path / "model.onnx")
    with pytest.raises(InputError, match=message):
        load(tmp_path / "model.onnx")


# ---------------------------------------------------------------- random models

SEEDS = 60
MOST_REFUSED = 6


def test_random_models_keep_their_answers(tmp_path: Path) -> None:
    refused: list[str] = []
    for seed in range(SEEDS):
        made = RandomModel(seed)
        model = made.model()
        onnx.save(model, tmp_path / "model.onnx")
        images = drawn(made.shape)
        expected = run(model, images)
        try:
            network = imported(tmp_path / "model.onnx")
        except UnsupportedOperator as error:
            refused.append(f"{seed}: {error}")
            continue
        check(answered(network, images), expected)
    print(f"{len(refused)} of {SEEDS} random models are refused", *refused, sep="\n")
    assert len(refused) <= MOST_REFUSED


# ---------------------------------------------------------------- the user's page

PAGE = Path(__file__).parents[1] / "docs" / "import.md"


def listed(heading: str, column: int) -> set[str]:
    """Return the operators that one column of a table on the page lists."""
    section = PAGE.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| `")]
    rows += [line.split("|") for line in section.splitlines() if line.startswith("| Q")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[column])}


def test_the_page_lists_every_operator() -> None:
    assert listed("Operators of float models", 1) == KNOWN


def test_the_page_lists_every_quantised_operator() -> None:
    text = PAGE.read_text().split("## Quantised models\n")[1].split("\nNot read:")
    unread = set(re.findall(r"`(\w+)`", text[1].split("\n\n")[0]))
    assert listed("Quantised models", 2) | unread == quantised._OPERATORS
    assert unread == qoperator.REMEDIES.keys()


def test_constants_of_the_page_are_the_importers() -> None:
    limits = PAGE.read_text().split("## Limits\n")[1]
    for most in (images.MOST_ELEMENTS, values.MOST_PLACES, constants.MOST_ELEMENTS):
        assert f"| {most:,} numbers |" in limits


def refusals() -> dict[str, Writer]:
    """Return by a phrase of the page a model whose last node is refused with it."""
    made = {}

    def conv() -> tuple[Writer, str]:
        w = Writer(17)
        return w, w.node("Conv", "x", w.weights(4, 3, 1, 1))

    w, maps = conv()
    w.node("MatMul", maps, maps)
    made["whose input 1 is computed"] = w
    w, maps = conv()
    turned = w.node(
        "Reshape", w.node("Transpose", maps, perm=[0, 2, 1, 3]), w.constant([1, 4, 8, 8])
    )
    w.node("MaxPool", turned, kernel_shape=[2, 2])
    made["of a tensor whose elements were reordered"] = w
    w, maps = conv()
    w.node("Add", maps, w.node("Transpose", maps, perm=[0, 1, 3, 2]))
    made["of tensors in different orders"] = w
    w, maps = conv()
    w.node("Reshape", maps, w.constant([4, -1]))
    made["images have to stay apart"] = w
    w, maps = conv()
    w.node("Add", maps, w.weights(8, 8))
    made["with constants of shape"] = w
    w, maps = conv()
    w.node("Relu", w.node("Softmax", maps, axis=1))
    made["after an operator that only ends a model"] = w
    w, maps = conv()
    w.node("BatchNormalization", maps, *(w.weights(4) for _ in range(4)), training_mode=1)
    made["in training mode"] = w
    w, maps = conv()
    w.node("LSTM", maps, w.weights(1, 4, 4), w.weights(1, 4, 4))
    made["operator LSTM"] = w
    return made


@pytest.mark.parametrize("phrase", refusals())
def test_what_the_page_explains_is_what_is_said(phrase: str, tmp_path: Path) -> None:
    w = refusals()[phrase]
    onnx.save(w.model(w.nodes[-1].output[0], ("n", 3, 8, 8)), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedOperator, match=phrase) as caught:
        load(tmp_path / "model.onnx")
    assert f"'{w.nodes[-1].name}'" in str(caught.value)
    assert f"| `{phrase}" in PAGE.read_text()
