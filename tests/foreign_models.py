"""Small networks of torch, as `onnxruntime.quantization` writes them."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from codesign.network.graph import INPUT
from codesign.network.network import Network, finish
from codesign.network.op import exact_type

SHAPE = (3, 16, 16)


def layer(inputs: int, outputs: int, kernel: int = 3, **options: int) -> list[nn.Module]:
    """Return a convolution of the same size with normalisation."""
    padding = options.pop("padding", kernel // 2)
    return [
        nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False, **options),
        nn.BatchNorm2d(outputs),
    ]


def head(features: int) -> list[nn.Module]:
    """Return a classifier of a map."""
    return [nn.Flatten(), nn.Linear(features, 10)]


class Residual(nn.Module):
    """Two layers around which the input is added."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*layer(3, 8), nn.ReLU())
        self.body = nn.Sequential(*layer(8, 8), nn.ReLU(), *layer(8, 8))
        self.head = nn.Sequential(nn.ReLU(), nn.AdaptiveAvgPool2d(1), *head(8))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.head(stem + self.body(stem))


class Branches(nn.Module):
    """Two branches side by side, as in SqueezeNet."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*layer(3, 6, stride=2), nn.ReLU())
        self.left = nn.Sequential(nn.Conv2d(6, 8, 1), nn.ReLU())
        self.right = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(16, 8, 1), nn.ReLU(), *head(128))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.head(torch.cat([self.left(stem), self.right(stem)], 1))


class SqueezeExcite(nn.Module):
    """A map whose channels are weighed by what its means say."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*layer(3, 8), nn.ReLU())
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 1), nn.Sigmoid()
        )
        self.head = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.MaxPool2d(4), *head(128))

    def forward(self, x: Tensor) -> Tensor:
        stem = self.stem(x)
        return self.head(stem * self.gate(stem))


class Upsample(nn.Module):
    """Down and up again, with the fine map beside the coarse one, as in a U-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(*layer(3, 8), nn.ReLU())
        self.coarse = nn.Sequential(nn.MaxPool2d(2), *layer(8, 8), nn.ReLU())
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.fine(x)
        return self.head(torch.cat([fine, self.up(self.coarse(fine))], 1))


def activated(function: nn.Module) -> nn.Module:
    """Return two layers with an activation of their own."""
    return nn.Sequential(
        *layer(3, 8), function, nn.MaxPool2d(2), *layer(8, 8), function, *head(8 * 64)
    )


def modules() -> dict[str, nn.Module]:
    """Return every network with seeded weights and normalisation that is not trivial."""
    torch.manual_seed(3)
    made = {
        "conv-bn-relu": nn.Sequential(
            *layer(3, 8), nn.ReLU(), nn.MaxPool2d(2), *layer(8, 12), nn.ReLU(), *head(12 * 64)
        ),
        "depthwise-relu6": nn.Sequential(
            *layer(3, 8, stride=2),
            nn.ReLU6(),
            *layer(8, 8, groups=8),
            nn.ReLU6(),
            *layer(8, 16, 1),
            nn.ReLU6(),
            nn.AdaptiveAvgPool2d(1),
            *head(16),
        ),
        "residual": Residual(),
        "concat": Branches(),
        "average-pool": nn.Sequential(
            *layer(3, 8),
            nn.ReLU(),
            nn.AvgPool2d(2),
            *layer(8, 8),
            nn.ReLU(),
            nn.AvgPool2d(3, stride=2, padding=1),
            *head(8 * 16),
        ),
        "leaky-relu": activated(nn.LeakyReLU(0.1)),
        "sigmoid": activated(nn.Sigmoid()),
        "hard-swish": activated(nn.Hardswish()),
        "squeeze-excite": SqueezeExcite(),
        "resize": Upsample(),
        "transposed": nn.Sequential(
            *layer(3, 8, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 4, 2, 2),
            nn.ReLU(),
            nn.Conv2d(4, 2, 1),
        ),
        "mlp": nn.Sequential(
            nn.Flatten(),
            nn.Linear(768, 32),
            nn.ReLU(),
            nn.Linear(32, 16),
            nn.Tanh(),
            nn.Linear(16, 10),
            nn.Softmax(1),
        ),
    }
    for module in made.values():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.data.uniform_(0.5, 1.5)
                part.bias.data.normal_(0.0, 0.5)
                part.running_mean.normal_(0.0, 0.2)
                part.running_var.uniform_(0.1, 0.5)
        module.eval()
    return made


def images(count: int, seed: int = 0, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return smooth random images within 0..1, `count x shape`; what is no map is not smooth."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 1, (count, *shape[:1], *(-(-extent // 4) for extent in shape[1:])))
    for axis, extent in enumerate(shape[1:], start=2):
        coarse = coarse.repeat(4, axis).take(range(extent), axis)
    return np.clip(coarse + rng.normal(0, 0.1, coarse.shape), 0, 1).astype(np.float32)


def image_shape(model: onnx.ModelProto) -> tuple[int, ...]:
    """Return the shape of a model's one image."""
    dimensions = model.graph.input[0].type.tensor_type.shape.dim
    return tuple(dimension.dim_value for dimension in dimensions)[1:]


@dataclass(frozen=True)
class Form:
    """How a network is quantised."""

    format: str
    activations: str
    weights: str
    per_channel: bool
    symmetric: bool = False

    def __str__(self) -> str:
        granularity = "per channel" if self.per_channel else "per tensor"
        kind = "symmetric" if self.symmetric else "asymmetric"
        return f"{self.format} {self.activations} {kind} x {self.weights} {granularity}"


FORMS = [
    Form(style, activations, weights, per_channel, symmetric)
    for style in ("QDQ", "QOperator")
    for activations, weights, per_channel, symmetric in (
        ("u8", "s8", False, False),
        ("u8", "s8", True, False),
        ("s8", "s8", True, False),
        ("s8", "s8", True, True),
        ("u8", "u8", False, False),
    )
]

TYPES = {"u8": QuantType.QUInt8, "s8": QuantType.QInt8, "s4": QuantType.QInt4}


class Images(CalibrationDataReader):
    """Hands calibration images out one by one."""

    def __init__(self, source: Path) -> None:
        model = onnx.load(source, load_external_data=False)
        name, shape = model.graph.input[0].name, image_shape(model)
        self._feeds = iter([{name: image[None]} for image in images(24, 1, shape)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep exporters from talking."""
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.root.setLevel(level)


def export(module: nn.Module, path: Path, opset: int = 17) -> Path:
    """Write a network as float ONNX, made ready as ONNX Runtime advises."""
    raw = path.with_suffix(".raw.onnx")
    with quiet():
        torch.onnx.export(
            module,
            torch.zeros(1, *SHAPE),
            str(raw),
            opset_version=opset,
            dynamo=False,
            input_names=["image"],
            output_names=["answer"],
        )
        quant_pre_process(str(raw), str(path), skip_symbolic_shape=True)
    return path


def quantised(
    source: Path, form: Form, path: Path, options: Mapping[str, object] | None = None
) -> Path:
    """Write the quantised form of a float model."""
    with quiet():
        quantize_static(
            str(source),
            str(path),
            Images(source),
            quant_format=QuantFormat[form.format],
            per_channel=form.per_channel,
            activation_type=TYPES[form.activations],
            weight_type=TYPES[form.weights],
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": form.symmetric, **(options or {})},
        )
    return path


def session(model: onnx.ModelProto, optimised: bool) -> InferenceSession:
    """Return a session whose integer products are exact on every processor."""
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimised:
        options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    return InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])


ZERO_INPUTS = {
    "QuantizeLinear": 2,
    "QLinearConv": 7,
    "QLinearMatMul": 7,
    "QGemm": 8,
    "QLinearAdd": 7,
    "QLinearMul": 7,
    "QLinearConcat": 1,
    "QLinearAveragePool": 4,
    "QLinearGlobalAveragePool": 4,
    "QLinearLeakyRelu": 4,
    "QLinearSigmoid": 4,
}
"""Where each operator that makes integers reads its zero point."""


def zero_points(model: onnx.ModelProto) -> dict[str, int]:
    """Return the zero point of every tensor that a node quantises."""
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    return {
        node.output[0]: int(stored[node.input[ZERO_INPUTS[node.op_type]]])
        for node in model.graph.node
        if node.op_type in ZERO_INPUTS and node.input[0] not in stored
    }


@dataclass(frozen=True)
class Agreement:
    """How many integers of a network and of ONNX Runtime are the same."""

    elements: int
    different: int
    largest: int

    @property
    def share(self) -> float:
        """Share of identical elements."""
        return 1 - self.different / self.elements


def agreement(
    model: onnx.ModelProto,
    network: Network,
    tensors: Mapping[str, str],
    optimised: bool,
    count: int = 4,
    *,
    alone: bool = False,
) -> Agreement:
    """Compare a network with ONNX Runtime on images, one by one.

    The images are exact integers times their scale: what real images are rounded to is not asked.

    Args:
        model: where the network came from.
        network: what was imported.
        tensors: which node holds each quantised tensor of the model.
        optimised: whether ONNX Runtime may fuse to integer kernels; otherwise it computes in
            single precision, and a sum next to a half may fall to the other side.
        count: number of images.
        alone: whether each layer gets the integers that ONNX Runtime's read, so that a step that
            one differs by is not counted again in those behind it.
    """
    zeros = zero_points(model)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    inside = [tensor for tensor in zeros if tensor in tensors]
    watched.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in inside)
    name, shape = model.graph.input[0].name, image_shape(model)
    batch = images(count, 5, shape).reshape(count, *network.graph.input.shape)
    pixels = network.quantize_input(batch)
    exact = (pixels * network.scales[INPUT]).astype(np.float32).reshape(count, *shape)
    running = session(watched, optimised)
    runs = [running.run(None, {name: image[None]}) for image in exact]
    answers, *inner = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    values = dict(network.execute(pixels))
    if alone:
        stored = dict(zip(inside, inner, strict=True))
        theirs = {tensors[x]: found.astype(np.int64) - zeros[x] for x, found in stored.items()}
        values = layer_by_layer(network, values, theirs)
    pairs = [
        (values[tensors[tensor]], theirs.astype(np.int64) - zeros[tensor])
        for tensor, theirs in zip(inside, inner, strict=True)
    ]
    if not any(node.op_type.endswith("Softmax") for node in model.graph.node):
        output = network.graph.outputs[0]
        pairs.append((values[output], np.rint(answers / np.float32(network.scales[output]))))
    gaps = [np.abs(ours.ravel() - theirs.ravel()) for ours, theirs in pairs]
    return Agreement(
        sum(gap.size for gap in gaps),
        sum(int(np.count_nonzero(gap)) for gap in gaps),
        max(int(gap.max()) for gap in gaps),
    )


def layer_by_layer(
    network: Network, values: Mapping[str, np.ndarray], theirs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return what every layer makes of integers that somebody else computed, where known."""
    inputs = dict(values) | {n: x.reshape(values[n].shape) for n, x in theirs.items()}
    made = {INPUT: values[INPUT]}
    for node in network.graph:
        own, sources = network.parameters[node.name], [inputs[name] for name in node.inputs]
        sums = node.op.accumulate(sources, own.weights, exact_type(node.accumulator_bits))
        made[node.name] = finish(node, own, sums.copy())
        if node.name not in theirs:
            inputs[node.name] = made[node.name]
    return made
