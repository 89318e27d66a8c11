"""Float ONNX models as exporters write them, against ONNX Runtime.

The network answers in double precision, ONNX Runtime in single: they agree to `TOLERANCE` of the
largest number of an answer.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch_modules
from numpy.typing import NDArray
from onnx import checker
from torch_modules import ENDS, LATER, MODULES, built

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.floats import answer_floats
from codesign.network.network import FloatNetwork
from codesign.network.onnx import load
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


def drawn(shape: Sequence[int], count: int = 3) -> NDArray[np.float32]:
    """Return images of either sign."""
    numbers = np.random.default_rng(0).normal(size=(count, *shape))
    return numbers.astype(np.float32)


# ---------------------------------------------------------------- torch


def exported(name: str, opset: int | None, path: Path, **options: Any) -> tuple[int, ...]:
    """Write one of the modules with a free batch, and return the shape of its images."""
    logging.disable(logging.WARNING)
    module, shape = built({**MODULES, **ENDS}[name])
    images = (torch.rand(2, *shape),)
    names = {"input_names": ["images"], "output_names": ["answer"]}
    if opset is None:
        free: Any = {"dynamic_shapes": ({0: torch.export.Dim("n")},), "verbose": False}
    else:
        free = {"dynamic_axes": {"images": {0: "n"}}, "opset_version": opset}
    torch.onnx.export(module, images, path, dynamo=opset is None, **names, **free, **options)
    logging.disable(logging.NOTSET)
    return shape


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
    images = drawn(exported(name, opset, tmp_path / "model.onnx"))
    network = imported(tmp_path / "model.onnx")
    check(answered(network, images), run(onnx.load(tmp_path / "model.onnx"), images))
