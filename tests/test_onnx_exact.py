"""Exports of random networks over all operators: exact in ONNX Runtime, identical read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from random_networks import random_images, random_network

from benchmarks.onnx_exact import compare, judge
from codesign.errors import InputError
from codesign.network import serialize
from codesign.network.network import FloatNetwork, Network
from codesign.network.onnx import load, save
from codesign.network.onnx.qonnx_export import export_qonnx
from codesign.network.ops.pool2d import Pool2d
from codesign.network.quantize import post_training
from codesign.network.scales import Kind

SEEDS = range(40)
KINDS: tuple[Kind, ...] = ("power_of_two", "multiplier")


def quantised(seed: int, kind: Kind) -> tuple[Network, np.ndarray]:
    floats = random_network(seed)
    images = random_images(floats, seed)
    network = post_training(floats, images, kind)
    return network, network.quantize_input(images)


def averages_apart(network: Network | FloatNetwork) -> bool:
    """Whether there is a dilated average, of which ONNX Runtime's optimiser makes nonsense."""
    ops = [node.op for node in network.graph if isinstance(node.op, Pool2d)]
    return any(op.kind == "average" and op.window.is_dilated for op in ops)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_integers_of_every_operator_are_those_of_onnx_runtime(seed: int, kind: Kind) -> None:
    network, images = quantised(seed, kind)
    for optimised in (False, True):
        if optimised and averages_apart(network):
            continue
        whole, alone = compare(network, images, optimised)
        if kind == "power_of_two":
            assert whole.different == 0
        assert alone.largest <= 1
        assert alone.share <= 1e-3


@pytest.mark.parametrize("form", ["qdq", "qonnx"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_network_comes_back_without_a_changed_bit(seed: int, form: str, tmp_path: Path) -> None:
    for kind in KINDS:
        network, _ = quantised(seed, kind)
        save(network, tmp_path / "model.onnx", form)
        notes: list[str] = []
        loaded = load(tmp_path / "model.onnx", notes=notes)
        assert isinstance(loaded, Network)
        assert serialize.digest(loaded) == serialize.digest(network)
        assert notes == []


def test_the_qdq_form_is_valid_and_reads_images(tmp_path: Path) -> None:
    network, _ = quantised(3, "multiplier")
    save(network, tmp_path / "model.onnx")
    onnx.checker.check_model(onnx.load(tmp_path / "model.onnx"), full_check=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["resnet8", "ecg"])
def test_reference_networks_are_exact(name: str, kind: Kind) -> None:
    whole, alone = judge(name, kind, count=2)
    assert whole.different == 0 if kind == "power_of_two" else alone.share <= 1e-3
    assert alone.largest <= 1


def _has_no_tables(seed: int) -> bool:
    return not any("table" in node.name for node in random_network(seed).graph)


def _loaded(path: Path) -> Network | FloatNetwork | InputError:
    try:
        return load(path)
    except InputError as error:
        return error


def test_others_read_the_qonnx_form_as_the_same_integers(tmp_path: Path) -> None:
    """Without our own description the file is anybody's, and goes the way of foreign models.

    A table is written by its integers, and an average with a scale of its own by a factor: only
    the description says what these are.
    """
    read = 0
    for seed in filter(_has_no_tables, range(600)):
        network, images = quantised(seed, "power_of_two")
        model = export_qonnx(network)
        del model.metadata_props[:]
        path = tmp_path / "foreign.onnx"
        onnx.save(model, path)
        loaded = _loaded(path)
        if isinstance(loaded, InputError):
            assert loaded.problem.startswith("computes nothing") or "makes reals" in loaded.problem
            continue
        assert isinstance(loaded, Network)
        scale = network.scales["input"] / loaded.scales["input"]
        np.testing.assert_array_equal(
            loaded.answer(images) * loaded.scales[loaded.graph.outputs[0]] * scale,
            network.answer(images) * network.scales[network.graph.outputs[0]],
        )
        read += 1
    assert read >= 8


def test_a_table_that_was_changed_is_read_as_it_is_now(tmp_path: Path) -> None:
    seed = next(s for s in SEEDS if any("table" in n.name for n in random_network(s).graph))
    network, _ = quantised(seed, "power_of_two")
    save(network, tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    name = next(n.name for n in network.graph if "table" in n.name)
    stored = next(t for t in model.graph.initializer if t.name == f"{name}.weights.q")
    values = onnx.numpy_helper.to_array(stored)
    changed = np.where(values == values.max(), values.min(), values)
    stored.CopyFrom(onnx.numpy_helper.from_array(changed.astype(values.dtype), stored.name))
    onnx.save(model, tmp_path / "model.onnx")
    notes: list[str] = []
    loaded = load(tmp_path / "model.onnx", notes=notes)
    assert isinstance(loaded, Network)
    np.testing.assert_array_equal(loaded.parameters[name].weights.ravel(), changed)
    assert any("changed after the export" in note for note in notes)


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    network, _ = quantised(0, "power_of_two")
    with pytest.raises(InputError, match="did you mean qdq"):
        save(network, tmp_path / "model.onnx", "qdqq")
