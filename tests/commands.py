"""How tests call the commands, and what they look at afterwards."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from click.testing import CliRunner, Result
from onnx import TensorProto, helper

from codesign.cli import main

QUICK = (
    "search.trials=4",
    "search.batch=2",
    "training.epochs=1",
    "training.fine_tune_epochs=1",
    "network.layers=[1]",
    "network.widths=[4]",
    "network.residuals=[false]",
    "validation.images=20",
)
UNTRAINED = (*QUICK, "search.workers=1")
"""For runs that are refused before anything is trained."""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "codesign.cli", *map(str, arguments)]


def execute(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    environment = {**os.environ, "CXXFLAGS": "-O0"}
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=environment, check=False
    )


def invoke(*arguments: object) -> Result:
    """Run a command in this process; a bug keeps its traceback."""
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def fingerprint(folder: Path) -> dict[str, str]:
    """Return the digest of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write_model(path: Path, shape: tuple[int, ...], *nodes: onnx.NodeProto) -> Path:
    """Write a model of `nodes` from a digit "x" to "y" of `shape`; "w" and "d" hold weights."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 1, 8, 8))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    weights = np.random.default_rng(0).normal(size=(4, 1, 3, 3)).astype(np.float32)
    dense = np.random.default_rng(1).normal(size=(144, 10)).astype(np.float32)
    graph = helper.make_graph(
        list(nodes),
        "model",
        [x],
        [y],
        [onnx.numpy_helper.from_array(weights, "w"), onnx.numpy_helper.from_array(dense, "d")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def float_model(path: Path) -> Path:
    return write_model(
        path,
        (1, 10),
        helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Flatten", ["b"], ["c"]),
        helper.make_node("Gemm", ["c", "d"], ["y"], name="last"),
    )
