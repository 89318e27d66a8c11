"""Quantised models of others: the integers of ONNX Runtime, and of the QONNX definitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from foreign_models import (
    FORMS,
    SHAPE,
    Form,
    agreement,
    export,
    images,
    modules,
    quantised,
    session,
)
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from codesign.errors import InputError, UnsupportedOperator
from codesign.network import onnx as files
from codesign.network.network import Network
from codesign.network.onnx.quantised import translate_quantised
from codesign.network.onnx.quantised_factors import joining_factors, multipliers
from codesign.network.ops.table import Table

QONNX = "qonnx.custom_op.general"
NAMES = tuple(modules())


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("floats")
    return {name: export(module, folder / f"{name}.onnx") for name, module in modules().items()}


def imported(path: Path) -> tuple[Network, dict[str, str], list[str]]:
    tensors: dict[str, str] = {}
    notes: list[str] = []
    network = translate_quantised(onnx.load(path), path, notes, {}, tensors)
    return network, tensors, notes


# --- onnxruntime.quantization ---------------------------------------------------------------


def refusal(name: str, form: Form) -> str:
    """Return why a model cannot be imported, "" where it can."""
    if name == "average-pool" and form.format == "QDQ":
        return "averages to halves"
    if name == "transposed" and form.format == "QOperator":
        return "has weights that are not quantised"
    if name == "depthwise-relu6" and form.format == "QOperator" and form.symmetric:
        return "'/8/Clip' makes reals that are not quantised"
    return ""


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_quantised_tensor_is_that_of_onnx_runtime(
    name: str, form: Form, floats: dict[str, Path], tmp_path: Path
) -> None:
    path = quantised(floats[name], form, tmp_path / "model.onnx")
    reason = refusal(name, form)
    if reason:
        with pytest.raises(InputError, match=reason):
            imported(path)
        return
    network, tensors, _ = imported(path)
    lacks_kernels = form.format == "QOperator" and form.activations == "s8"
    found = agreement(onnx.load(path), network, tensors, optimised=not lacks_kernels)
    assert found.elements > 100
    assert found.share >= 0.999
    assert found.largest <= 1


def test_a_quantised_model_is_loaded_as_a_network_with_its_own_widths(
    floats: dict[str, Path], tmp_path: Path
) -> None:
    path = quantised(floats["residual"], FORMS[1], tmp_path / "model.onnx")
    notes: list[str] = []
    network = files.load(path, notes=notes)
    assert isinstance(network, Network)
    assert files.problems(path) == []
    assert {node.op.weight_bits for node in network.graph if node.op.has_bias} == {8}
    asymmetric = network.graph["conv2"].output
    assert asymmetric.signed
    assert asymmetric.high - asymmetric.low == 255
    assert notes[-1].startswith("came quantised: weights of [8] bits, tensors of [8, 9] bits")


def test_bytes_with_a_zero_point_become_weights_of_nine_bits(
    floats: dict[str, Path], tmp_path: Path
) -> None:
    path = quantised(floats["conv-bn-relu"], FORMS[4], tmp_path / "model.onnx")
    assert {node.op.weight_bits for node in imported(path)[0].graph if node.op.has_bias} <= {8, 9}


def test_weights_of_four_bits(floats: dict[str, Path], tmp_path: Path) -> None:
    source = export(modules()["conv-bn-relu"], tmp_path / "float.onnx", opset=20)
    model = onnx.load(source)
    model.opset_import[0].version = 21
    onnx.save(model, source)
    path = quantised(source, Form("QDQ", "u8", "s4", per_channel=True), tmp_path / "model.onnx")
    network, tensors, _ = imported(path)
    assert {node.op.weight_bits for node in network.graph if node.op.has_bias} == {4}
    found = agreement(onnx.load(path), network, tensors, optimised=False)
    assert found.share >= 0.999
    assert found.largest <= 1


# --- built by hand --------------------------------------------------------------------------


class Builder:
    """An ONNX model, node by node; images are `1 x 3 x 8 x 8`."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: object, kind: type = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        made = helper.make_node(operator, inputs, [name], name, domain=domain, **attributes)
        self.nodes.append(made)
        return name

    def qdq(self, x: str, scale: float, zero: int = 0, kind: type = np.uint8) -> str:
        inputs = [self.constant(scale), self.constant(zero, kind)]
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, *inputs), *inputs)

    def weights(self, shape: tuple[int, ...], scale: object = 0.02) -> str:
        stored = self.constant(self.rng.integers(-127, 128, shape), np.int8)
        return self.add("DequantizeLinear", stored, self.constant(scale), axis=0)

    def quant(self, x: str, scale: object, bits: int, zero: int = 0, **attributes: int) -> str:
        settings = [self.constant(value) for value in (scale, zero, bits)]
        own = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
        return self.add("Quant", x, *settings, domain=QONNX, **own)

    def bipolar(self, x: str, scale: float = 1.0) -> str:
        return self.add("BipolarQuant", x, self.constant(scale), domain=QONNX)

    def reals(self, *shape: int) -> str:
        return self.constant(self.rng.normal(0, 0.3, shape))

    def norm(self, x: str, channels: int) -> str:
        gains = self.rng.uniform(0.5, 1.5, channels) * self.rng.choice([-1, 1], channels)
        rest = (self.rng.normal(0, 0.4, channels), self.rng.normal(0, 0.2, channels))
        variance = self.rng.uniform(0.2, 1, channels)
        settings = [self.constant(value) for value in (gains, *rest, variance)]
        return self.add("BatchNormalization", x, *settings)

    def model(self, answer: str, opset: int = 15) -> onnx.ModelProto:
        self.nodes.append(helper.make_node("Identity", [answer], ["answer"]))
        kind = TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "hand",
            [helper.make_tensor_value_info("image", kind, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("answer", kind, ["n", "f"])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class Quant(OpRun):
    """arXiv 2206.07527, section IV: scale, add the zero point, saturate, round half to even."""

    op_domain = QONNX

    def _run(self, x, scale, zero, bits, *, signed=1, narrow=0, rounding_mode="ROUND"):
        low = -(2 ** (bits - 1)) + narrow if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        steps = np.rint(np.clip(x / scale + zero, low, high))
        return (((steps - zero) * scale).astype(x.dtype),)


class BipolarQuant(OpRun):
    op_domain = QONNX

    def _run(self, x, scale):
        return (np.where(x >= 0, scale, -scale).astype(x.dtype),)


class Trunc(OpRun):
    op_domain = QONNX

    def _run(self, x, scale, zero, before, after, rounding_mode="FLOOR"):
        steps = np.floor((np.rint(x / scale) + zero) / 2 ** (before - after))
        return (((steps - zero) * scale).astype(x.dtype),)


def evaluated(model: onnx.ModelProto, batch: np.ndarray, names: list[str]) -> list[np.ndarray]:
    """Return tensors of a QONNX model by its definition, in double precision, one by one."""
    double = onnx.ModelProto()
    double.CopyFrom(model)
    for constant in double.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype == np.float32:
            constant.CopyFrom(numpy_helper.from_array(values.astype(np.float64), constant.name))
    runner = ReferenceEvaluator(double, new_ops=[Quant, BipolarQuant, Trunc])
    runs = [runner.run(names, {"image": image[None].astype(np.float64)}) for image in batch]
    return [np.concatenate(parts) for parts in zip(*runs, strict=True)]


def crops(count: int) -> np.ndarray:
    """Return images for the models built by hand, some of them negative."""
    return images(count)[:, :, :8, :8] * 1.5 - 0.4


def gaps(model: onnx.ModelProto, path: Path, count: int = 16) -> dict[str, np.ndarray]:
    """Return how far each quantised tensor, and the answer, are from the definition, in steps."""
    onnx.save(model, path)
    network, tensors, _ = imported(path)
    nodes = tensors | {"answer": network.graph.outputs[0]}
    batch = crops(count)
    values = network.execute(network.quantize_input(batch))
    wanted = evaluated(model, batch, list(nodes))
    return {
        name: np.abs(values[node].ravel() - real.ravel() / network.scales[node])
        for (name, node), real in zip(nodes.items(), wanted, strict=True)
    }


def narrow_network(bits: int) -> onnx.ModelProto:
    """Return two layers of QONNX in `bits` bits, per channel, with and without zero points."""
    b = Builder(bits)
    x = b.quant("image", 0.0157, 8, zero=3)
    steps = b.rng.uniform(0.3, 0.6, (6, 1, 1, 1)) / 2 ** (bits - 1)
    w = b.quant(b.reals(6, 3, 3, 3), steps, bits, narrow=int(bits > 2))
    x = b.add("Relu", b.add("Conv", x, w, pads=[1, 1, 1, 1]))
    x = b.quant(x, 2.13 / 2**bits, bits, signed=0)
    x = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    w = b.quant(b.reals(4, 6, 3, 3), 0.59 / 2 ** (bits - 1), bits)
    x = b.quant(b.add("Conv", x, w), 2.93 / 2**bits, bits, zero=1)
    w = b.quant(b.reals(5, 16), 0.05, 8)
    return b.model(b.add("Gemm", b.add("Flatten", x), w, transB=1))


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 12, 16])
def test_qonnx_of_any_width(bits: int, tmp_path: Path) -> None:
    found = gaps(narrow_network(bits), tmp_path / "model.onnx")
    assert len(found) == 4
    for name, gap in found.items():
        assert (gap < 0.1).mean() >= 0.999, name
        assert gap.max() < 1.1 or name == "answer"


def test_signs_are_exact_whatever_the_normalisation(tmp_path: Path) -> None:
    b = Builder()
    x = b.quant("image", 1 / 128, 8)
    x = b.add("Conv", x, b.bipolar(b.reals(16, 3, 3, 3)))
    x = b.bipolar(b.norm(x, 16))
    x = b.add("Conv", x, b.bipolar(b.reals(16, 16, 3, 3), 0.25))
    x = b.bipolar(b.norm(x, 16), 0.5)
    x = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.add("MatMul", b.add("Flatten", x), b.bipolar(b.reals(64, 5)))
    found = gaps(b.model(x), tmp_path / "model.onnx", count=64)
    assert len(found) == 4
    assert max(gap.max() for gap in found.values()) < 1e-3
    network, tensors, _ = imported(tmp_path / "model.onnx")
    signs = [node for node in network.graph if isinstance(node.op, Table)]
    assert {node.name for node in signs} <= set(tensors.values())
    assert {node.op.weight_bits for node in network.graph if node.op.has_bias} == {2}


def test_a_truncated_average_is_exact(tmp_path: Path) -> None:
    b = Builder()
    x = b.quant("image", 1 / 16, 5)
    x = b.quant(b.add("Conv", x, b.quant(b.reals(6, 3, 3, 3), 0.1, 4)), 0.25, 5)
    x = b.add("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = b.add("Mul", x, b.constant(9.0))
    settings = [b.constant(value) for value in (0.25, 0, 9, 6)]
    x = b.add("Trunc", x, *settings, domain=QONNX, rounding_mode="FLOOR")
    x = b.add("MatMul", b.add("Flatten", x), b.quant(b.reals(24, 5), 0.05, 6))
    found = gaps(b.model(x), tmp_path / "model.onnx", count=64)
    assert len(found) == 4
    assert max(gap.max() for gap in found.values()) < 1e-3


def test_integers_before_any_dequantisation_are_followed(tmp_path: Path) -> None:
    """A model that reads bytes, pools, pads and turns them, and dequantises after that."""
    b = Builder()
    step = [b.constant(0.01), b.constant(7, np.uint8)]
    x = b.add("QuantizeLinear", "image", *step)
    x = b.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = b.add("Pad", x, b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), b.constant(7, np.uint8))
    x = b.add("Conv", b.add("DequantizeLinear", x, *step), b.weights((4, 3, 3, 3)))
    x = b.qdq(x, 0.03, 120)
    path = tmp_path / "model.onnx"
    onnx.save(b.model(b.add("Flatten", x)), path)
    network, _, _ = imported(path)
    batch = crops(4)
    runtime = session(onnx.load(path), optimised=True)
    wanted = [runtime.run(None, {"image": image[None]})[0] for image in batch]
    found = network.answer(network.quantize_input(batch)) * network.scales[network.graph.outputs[0]]
    assert np.abs(found.ravel() - np.concatenate(wanted).ravel()).max() < 1e-4


# --- refused ---------------------------------------------------------------------------------


def in_part(b: Builder) -> str:
    x = b.add("Conv", b.qdq("image", 0.01), b.weights((4, 3, 3, 3)))
    return b.qdq(b.add("Conv", x, b.weights((4, 4, 3, 3))), 0.1)


def without_images(b: Builder) -> str:
    return b.qdq(b.add("Conv", "image", b.weights((4, 3, 3, 3))), 0.1)


def real_weights(b: Builder) -> str:
    return b.qdq(b.add("Conv", b.qdq("image", 0.01), b.reals(4, 3, 3, 3)), 0.1)


def unlike_scores(b: Builder) -> str:
    w = b.weights((4, 192), [0.01, 0.02, 0.01, 0.01])
    return b.add("Gemm", b.add("Flatten", b.qdq("image", 0.01)), w, transB=1)


def read_both_ways(b: Builder) -> str:
    x = b.add("Conv", b.qdq("image", 0.01), b.weights((3, 3, 1, 1)))
    return b.qdq(b.add("Add", x, b.qdq(x, 0.1)), 0.1)


def per_pixel(b: Builder) -> str:
    steps = [b.constant([0.1, 0.2, 0.1]), b.constant([0, 0, 0], np.uint8)]
    x = b.add("QuantizeLinear", "image", *steps, axis=1)
    return b.add("DequantizeLinear", x, *steps, axis=1)


def padded_with_zero_bytes(b: Builder) -> str:
    step = [b.constant(0.01), b.constant(7, np.uint8)]
    x = b.add("QuantizeLinear", "image", *step)
    x = b.add("Pad", x, b.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    return b.add("DequantizeLinear", x, *step)


def dynamic(b: Builder) -> str:
    b.add("DynamicQuantizeLinear", "image")
    return "image"


def integer_product(b: Builder) -> str:
    return b.add("ConvInteger", "image", b.constant(np.ones((4, 3, 3, 3)), np.int8))


def rounded_up(b: Builder) -> str:
    x = b.quant("image", 0.1, 8, rounding_mode="CEIL")  # type: ignore[arg-type]
    return b.add("Conv", x, b.weights((4, 3, 3, 3)))


def one_signed_bit(b: Builder) -> str:
    return b.quant(b.add("Conv", b.qdq("image", 0.01), b.weights((4, 3, 3, 3))), 0.1, 1)


def truncated_sums(b: Builder) -> str:
    x = b.add("Conv", b.qdq("image", 0.01), b.weights((4, 3, 3, 3)))
    settings = [b.constant(value) for value in (0.0002, 0, 16, 8)]
    return b.add("Trunc", x, *settings, domain=QONNX, rounding_mode="FLOOR")


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (in_part, "'conv3' makes reals that are not quantised"),
        (without_images, "reads images that are not quantised"),
        (real_weights, "has weights that are not quantised"),
        (unlike_scores, "sums of one scale per channel"),
        (read_both_ways, "read quantised and in floats"),
        (per_pixel, "per channel of a computed tensor"),
        (padded_with_zero_bytes, "other than the zero point"),
        (dynamic, "DynamicQuantizeLinear is not supported; quantise it statically"),
        (integer_product, "ConvInteger is not supported; quantise it statically"),
        (rounded_up, "rounding mode CEIL"),
        (one_signed_bit, "say BipolarQuant"),
        (truncated_sums, "is truncated, and no average"),
    ],
)
def test_what_has_no_exact_integers_is_refused_by_name(
    build: Callable[[Builder], str], reason: str, tmp_path: Path
) -> None:
    b = Builder()
    path = tmp_path / "model.onnx"
    onnx.save(b.model(build(b)), path)
    with pytest.raises(InputError, match=reason):
        imported(path)


def test_blocks_and_floats_of_eight_bits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    b = Builder()
    stored = b.constant(np.zeros((4, 192)), np.int8)
    w = b.add("DequantizeLinear", stored, b.constant(np.ones((4, 2))), axis=1, block_size=96)
    onnx.save(b.model(b.add("Gemm", b.add("Flatten", b.qdq("image", 0.01)), w, transB=1), 21), path)
    with pytest.raises(UnsupportedOperator, match="in blocks"):
        imported(path)
    b = Builder()
    b.constants.append(helper.make_tensor("z", TensorProto.FLOAT8E4M3FN, [], [0.0]))
    x = b.add("DequantizeLinear", b.add("QuantizeLinear", "image", b.constant(0.1), "z"), "z")
    onnx.save(b.model(x, 19), path)
    with pytest.raises(UnsupportedOperator, match="FLOAT8E4M3FN"):
        imported(path)


# --- ratios ---------------------------------------------------------------------------------

RATIOS = st.lists(st.floats(2.0**-20, 8.0, width=32), min_size=1, max_size=8)


@given(RATIOS)
def test_multipliers_are_the_single_precision_ratios(ratios: list[float]) -> None:
    exact = np.array(ratios, np.float32)
    integers, shift = multipliers(exact, sum_bits=30)
    error = np.abs(integers / 2.0**shift - exact)
    assert (error <= exact.max() * 2.0**-31).all()
    if exact.max() / exact.min() <= 2**6:
        assert (error == 0).all()
    assert 1 <= integers.max() < 2**31
    assert shift == 0 or (integers % 2).any()


@given(st.lists(st.integers(-20, 0), min_size=1, max_size=4), st.integers(10, 40))
def test_powers_of_two_are_shifts(exponents: list[int], sum_bits: int) -> None:
    ratios = np.array([2.0**exponent for exponent in exponents], np.float32)
    integers, shift = multipliers(ratios, sum_bits)
    assert integers.min() == 1
    assert (integers / 2.0**shift == ratios).all()


@given(RATIOS)
def test_joins_have_factors_of_24_bits(ratios: list[float]) -> None:
    exact = np.array(ratios, np.float32)
    factors, shift = joining_factors(exact)
    assert factors.max() < 2**24 + 1
    assert (np.abs(factors / 2.0**shift - exact) <= exact.max() * 2.0**-23).all()


def test_the_images_of_the_zoo_have_its_shape() -> None:
    assert images(1).shape == (1, *SHAPE)
