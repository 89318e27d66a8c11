"""Every reference network: what was published of it, and weights that let signals through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from codesign.errors import InputError
from codesign.load import names
from codesign.network.floats import execute_floats
from codesign.network.graph import INPUT
from codesign.network.layers import Layers, same
from codesign.network.model import FOLDER, NORM_RULES, Figure, Model, image, reference
from codesign.network.op import Reals
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.quantize import post_training

if TYPE_CHECKING:
    from torch.nn import Module

NAMES = names(FOLDER)
UNPUBLISHED = {"ecg"}
WITHOUT_MACS = {"ecg", "lenet5", "unet"}
HEAVY = {"vgg16"}
"""Its dense layers alone take a gigabyte in double precision."""


def images(model: Model, count: int = 1) -> Reals:
    """Return what the input is drawn for: pixels of 0..1, or numbers of either sign."""
    random = np.random.default_rng(1)
    shape = (count, *model.input.shape)
    return random.normal(size=shape) if model.input.signed else random.uniform(size=shape)


def test_the_networks_that_are_promised_are_there() -> None:
    promised = {
        *("resnet8", "ds_cnn", "mobilenet_v1_025", "autoencoder"),  # MLPerf Tiny
        *("lenet5", "cnv", "alexnet", "vgg16", "resnet18", "resnet34", "resnet50"),
        *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "squeezenet"),
        *("efficientnet_lite0", "tiny_yolo", "unet", "ecg"),
    }
    assert promised <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_macs_are_the_published_ones(name: str) -> None:
    model = reference(name)
    figure = model.published_macs
    assert (figure is None) == (name in WITHOUT_MACS)
    assert figure is None or figure.agrees(model.graph().macs)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_the_published_ones(name: str) -> None:
    model = reference(name)
    figure = model.published_parameters
    assert (figure is None) == (name in UNPUBLISHED)
    assert figure is None or (figure.digit == 1 and figure.value == model.counted_parameters())


@pytest.mark.parametrize("name", NAMES)
def test_a_network_says_what_it_is_and_whose_figures_it_quotes(name: str) -> None:
    model = reference(name)
    assert model.name == name == model.graph().name
    assert model.title
    assert "Source:" in (type(model).__doc__ or "")
    assert model.norm_numbers in NORM_RULES
    for figure in (model.published_macs, model.published_parameters):
        assert figure is None or figure.source


@pytest.mark.parametrize("name", sorted(set(NAMES) - HEAVY))
def test_signals_neither_vanish_nor_explode(name: str) -> None:
    model = reference(name)
    network = model.network(seed=1)
    values = execute_floats(network, images(model))
    powers = {node: float(np.sqrt((values[node] ** 2).mean())) for node in values}
    assert {node: power for node, power in powers.items() if not 0.02 < power < 4} == {}
    for own in network.parameters.values():
        assert np.array_equal(own.weights, own.weights.astype(np.float32))
        assert np.array_equal(own.bias, own.bias.astype(np.float32))


def test_weights_come_from_the_seed_alone() -> None:
    def drawn(seed: int) -> Reals:
        return reference("ecg").network(seed).parameters["dense0"].weights

    assert np.array_equal(drawn(3), drawn(3))
    assert not np.array_equal(drawn(3), drawn(4))


@pytest.mark.parametrize("name", ["autoencoder", "ds_cnn", "ecg", "lenet5", "resnet8"])
@pytest.mark.parametrize("bits", [8, 4])
def test_small_networks_quantise(name: str, bits: int) -> None:
    model = type(reference(name))(weight_bits=bits, activation_bits=bits)
    network = model.network()
    calibration = images(model, 4)
    integers = post_training(network, calibration)
    real = execute_floats(network, calibration)[network.graph.outputs[0]]
    answers = integers.answer(integers.quantize_input(calibration))
    values = answers * integers.scales[network.graph.outputs[0]]
    error = float(np.sqrt(((values - real) ** 2).mean() / (real**2).mean()))
    assert error < {8: 0.1, 4: 0.8}[bits]
    assert {n.op.weight_bits for n in integers.graph if n.op.has_bias} == {bits}


def test_the_forms_that_hardware_has_to_meet_are_there() -> None:
    yolo = reference("tiny_yolo").graph()
    shapes = [yolo.tensor(name).shape for name in yolo.outputs]
    assert shapes == [(255, 13, 13), (255, 26, 26)]
    small = reference("mobilenet_v3_small").network()
    functions = {node.op.function for node in small.graph if isinstance(node.op, Table)}
    assert functions == {"hard_sigmoid", "hard_swish"}
    clipped = reference("mobilenet_v2").network()
    assert set(clipped.clips.values()) == {(0.0, 6.0)}
    ecg = reference("ecg").graph()
    assert {node.output.shape[1] for node in ecg if len(node.output.shape) == 3} == {1}
    depthwise = [node for node in ecg if isinstance(node.op, Conv2d) and node.op.is_depthwise]
    assert len(depthwise) == 8


@pytest.mark.parametrize("name", sorted(WITHOUT_MACS))
def test_counts_of_networks_without_published_macs_equal_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    network = {"ecg": torch_ecg, "lenet5": torch_lenet5, "unet": torch_unet}[name]().eval()
    model = reference(name)
    shape = [extent for extent in model.input.shape if extent > 1 or name != "ecg"]
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    assert model.graph().macs == counter.get_total_flops() // 2
    assert model.counted_parameters() == sum(p.numel() for p in network.parameters())


def torch_lenet5() -> Module:
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 120, 5), nn.Flatten(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def torch_ecg() -> Module:
    from torch import nn

    layers: list[Module] = [nn.Conv1d(2, 16, 7, 2, 3, bias=False), nn.BatchNorm1d(16), nn.ReLU()]
    inputs = 16
    for width, stride in ((16, 2), (24, 2), (24, 1), (32, 2), (32, 1), (48, 2), (48, 1), (64, 2)):
        depthwise = nn.Conv1d(inputs, inputs, 9, stride, 4, groups=inputs, bias=False)
        layers += [depthwise, nn.BatchNorm1d(inputs), nn.ReLU()]
        layers += [nn.Conv1d(inputs, width, 1, bias=False), nn.BatchNorm1d(width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 2))


def torch_unet() -> Module:
    """Nest the levels: each halves, computes the next one, doubles, and joins."""
    import torch
    from torch import nn

    def twice(inputs: int, width: int) -> Module:
        first, second = (
            nn.Conv2d(inputs, width, 3, padding=1),
            nn.Conv2d(width, width, 3, padding=1),
        )
        return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    class Level(nn.Module):
        def __init__(self, inputs: int, width: int) -> None:
            super().__init__()
            self.before, self.after = twice(inputs, width), twice(2 * width, width)
            self.inner = Level(width, 2 * width) if width < 128 else twice(width, 256)
            self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)

        def forward(self, maps: Any) -> Any:
            skip = self.before(maps)
            inner = self.up(self.inner(nn.functional.max_pool2d(skip, 2)))
            return self.after(torch.cat([inner, skip], dim=1))

    return nn.Sequential(Level(3, 16), nn.Conv2d(16, 1, 1), nn.Sigmoid())


def test_figures_agree_to_their_printed_precision() -> None:
    rounded = Figure(4_090_000_000, 10_000_000, "")
    assert rounded.agrees(4_089_184_256)
    assert not rounded.agrees(4_084_999_999)
    assert Figure(10, 1, "").agrees(10)
    assert not Figure(10, 1, "").agrees(11)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean resnet18"):
        reference("resnet_18")


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    [
        (224, 3, 2, (0, 0, 1, 1)),
        (225, 3, 2, (1, 1, 1, 1)),
        (14, 5, 1, (2, 2, 2, 2)),
        (7, 1, 2, (0, 0, 0, 0)),
        (8, 2, 4, (0, 0, 0, 0)),
    ],
)
def test_same_padding_is_that_of_tensorflow(
    size: int, kernel: int, stride: int, expected: tuple[int, ...]
) -> None:
    window = same((3, size, size), (kernel, kernel), stride)
    assert window.padding == expected
    assert window.output_size((3, size, size)) == (-(-size // stride),) * 2


def test_what_no_layer_reads_is_an_output() -> None:
    layers = Layers(image(8), 4, 6)
    maps = layers.pool(INPUT, "average", same((3, 8, 8), (3, 3)))
    left = layers.function(maps, "tanh")
    right = layers.resize(maps, 2)
    graph = layers.graph("two")
    assert graph.outputs == (left, right) == ("tanh0", "resize0")
    assert isinstance(graph["pool0"].op, Pool2d)
    assert not graph["pool0"].op.counts_padding
    assert graph["tanh0"].output.signed
    assert graph["tanh0"].output.bits == 6
    assert graph["resize0"].output.shape == (3, 16, 16)
