"""ONNX files against ONNX Runtime and torch, which nobody here wrote."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_errors

from codesign.errors import CodesignError, InputError, UnsupportedOperator
from codesign.network import serialize
from codesign.network.floats import execute_floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, Network, Parameters, finish
from codesign.network.onnx import load, save
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.quantize import post_training
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

LEVELS = (
    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
)
RUNTIME_REFUSALS = (
    runtime_errors.Fail,
    runtime_errors.InvalidGraph,
    runtime_errors.NotImplemented,
    runtime_errors.RuntimeException,
)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


def _session(model: onnx.ModelProto, level: Any = LEVELS[0]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # without it, processors that lack VNNI saturate sums of unsigned times signed bytes
    options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


# ---------------------------------------------------------------- integer networks


class _Builder:
    """Grows a random valid network node by node.

    A `usual` one has no maximum that requantises or comes last, and one multiplier for all
    channels of an addition or average: ONNX Runtime's optimiser turns those into graphs that it
    then refuses itself.
    """

    def __init__(self, seed: int, multiplier_bits: int, usual: bool = False) -> None:
        self.usual = usual
        self.random = np.random.default_rng(seed)
        self.multiplier_bits = multiplier_bits
        shape = tuple(int(extent) for extent in self.random.integers((1, 6, 6), (4, 11, 11)))
        self.tensors = {INPUT: Tensor(shape, self._bits(), bool(self.random.integers(2)))}
        self.nodes: list[Node] = []
        self.parameters: dict[str, Parameters] = {}

    def network(self) -> Network:
        source = INPUT
        for _ in range(int(self.random.integers(1, 6))):
            grow = self.random.choice([self.conv, self.pool, self.residual])
            source = grow(source)
        if self.random.integers(4) or (self.usual and source.startswith("pool")):
            features = self.tensors[source].elements
            op = Dense(features, int(self.random.integers(1, 11)), self._bits())
            source = self.add("dense", op, (source,), last=bool(self.random.integers(4)))
        graph = Graph("random", self.tensors[INPUT], tuple(self.nodes))
        return Network(graph, self.parameters, {name: self._scale() for name in self.tensors})

    def conv(self, source: str, keep: bool = False) -> str:
        tensor = self.tensors[source]
        window = Window((3, 3), (1, 1), (1, 1, 1, 1)) if keep else self._window(tensor)
        outputs = tensor.channels if keep else int(self.random.integers(1, 7))
        return self.add("conv", Conv2d(tensor.channels, outputs, window, self._bits()), (source,))

    def pool(self, source: str) -> str:
        tensor = self.tensors[source]
        kind = str(self.random.choice(["max", "average"]))
        whole = not self.random.integers(4)
        window = Window(tensor.shape[1:]) if whole else self._window(tensor)
        return self.add("pool", Pool2d(kind, window), (source,))

    def residual(self, source: str) -> str:
        return self.add("add", Add(self._bits()), (self.conv(source, keep=True), source))

    def add(self, kind: str, op: Op, inputs: tuple[str, ...], last: bool = False) -> str:
        name = f"{kind}{len(self.nodes)}"
        sources = [self.tensors[source] for source in inputs]
        own = self._learned(op)
        low, high = op.accumulator_range(sources, own.weights)
        shape = op.output_shape([tensor.shape for tensor in sources])
        bits, signed, multiplier_bits = self._bits(), bool(self.random.integers(2)), 0
        passes = isinstance(op, Pool2d) and op.kind == "max"
        if passes and (self.usual or self.random.integers(3)):
            bits, signed = sources[0].bits, sources[0].signed
        elif last:
            bits, signed = 32, True
        else:
            multiplier_bits = self.multiplier_bits
            own = self._requantised(
                own, shape[0] if op.has_bias or not self.usual else 1, max(high, -low), bits
            )
        sum_bits = 32 if own.bias is not None else 0  # a bias here is larger than layers learn
        node = Node(name, op, inputs, Tensor(shape, bits, signed), multiplier_bits, sum_bits)
        self.nodes.append(node)
        self.tensors[name], self.parameters[name] = node.output, own
        return name

    def _learned(self, op: Op) -> Parameters:
        if op.weight_shape is None:
            return Parameters()
        limit = 1 << (op.weight_bits - 1)
        low = 1 if isinstance(op, Add) else -limit
        weights = self.random.integers(low, max(limit, 2), op.weight_shape)
        bias = self.random.integers(-99, 99, len(weights)) if op.has_bias else None
        return Parameters(weights, bias)

    def _requantised(self, own: Parameters, channels: int, bound: int, bits: int) -> Parameters:
        count = channels if self.random.integers(2) else 1
        top = 1 << self.multiplier_bits
        multiplier = self.random.integers(max(1, top // 4), top, count)
        wanted = bound * int(multiplier.max()) >> bits
        shift = max(0, wanted.bit_length() - int(self.random.integers(1, 3)))
        return Parameters(own.weights, own.bias, multiplier, shift)

    def _window(self, tensor: Tensor) -> Window:
        kernel = self.random.integers(1, [min(4, extent) + 1 for extent in tensor.shape[1:]])
        padding = self.random.integers(0, np.tile(kernel, 2))
        stride = self.random.integers(1, 4, 2)
        return Window(*(tuple(int(x) for x in extents) for extents in (kernel, stride, padding)))

    def _scale(self) -> float:
        return float(2.0 ** self.random.integers(-9, 3) * self.random.uniform(1, 2))

    def _bits(self) -> int:
        return int(self.random.integers(2, 9))


def _run_layers(network: Network, path: Path, images: NDArray[Any], level: Any) -> dict[str, Any]:
    """Return ONNX Runtime's integers of every requantised node, and the model's output."""
    save(network, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    made = {output for node in model.graph.node for output in node.output}
    marked = [node.name for node in network.graph if f"{node.name}.q" in made]
    model.graph.output.extend(helper.make_empty_tensor_value_info(f"{n}.q") for n in marked)
    reals = (images * network.scales[INPUT]).astype(np.float32)
    answers = _session(model, level).run(None, {INPUT: reals})
    return dict(zip(["output", *marked], answers, strict=True))


def _images(network: Network, count: int = 8) -> NDArray[np.int64]:
    tensor = network.graph.input
    random = np.random.default_rng(1)
    return random.integers(tensor.low, tensor.high + 1, (count, *tensor.shape))


@pytest.mark.parametrize("level", LEVELS, ids=["plain", "optimised"])
@pytest.mark.parametrize("seed", range(60))
def test_power_of_two_scales_are_exact_in_onnx_runtime(
    seed: int, level: Any, tmp_path: Path
) -> None:
    network = _Builder(seed, multiplier_bits=1, usual=level is LEVELS[1]).network()
    images = _images(network)
    expected = network.execute(images)
    answers = _run_layers(network, tmp_path / "model.onnx", images, level)
    output = answers.pop("output")
    for name, integers in answers.items():
        np.testing.assert_array_equal(integers, expected[name], err_msg=name)
    last = network.graph.nodes[-1].name
    steps = output / np.float32(network.scales[last])
    np.testing.assert_allclose(steps, expected[last], rtol=1e-6, atol=0)


def test_multipliers_differ_by_one_step_at_most_and_rarely(tmp_path: Path) -> None:
    elements = different = 0
    for seed in range(40):
        network = _Builder(seed, multiplier_bits=16).network()
        images = _images(network)
        values = _run_layers(network, tmp_path / "model.onnx", images, LEVELS[0])
        values[INPUT] = images
        for node in network.graph:
            if node.name not in values:
                continue
            own = network.parameters[node.name]
            sources = [values[name].astype(np.int64) for name in node.inputs]
            expected = finish(node, own, node.op.accumulate(sources, own.weights))
            difference = np.abs(values[node.name] - expected)
            assert difference.max() <= 1, (seed, node.name)
            elements += difference.size
            different += int(difference.sum())
    assert elements > 50_000
    assert different / elements < 1e-3


@pytest.mark.parametrize("multiplier_bits", [1, 5, 16])
def test_what_was_saved_is_loaded_to_the_bit(multiplier_bits: int, tmp_path: Path) -> None:
    for seed in range(25):
        network = _Builder(seed, multiplier_bits).network()
        save(network, tmp_path / "model.onnx")
        notes: list[str] = []
        loaded = load(tmp_path / "model.onnx", notes=notes)
        assert isinstance(loaded, Network)
        assert serialize.digest(loaded) == serialize.digest(network)
        assert notes == []


def test_equal_networks_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(_Builder(3, 16).network(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_wide_integers_are_kept(tmp_path: Path) -> None:
    op = Conv2d(1, 1, Window((1, 1)), bits=16)
    nodes = (Node("a", op, (INPUT,), Tensor((1, 2, 2), 13, True)),)
    own = Parameters(np.array([[[[-32768]]]]), np.array([1 << 20]), np.array([1]), 12)
    graph = Graph("wide", Tensor((1, 2, 2), 8, False), nodes)
    network = Network(graph, {"a": own}, {INPUT: 1.0, "a": 0.5})
    images = _images(network)
    answers = _run_layers(network, tmp_path / "wide.onnx", images, LEVELS[0])
    np.testing.assert_array_equal(answers["a"], network.execute(images)["a"])
    loaded = load(tmp_path / "wide.onnx")
    assert isinstance(loaded, Network)
    assert serialize.digest(loaded) == serialize.digest(network)


def _constant(model: onnx.ModelProto, ending: str) -> TensorProto:
    return next(t for t in model.graph.initializer if t.name.endswith(ending))


def test_edited_weights_are_loaded_and_noted(tmp_path: Path) -> None:
    path, network = tmp_path / "model.onnx", _Builder(3, 1).network()
    save(network, path)
    model = onnx.load(path)
    stored = _constant(model, ".weights.q")
    name = stored.name.removesuffix(".weights.q")
    old = numpy_helper.to_array(stored)
    stored.CopyFrom(numpy_helper.from_array(np.where(old > 0, old - 1, old), stored.name))
    onnx.save(model, path)
    notes: list[str] = []
    loaded = load(path, notes=notes)
    assert isinstance(loaded, Network)
    np.testing.assert_array_equal(loaded.parameters[name].weights, np.where(old > 0, old - 1, old))
    assert any("changed after the export" in note for note in notes)


@pytest.mark.parametrize("ending", [".weights.scale", ".q", "conv0"])
def test_an_edited_graph_is_refused_by_name(ending: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    save(_residual_network(tmp_path), path)
    model = onnx.load(path)
    if ending == ".weights.scale":
        stored = _constant(model, ending)
        doubled = np.asarray(numpy_helper.to_array(stored) * 2, np.float32)
        stored.CopyFrom(numpy_helper.from_array(doubled, stored.name))
    elif ending == ".q":
        node = next(n for n in model.graph.node if n.op_type == "DequantizeLinear")
        node.input[0] = "input.q" if node.input[0] != "input.q" else "conv0.weights.q"
    else:
        node = next(n for n in model.graph.node if n.name == ending)
        next(a for a in node.attribute if a.name == "strides").ints[:] = [2, 2]
    onnx.save(model, path)
    with pytest.raises(InputError, match="was changed after the export"):
        load(path)


def _residual_network(folder: Path) -> Network:
    images = _pictures()
    return post_training(_imported(_Residual(), folder / "float.onnx", images, 17), images)


# ---------------------------------------------------------------- float models


class _Residual(torch.nn.Module):
    """Batch normalisation, a residual block, pooling by mean."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(6)
        self.second = torch.nn.Conv2d(6, 6, 3, padding=1)
        self.pool = torch.nn.AvgPool2d(2)
        self.last = torch.nn.Linear(6, 5)
        torch.nn.init.uniform_(self.norm.weight, 0.5, 2)
        torch.nn.init.normal_(self.norm.bias)
        torch.nn.init.normal_(self.norm.running_mean)
        torch.nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first = torch.relu(self.norm(self.first(images)))
        both = torch.relu(first + self.second(first))
        return self.last(self.pool(both).mean((2, 3)))


class _Classic(torch.nn.Module):
    """Rectifiers after pooling, view by the batch's size, dropout, softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = torch.nn.Conv2d(3, 4, (3, 2), stride=(1, 2), padding=(1, 0))
        self.second = torch.nn.Conv2d(4, 5, 3)
        self.drop = torch.nn.Dropout()
        self.hidden = torch.nn.Linear(5 * 2 * 1, 8, bias=False)
        self.norm = torch.nn.BatchNorm1d(8)
        self.last = torch.nn.Linear(8, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = torch.relu(torch.max_pool2d(self.first(images), 3, 2, 1))
        maps = torch.relu(torch.max_pool2d(self.second(maps), (2, 1)))
        vectors = self.drop(maps.view(maps.size(0), -1))
        return torch.softmax(self.last(torch.relu(self.norm(self.hidden(vectors)))), 1)


class _Plain(torch.nn.Module):
    """Sequential layers, signed sums inside, an addition that is not rectified."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.stem = torch.nn.Conv2d(3, 4, 1)
        self.branch = torch.nn.Sequential(
            torch.nn.Conv2d(4, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 1)
        )
        self.head = torch.nn.Sequential(
            torch.nn.AvgPool2d(3, 2, 1),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 3),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        stem = self.stem(images)
        return self.head(stem + self.branch(stem))


def _export(
    module: torch.nn.Module, path: Path, images: NDArray[Any], opset: int | None, free: bool = True
) -> None:
    """Write a model by torch's exporter: the legacy one for a given opset, else dynamo's."""
    sample = (torch.tensor(images[:2], dtype=torch.float32),)
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["answer"]}
    if opset is not None:
        axes = {"dynamic_axes": {"images": {0: "n"}}} if free else {}
        torch.onnx.export(
            module.eval(), sample, path, dynamo=False, opset_version=opset, **names, **axes
        )
    else:
        pytest.importorskip("onnxscript", reason="torch's dynamo exporter needs onnxscript")
        shapes = {"dynamic_shapes": ({0: torch.export.Dim("n")},)} if free else {}
        torch.onnx.export(
            module.eval(), sample, path, dynamo=True, verbose=False, **names, **shapes
        )


def _imported(
    module: torch.nn.Module, path: Path, images: NDArray[Any], opset: int | None
) -> FloatNetwork:
    _export(module, path, images, opset)
    loaded = load(path)
    assert isinstance(loaded, FloatNetwork)
    return loaded


def _pictures() -> NDArray[np.float64]:
    return np.random.default_rng(0).uniform(0, 1, (16, 3, 12, 12))


MODULES = (_Residual, _Classic, _Plain)


@pytest.mark.parametrize(
    ("module", "opset"),
    [
        pytest.param(module, opset, id=f"{module.__name__}-{opset or 'dynamo'}")
        for module in MODULES
        for opset in (9, 11, 13, 17, 18, 20, None)
    ],
)
def test_float_models_of_torch_keep_their_answers(
    module: Callable[[], torch.nn.Module], opset: int | None, tmp_path: Path
) -> None:
    path, images = tmp_path / "model.onnx", _pictures()
    network = _imported(module(), path, images, opset)
    answer = execute_floats(network, images)[network.graph.nodes[-1].name]
    if module is _Classic:
        answer = np.exp(answer) / np.exp(answer).sum(axis=1, keepdims=True)
    (expected,) = _session(onnx.load(path)).run(None, {"images": images.astype(np.float32)})
    np.testing.assert_allclose(answer, expected, atol=1e-4)


@pytest.mark.parametrize("opset", [17, None], ids=str)
def test_a_baked_in_batch_is_no_matter(opset: int | None, tmp_path: Path) -> None:
    path, images = tmp_path / "model.onnx", _pictures()
    _export(_Classic(), path, images, opset, free=False)
    fixed = load(path)
    free = _imported(_Classic(), path, images, 17)
    assert isinstance(fixed, FloatNetwork)
    left, right = (execute_floats(network, images)["dense1"] for network in (fixed, free))
    np.testing.assert_allclose(left, right, atol=1e-6)


def test_a_trained_model_becomes_the_expected_graph(tmp_path: Path) -> None:
    path, notes = tmp_path / "my_model.onnx", []
    _export(_Classic(), path, _pictures(), 17)
    loaded = load(path, weight_bits=4, activation_bits=3, input_signed=True, notes=notes)
    assert loaded.graph.name == "my_model"
    assert loaded.graph.input == Tensor((3, 12, 12), 8, True)
    names = [node.name for node in loaded.graph]
    assert names == ["conv0", "pool0", "conv1", "pool1", "dense0", "dense1"]
    for name in names[:-1]:
        assert (loaded.graph.tensor(name).bits, loaded.graph.tensor(name).signed) == (3, False)
    assert [loaded.graph[name].multiplier_bits for name in names] == [1, 0, 1, 0, 1, 0]
    assert {node.op.weight_bits for node in loaded.graph if node.op.has_bias} == {4}
    last = loaded.graph["dense1"]
    assert last.output == Tensor((4,), last.accumulator_bits, True)
    assert "conv0 is '/first/Conv'" in notes[0]
    assert any("Softmax '/Softmax' is left to the host" in note for note in notes)


def test_a_quantised_model_of_torch_runs_the_same_in_onnx_runtime(tmp_path: Path) -> None:
    network = _residual_network(tmp_path)
    images = network.quantize_input(_pictures())
    expected = network.execute(images)
    answers = _run_layers(network, tmp_path / "model.onnx", images, LEVELS[0])
    assert len(answers) == len(network.graph.nodes)
    for name in answers.keys() - {"output"}:
        np.testing.assert_array_equal(answers[name], expected[name])


# ---------------------------------------------------------------- forms of operators


def _model(
    nodes: list[onnx.NodeProto],
    shape: tuple[int | str, ...] = ("n", 2, 6, 6),
    constants: dict[str, NDArray[Any]] | None = None,
) -> onnx.ModelProto:
    """Return a model from tensor `x` to tensor `y` with random weights `w` `[3, 2, 3, 3]`."""
    random = np.random.default_rng(0)
    stored = {"w": random.normal(size=(3, 2, 3, 3))} | (constants or {})
    graph = helper.make_graph(
        nodes,
        "hand_made",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ())],
        [
            numpy_helper.from_array(v.astype(np.float32) if v.dtype.kind == "f" else v, k)
            for k, v in stored.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _node(operator: str, inputs: str, output: str = "y", **attributes: Any) -> onnx.NodeProto:
    name = f"the_{operator}" if output == "y" else f"{operator}_{output}"
    return helper.make_node(operator, inputs.split(), [output], name, **attributes)


def _loaded(model: onnx.ModelProto, folder: Path) -> FloatNetwork:
    onnx.save(model, folder / "model.onnx")
    loaded = load(folder / "model.onnx")
    assert isinstance(loaded, FloatNetwork)
    return loaded


_POOLED = [_node("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 1], auto_pad="SAME_LOWER")]
_BIAS = {"b": np.array([[[1.0]], [[-2.0]], [[3.0]]])}
_MATRIX = {"m": np.random.default_rng(1).normal(size=(72, 5)), "c": np.arange(5.0)}
_SIZES = {"s": np.array([0, -1]), "k": np.array([2, 1, 6, 6])}
_FORMS: dict[str, tuple[list[onnx.NodeProto], dict[str, NDArray[Any]]]] = {
    "same upper": ([_node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 3])], {}),
    "same lower": ([_node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 1])], {}),
    "valid": ([_node("Conv", "x w", auto_pad="VALID")], {}),
    "one-sided pads": ([_node("Conv", "x w", pads=[2, 0, 1, 1])], {}),
    "same maximum": (_POOLED, {}),
    "padded average": (
        [_node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 2, 0, 1], count_include_pad=1)],
        {},
    ),
    "ceil that fits": (
        [_node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)],
        {},
    ),
    "global maximum": ([_node("GlobalMaxPool", "x")], {}),
    "negative axes": ([_node("ReduceMean", "x", axes=[-1, -2], keepdims=0)], {}),
    "bias of its own": ([_node("Conv", "x w", "t"), _node("Add", "b t")], _BIAS),
    "flat rectifier": (
        [
            _node("Conv", "x w", "t"),
            _node("Flatten", "t", "f", axis=-3),
            _node("Relu", "f", "r"),
            _node("Identity", "r"),
        ],
        {},
    ),
    "matrix": (
        [_node("Reshape", "x s", "f"), _node("MatMul", "f m", "t"), _node("Add", "t c")],
        _MATRIX | _SIZES,
    ),
    "scaled gemm": (
        [_node("Flatten", "x", "f"), _node("Gemm", "f m c", alpha=0.5, beta=3.0)],
        _MATRIX,
    ),
    "transposed weights": (
        [_node("Transpose", "w", "v", perm=[0, 1, 3, 2]), _node("Conv", "x v")],
        {},
    ),
    "twice the same": ([_node("Conv", "x w", "t"), _node("Add", "t t")], {}),
    "rectified sum, read twice": (
        [
            _node("Conv", "x w", "t", pads=[1, 1, 1, 1]),
            _node("Relu", "t", "r"),
            _node("MaxPool", "r", "p", kernel_shape=[1, 1]),
            _node("Relu", "p", "q"),
            _node("Add", "q r"),
        ],
        {},
    ),
    "dead branch": ([_node("GlobalAveragePool", "x", "unread"), _node("Conv", "x w")], {}),
    "squeezed": (
        [_node("GlobalAveragePool", "x", "t"), _node("Squeeze", "t a")],
        {"a": np.array([3, 2])},
    ),
}


@pytest.mark.parametrize("form", _FORMS)
def test_forms_of_operators_keep_their_answers(form: str, tmp_path: Path) -> None:
    nodes, constants = _FORMS[form]
    model = _model(nodes, constants=constants)
    network = _loaded(model, tmp_path)
    images = np.random.default_rng(2).uniform(0, 1, (3, 2, 6, 6))
    answer = execute_floats(network, images)[network.graph.nodes[-1].name]
    (expected,) = _session(model).run(None, {"x": images.astype(np.float32)})
    np.testing.assert_allclose(answer.reshape(expected.shape), expected, atol=1e-4)


def _shaken(model: onnx.ModelProto, random: np.random.Generator) -> onnx.ModelProto:
    """Return the model with one attribute, input extent or operator set set to something else."""
    shaken = onnx.ModelProto()
    shaken.CopyFrom(model)
    attributes = [a for node in shaken.graph.node for a in node.attribute]
    extent = int(random.choice([-1, 0, 1, 2, 3, 5, 8]))
    match int(random.integers(5)):
        case 0:
            shaken.opset_import[0].version = int(random.integers(7, 24))
        case 1:
            dimensions = shaken.graph.input[0].type.tensor_type.shape.dim
            dimensions[int(random.integers(1, 4))].dim_value = max(1, extent)
        case _ if attributes:
            chosen = attributes[int(random.integers(len(attributes)))]
            if chosen.ints:
                chosen.ints[int(random.integers(len(chosen.ints)))] = extent
            elif chosen.type == onnx.AttributeProto.INT:
                chosen.i = extent
    return shaken


def test_what_is_accepted_is_never_mistranslated(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    models = [_model(nodes, constants=constants) for nodes, constants in _FORMS.values()]
    compared = 0
    for _ in range(600):
        model = _shaken(models[int(random.integers(len(models)))], random)
        try:
            network = _loaded(model, tmp_path)
            images = random.uniform(0, 1, (1, *network.graph.input.shape))
            (expected,) = _session(model).run(None, {"x": images.astype(np.float32)})
        except (CodesignError, *RUNTIME_REFUSALS):
            continue
        answer = execute_floats(network, images)[network.graph.nodes[-1].name]
        np.testing.assert_allclose(answer.reshape(expected.shape), expected, atol=1e-3)
        compared += 1
    assert compared > 200


_REFUSED: dict[str, tuple[list[onnx.NodeProto], str]] = {
    "foreign": (
        [_node("Conv", "x w", "t"), _node("Foo", "t", domain="acme")],
        "'the_Foo': operator acme.Foo",
    ),
    "unknown": ([_node("Einsum", "x x", equation="a,a->a")], "operator Einsum .* codesign knows"),
    "other normalisation": (
        [_node("LayerNormalization", "x p")],
        "operator LayerNormalization is not supported; train it with batch normalisation",
    ),
    "ceil of counted padding": (
        [
            _node(
                "AveragePool",
                "x",
                kernel_shape=[3, 3],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
                ceil_mode=1,
                count_include_pad=1,
            )
        ],
        "ceil_mode over a map that leaves a rest",
    ),
    "three features": ([_node("MatMul", "x m")], "a matrix product reads N x features"),
    "mixed images": ([_node("Reshape", "x all")], "images have to stay apart"),
    "mean of channels": ([_node("ReduceMean", "x", axes=[1])], "ReduceMean over axes"),
    "broadcast": (
        [_node("GlobalAveragePool", "x", "t"), _node("Add", "x t")],
        "Add of shapes",
    ),
    "middle softmax": (
        [_node("Conv", "x w", "t"), _node("Softmax", "t", "r"), _node("Relu", "r")],
        "only what ends the model",
    ),
    "computed weights": ([_node("Conv", "x x")], "Conv whose input 1 is computed"),
    "integer cast": ([_node("Cast", "x", to=TensorProto.INT8)], "Cast to a type"),
    "other pixels": (
        [_node("Slice", "x lo1 hi1 axis")],
        "neighbouring channels of the layer before can be taken, and whole ones",
    ),
    "padded channels": ([_node("Pad", "x front")], "only rows and columns can grow"),
    "padding with ones": ([_node("Pad", "x around one")], "Pad with 1 is not supported"),
    "linear enlargement": (
        [_node("Resize", "x none double", mode="linear")],
        "Resize by mode linear is not supported; enlarge by whole factors with mode nearest",
    ),
    "slope per pixel": ([_node("PRelu", "x slopes")], "one slope per channel"),
}


@pytest.mark.parametrize("form", _REFUSED)
def test_what_is_not_understood_is_refused_by_name(form: str, tmp_path: Path) -> None:
    nodes, message = _REFUSED[form]
    constants = {
        "p": np.ones(6),
        "m": np.ones((5, 4)),
        "all": np.array([-1, 36]),
        "lo1": np.array([0]),
        "hi1": np.array([3]),
        "axis": np.array([2]),
        "front": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
        "around": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "one": np.array(1.0),
        "none": np.array([]),
        "double": np.array([1.0, 1.0, 2.0, 2.0]),
        "slopes": np.linspace(0, 1, 72).reshape(2, 6, 6),
    }
    opset = helper.make_opsetid("acme", 1)
    model = _model(nodes, constants=constants)
    model.opset_import.append(opset)
    with pytest.raises(UnsupportedOperator, match=message) as caught:
        _loaded(model, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("n", 2, "height", 6), r"dimension 2 \('height'\) is dynamic"),
        (("n", 2, 6, 6, 6), "'x' has 5 dimensions"),
        (("n", 5, 6, 6), r"node 'the_Conv' \(Conv\): a convolution of 2 channels"),
        (("n", 2, 2, 2), "larger than the padded map"),
    ],
)
def test_a_wrong_image_shape_is_named(
    shape: tuple[int | str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        _loaded(_model([_node("Conv", "x w")], shape), tmp_path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    model = _model([_node("Conv", "x w b")], constants={"b": np.array([0, np.nan, 0])})
    with pytest.raises(InputError, match="'b' has values that are not finite"):
        _loaded(model, tmp_path)


# ---------------------------------------------------------------- files


def _damages(folder: Path) -> dict[str, Path]:
    good = folder / "good.onnx"
    onnx.save(_model([_node("Conv", "x w")]), good)
    big = _model([_node("Conv", "x w")], constants={"b": np.zeros(999)})
    onnx.save(big, folder / "apart.onnx", save_as_external_data=True, location="gone.data")
    (folder / "gone.data").unlink()
    (folder / "text.onnx").write_text("this is no model")
    (folder / "empty.onnx").write_bytes(b"")
    (folder / "cut.onnx").write_bytes(good.read_bytes()[:-100])
    onnx.save(_model([]), folder / "hollow.onnx")
    onnx.save(_model([_node("Relu", "x", "unread")]), folder / "loose.onnx")
    onnx.save(_model([_node("Relu", "x")]), folder / "idle.onnx")
    (folder / "folder.onnx").mkdir()
    names = ("apart", "text", "empty", "cut", "hollow", "loose", "idle", "folder", "missing")
    return {name: folder / f"{name}.onnx" for name in names}


def test_unreadable_files_get_one_line(tmp_path: Path) -> None:
    for name, path in _damages(tmp_path).items():
        with pytest.raises(InputError) as caught:
            load(path)
        assert str(caught.value).startswith(f"{path}: "), name
        assert "\n" not in str(caught.value), name


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        save(_Builder(0, 1).network(), tmp_path / "no" / "model.onnx")


@pytest.mark.parametrize("kind", ["float", "quantised"])
def test_random_damage_never_shows_a_traceback(kind: str, tmp_path: Path) -> None:
    source, path = tmp_path / "float.onnx", tmp_path / "damaged.onnx"
    network = _residual_network(tmp_path)
    if kind == "quantised":
        source = tmp_path / "model.onnx"
        save(network, source)
    whole = source.read_bytes()
    random = np.random.default_rng(5)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(int(random.integers(1, 5))):
            place = int(random.integers(len(data)))
            match int(random.integers(4)):
                case 0:
                    data[place] = int(random.integers(256))
                case 1:
                    data[place] ^= 1 << int(random.integers(8))
                case 2:
                    del data[place : place + int(random.integers(1, 40))]
                case _:
                    data[place:place] = data[: int(random.integers(1, 40))]
        path.write_bytes(data)
        try:
            load(path)
        except CodesignError as error:
            refused += 1
            lines = str(error).splitlines()
        else:
            lines = [""]
        assert len(lines) == 1
    assert 50 < refused < 200
