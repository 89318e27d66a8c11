"""Real ONNX files: of both exporters of torch, of `onnxruntime.quantization`, and our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from foreign_models import FORMS, SHAPE, export, modules, quantised, quiet

from codesign.network.model import reference
from codesign.network.onnx import save
from codesign.network.onnx.float_export import save_floats
from codesign.network.quantize import post_training


def real_files(folder: Path, names: Iterable[str], references: Iterable[str]) -> list[Path]:
    """Write some of `foreign_models` and of the reference networks, each in every form."""
    made = modules()
    files = [path for name in names for path in _of_torch(made[name], folder / f"{name}.onnx")]
    return files + [path for name in references for path in _of_ours(name, folder)]


def _of_torch(module: torch.nn.Module, path: Path) -> Iterator[Path]:
    """Yield what each exporter makes of a module; the newer one puts its weights beside it."""
    source = export(module, path)
    yield path.with_suffix(".raw.onnx")
    newer = path.with_suffix(".dynamo.onnx")
    with quiet():
        torch.onnx.export(module, (torch.zeros(1, *SHAPE),), newer, dynamo=True, verbose=False)
    yield newer
    for form in (FORMS[1], FORMS[-2]):
        yield quantised(source, form, path.with_suffix(f".{form.format}.onnx"))


def _of_ours(name: str, folder: Path) -> Iterator[Path]:
    """Yield a network in floats, and both exports of its integers."""
    floats = reference(name).network()
    path = folder / f"{name}.float.onnx"
    save_floats(floats, path)
    yield path
    images = np.random.default_rng(0).random((2, *floats.graph.input.shape))
    network = post_training(floats, images)
    for form in ("qdq", "qonnx"):
        path = folder / f"{name}.{form}.onnx"
        save(network, path, form)
        yield path
