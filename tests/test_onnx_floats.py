"""Float networks as ONNX models, computed by ONNX Runtime."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import checker

from codesign.errors import InputError
from codesign.load import names
from codesign.network import functions
from codesign.network.floats import execute_floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.model import FOLDER, reference
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.onnx import float_export, load
from codesign.network.onnx.float_export import export_floats, save_floats
from codesign.network.op import Op, Shape
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

MAPS = (4, 7, 6)
FAR = Window((3, 2), (2, 1), (1, 1, 0, 1), (2, 1))

LAYERS: Mapping[str, tuple[Op, Shape]] = {
    "conv": (Conv2d(4, 6, Window((3, 3), (2, 1), (1, 0, 2, 1)), 8), MAPS),
    "conv dilated": (Conv2d(4, 6, FAR, 8), MAPS),
    "conv grouped": (Conv2d(4, 6, Window((3, 3)), 8, groups=2), MAPS),
    "conv depthwise": (Conv2d(4, 8, Window((3, 3)), 8, groups=4), MAPS),
    "conv of a row": (Conv2d(4, 6, Window((1, 5), (1, 2), (0, 2, 0, 2)), 8), (4, 1, 20)),
    "conv of a vector": (Conv2d(4, 6, Window((1, 1)), 8), (4,)),
    "transposed": (ConvTranspose2d(4, 6, Window((2, 2), (2, 2)), 8), MAPS),
    "transposed grouped": (
        ConvTranspose2d(4, 6, Window((3, 3), (2, 3), (1, 0, 1, 2)), 8, 2, (1, 2)),
        MAPS,
    ),
    "transposed dilated": (ConvTranspose2d(4, 4, Window((2, 3), dilation=(3, 1)), 8, 4), MAPS),
    "dense": (Dense(12, 5, 8), (12,)),
    "dense of maps": (Dense(168, 5, 8), MAPS),
}
OTHERS: Mapping[str, tuple[Op, Shape]] = {
    "max": (Pool2d("max", Window((3, 2), (2, 2), (1, 0, 1, 1))), MAPS),
    "max dilated": (Pool2d("max", FAR), MAPS),
    "max of all": (Pool2d("max", Window((7, 6))), MAPS),
    "max of nothing": (Pool2d("max", Window((1, 1))), MAPS),
    "every other pixel": (Pool2d("max", Window((1, 1), (2, 2))), MAPS),
    "average": (Pool2d("average", Window((2, 3), (2, 3))), MAPS),
    "average of padding": (Pool2d("average", Window((3, 3), (1, 1), (1, 1, 1, 1))), MAPS),
    "average within": (
        Pool2d("average", Window((3, 3), (2, 2), (1, 1, 1, 1)), counts_padding=False),
        MAPS,
    ),
    "average dilated": (Pool2d("average", Window((2, 2), dilation=(3, 2))), MAPS),
    "average of all": (Pool2d("average", Window((7, 6))), MAPS),
    "pad": (Pad2d((1, 0, 2, 3)), MAPS),
    "pad a vector": (Pad2d((0, 1, 1, 0)), (4,)),
    "resize": (Resize2d((2, 3)), MAPS),
    "slice": (Slice(1, 3), MAPS),
    "slice of a vector": (Slice(1, 3), (5,)),
}
CASES: Mapping[str, tuple[Op, Shape]] = {**LAYERS, **OTHERS}
ACTIVATIONS: Mapping[str, tuple[bool, tuple[float, float] | None]] = {
    "linear": (True, None),
    "relu": (False, None),
    "relu6": (False, (0.0, 6.0)),
    "clipped": (True, (-0.5, 0.25)),
    "clipped above": (True, (-math.inf, 0.25)),
    "rectified, clipped below": (False, (0.1, math.inf)),
}


def run(model: onnx.ModelProto, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Check a model and compute its outputs, unoptimised."""
    checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    outputs = [output.name for output in session.get_outputs()]
    values = session.run(outputs, {INPUT: images.astype(np.float32)})
    return dict(zip(outputs, values, strict=True))


def check(network: FloatNetwork, count: int = 2) -> onnx.ModelProto:
    """Compare every output with ONNX Runtime's, and return the model."""
    random = np.random.default_rng(0)
    images = random.normal(size=(count, *network.graph.input.shape)).astype(np.float32)
    model = export_floats(network)
    expected = execute_floats(network, images)
    got = run(model, images)
    assert tuple(got) == network.graph.outputs
    for name, values in got.items():
        scale = float(np.abs(expected[name]).max())
        assert values.shape == expected[name].shape
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-5 * scale)
    return model


def single(op: Op, shape: Shape, signed: bool = True) -> FloatNetwork:
    """Return a network of one node, with random weights if it learns."""
    output = Tensor(op.output_shape([shape]), 64 if op.passes else 8, signed)
    node = Node("node", op, (INPUT,), output, 0 if op.passes and signed else 1)
    random, parameters = np.random.default_rng(1), {}
    if op.has_bias:
        assert op.weight_shape
        weights, bias = random.normal(size=op.weight_shape), random.normal(size=op.weight_shape[0])
        parameters["node"] = FloatParameters(weights, bias)
    return FloatNetwork(Graph("case", Tensor(shape, 8, signed=True), (node,)), parameters)


@pytest.mark.parametrize("case", CASES)
def test_an_operator_computes_the_same(case: str) -> None:
    check(single(*CASES[case]))


@pytest.mark.parametrize("case", ["conv", "dense", "max of nothing", "average"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_computes_the_same(case: str, activation: str) -> None:
    signed, clip = ACTIVATIONS[activation]
    network = single(*CASES[case], signed)
    clips = {"node": clip} if clip else {}
    check(FloatNetwork(network.graph, network.parameters, clips))


@pytest.mark.parametrize("name", functions.FUNCTIONS)
@pytest.mark.parametrize("shape", [MAPS, (4,)])
def test_a_function_computes_the_same(name: str, shape: Shape) -> None:
    defaults = functions.FUNCTIONS[name].defaults
    changed = tuple(value * 0.7 for value in defaults)
    for parameters in {defaults, changed}:
        op = Table(name, parameters, (-128, 127), (-128, 127))
        node = Node("node", op, (INPUT,), Tensor(shape, 8, signed=True), 0)
        check(FloatNetwork(Graph("case", Tensor(shape, 8, signed=True), (node,)), {}))


@pytest.mark.parametrize("shape", [MAPS, (4,)])
def test_each_channel_may_have_its_slope(shape: Shape) -> None:
    op = Table("leaky_relu", (0.1, -0.5, 2.0, 0.0), (-128, 127), (-128, 127), channels=4)
    node = Node("node", op, (INPUT,), Tensor(shape, 8, signed=True), 0)
    check(FloatNetwork(Graph("case", Tensor(shape, 8, signed=True), (node,)), {}))


def test_joins_and_several_outputs_compute_the_same() -> None:
    maps, vector = Tensor(MAPS, 8, signed=True), Tensor((4,), 8, signed=True)
    mean = Tensor((4, 1, 1), 8, signed=True)
    joined = Tensor((12, 7, 6), 8, signed=True)
    nodes = (
        Node("mean", Pool2d("average", Window((7, 6))), (INPUT,), mean),
        Node("weighted", Multiply(), (INPUT, "mean"), maps),
        Node("dense", Dense(4, 4, 8), ("mean",), vector),
        Node("gated", Multiply(), (INPUT, "dense"), maps),
        Node("squared", Multiply(), ("dense", "dense"), vector),
        Node("sum", Add(8), ("weighted", "gated"), maps),
        Node("joined", Concat(3, 8), ("sum", INPUT, "sum"), joined),
    )
    graph = Graph("joins", Tensor(MAPS, 8, signed=True), nodes, ("joined", "squared"))
    random = np.random.default_rng(2)
    own = FloatParameters(random.normal(size=(4, 4)), random.normal(size=4))
    check(FloatNetwork(graph, {"dense": own}))


def test_every_operator_and_function_has_its_onnx_form() -> None:
    written = {op.__module__.rpartition(".")[2] for op in float_export._WRITERS}
    written |= {op.__module__.rpartition(".")[2] for op in float_export._PLAIN}
    assert written == set(names("network.ops"))
    assert {*float_export.FUNCTIONS, "silu", "sign"} == set(functions.FUNCTIONS)


LARGEST = {"alexnet", "resnet34", "resnet50", "vgg16"}
"""`benchmarks/onnx_import.py` compares these."""
SMALLER = sorted(set(names(FOLDER)) - LARGEST)


@pytest.mark.parametrize("name", SMALLER)
def test_a_reference_network_computes_the_same(name: str) -> None:
    network = reference(name).network()
    model = check(network, count=1)
    assert {node.op_type for node in model.graph.node} <= {
        *("Conv", "Gemm", "Flatten", "Relu", "Clip", "Add", "Mul", "Concat", "Resize"),
        *("MaxPool", "AveragePool", "GlobalAveragePool", "ConvTranspose"),
        *("LeakyRelu", "HardSwish", "HardSigmoid", "Sigmoid"),
    }


@pytest.mark.parametrize("name", SMALLER)
def test_a_reference_network_that_was_saved_comes_back(name: str, tmp_path: Path) -> None:
    network = reference(name).network()
    save_floats(network, tmp_path / "model.onnx")
    again = load(tmp_path / "model.onnx", input_signed=network.graph.input.signed)
    assert isinstance(again, FloatNetwork)
    assert again.graph.macs == network.graph.macs
    assert again.graph.parameters == network.graph.parameters
    assert again.graph.outputs == network.graph.outputs
    assert again.clips == network.clips
    assert [as_stored(node) for node in again.graph] == [as_stored(n) for n in network.graph]
    assert again.parameters.keys() == network.parameters.keys()
    for node, own in network.parameters.items():
        assert np.array_equal(again.parameters[node].weights, own.weights)
        assert np.array_equal(again.parameters[node].bias, own.bias)


def as_stored(node: Node) -> Node:
    """Return the node with what an attribute of a file can hold: single precision."""
    if not isinstance(node.op, Table):
        return node
    parameters = tuple(float(np.float32(value)) for value in node.op.parameters)
    return replace(node, op=replace(node.op, parameters=parameters))


def test_nothing_is_written_that_computes_nothing() -> None:
    network = reference("resnet8").network()
    written = [(node.op_type, node.name) for node in export_floats(network).graph.node]
    relus = [name for kind, name in written if kind == "Relu"]
    assert len(relus) == 4 + 3  # one per rectified convolution, one per sum; none after the mean
    assert written[-3:] == [
        ("GlobalAveragePool", "pool0"),
        ("Flatten", "dense0.flat"),
        ("Gemm", "dense0"),
    ]
    assert {node.name for node in network.graph} <= {name for _, name in written}


def test_what_is_saved_is_what_is_exported(tmp_path: Path) -> None:
    network = reference("lenet5").network()
    save_floats(network, tmp_path / "lenet5.onnx")
    assert onnx.load(tmp_path / "lenet5.onnx") == export_floats(network)
    with pytest.raises(InputError, match=r"nowhere.*cannot be written"):
        save_floats(network, tmp_path / "nowhere" / "lenet5.onnx")
