"""Damaged ONNX files: imported and computed, or refused with one line that names what is wrong.

`python -m benchmarks.onnx_damage` damages ten times as many, and measures memory and time.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from damaged_models import damaged, judged
from onnx import TensorProto, helper, numpy_helper
from real_models import real_files

from codesign.errors import InputError
from codesign.network.onnx import load, problems

DAMAGES = 240
SEED = 0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Seven real files: of both exporters of torch, quantised by others, and our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return real_files(tmp_path_factory.mktemp("real"), ["residual"], ["lenet5"])


def test_real_files_are_imported_before_they_are_damaged(files: list[Path]) -> None:
    assert {path.name: judged(path) for path in files} == {path.name: "answered" for path in files}


def test_damaged_files_answer_or_say_what_is_wrong(
    files: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    found: Counter[str] = Counter()
    for index in range(DAMAGES):
        source = files[index % len(files)]
        kind, data = damaged(source.read_bytes(), np.random.default_rng([SEED, index]))
        path = source.with_name("damaged.onnx")  # weights may lie beside it
        path.write_bytes(data)
        try:
            found[judged(path)] += 1
        except Exception as error:
            error.add_note(f"{index}: {source.name}, {kind}")
            raise
    assert min(found[what] for what in ("answered", "InputError", "UnsupportedOperator")) > 10
    assert capfd.readouterr() == ("", "")


def model(*nodes: onnx.NodeProto, size: int = 8, **constants: object) -> onnx.ModelProto:
    """Return a model from images "x", 1 x 3 x size x size, to "y"."""
    images = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, size, size))
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, tuple("nchw"))
    stored = [numpy_helper.from_array(np.array(held), name) for name, held in constants.items()]
    graph = helper.make_graph(list(nodes), "model", [images], [answer], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _node(operator: str, inputs: str, output: str = "y", **options: object) -> onnx.NodeProto:
    return helper.make_node(operator, inputs.split(), [output], name=f"the_{operator}", **options)


WEIGHTS = np.ones((2, 3, 3, 3), np.float32)

BOMBS: dict[str, Callable[[], onnx.ModelProto]] = {
    "an image": lambda: model(_node("Relu", "x"), size=2**30),
    "a padding": lambda: model(_node("Conv", "x w", pads=[2**20] * 4), w=WEIGHTS),
    "a stride of a transposed convolution": lambda: model(
        _node("ConvTranspose", "x w", strides=[2**31, 2**31]), w=np.ones((3, 2, 1, 1), np.float32)
    ),
    "a pooling": lambda: model(
        _node("AveragePool", "x", kernel_shape=[2**40, 2**40], pads=[2**39] * 4)
    ),
    "an enlargement": lambda: model(
        _node("Resize", "x  s".replace("  ", " none "), mode="nearest"),
        none=np.array([], np.float32),
        s=np.array([1, 1, 2.0**15, 2.0**15], np.float32),
    ),
    "constants made of a shape": lambda: model(
        _node("ConstantOfShape", "s", "c"), _node("Add", "x c"), s=[2**20, 2**20]
    ),
    "repeated constants": lambda: model(
        _node("Tile", "o s", "c"), _node("Add", "x c"), o=np.ones(8, np.float32), s=[2**40]
    ),
    "constants in another shape": lambda: model(
        _node("Expand", "o s", "c"), _node("Add", "x c"), o=np.float32(1), s=[2**20, 2**20]
    ),
}


@pytest.mark.parametrize("form", BOMBS)
def test_what_would_fill_the_memory_is_refused(form: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.onnx"
    onnx.save(BOMBS[form](), path)
    with pytest.raises(InputError, match=r"\d{5}") as caught:
        load(path)
    assert [str(error) for error in problems(path)] == [str(caught.value)]


def test_what_cannot_be_printed_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model(_node("two\nlines\x1b[2J", "x")), path)
    with pytest.raises(InputError, match=r"operator two\\nlines\\x1b\[2J is not supported"):
        load(path)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    data = model(_node("Relu", "x")).SerializeToString()
    path.write_bytes(data.replace(b"the_Relu", b"the_\xff\xfe\xff\xff"))
    with pytest.raises(InputError, match="is no text"):
        load(path)


@pytest.mark.parametrize(("version", "reason"), [(6, "7 is the oldest"), (99, "is the newest")])
def test_operators_of_another_time_are_refused(version: int, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    made = model(_node("Relu", "x"))
    made.opset_import[0].version = version
    onnx.save(made, path)
    with pytest.raises(InputError, match=f"operator set {version}; .*{reason}"):
        load(path)


def test_an_attribute_of_another_type_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    made = model(_node("Conv", "x w", "a", strides=[2, 2]), _node("Det", "a"), w=WEIGHTS)
    made.graph.node[0].attribute[0].type = onnx.AttributeProto.TENSOR
    onnx.save(made, path)
    first, second = map(str, problems(path))
    assert "the_Conv" in first
    assert "the_Det" in second


def test_an_export_with_a_damaged_description_is_refused(files: list[Path]) -> None:
    source = next(path for path in files if path.name == "lenet5.qdq.onnx")
    path = source.with_name("damaged.onnx")
    whole = onnx.load(source)
    for old, new, reason in (
        ('"attributes":{"bits":8,', '"attributes":{"bits":99999999,', "at most 64 bits"),
        ("[", "[" * 9999, "recursion"),
    ):
        made = onnx.ModelProto()
        made.CopyFrom(whole)
        entry = next(entry for entry in made.metadata_props if "nodes" in entry.value)
        entry.value = entry.value.replace(old, new)
        assert entry.value not in {other.value for other in whole.metadata_props}
        onnx.save(made, path)
        with pytest.raises(InputError, match=f"is a damaged export .*{reason}"):
            load(path)
