"""The convnet family says what it builds, layer by layer."""

import pytest

from codesign import load
from codesign.errors import InputError
from codesign.network.families.convnet import Convnet
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor

DIGITS = Tensor((1, 8, 8), 8, signed=False)


def point(family, **changes):
    smallest = {choice.name: choice.values[0] for choice in family.space().choices}
    return smallest | {"head": "flatten"} | changes


def decode(shape=(1, 8, 8), **changes):
    family = Convnet(Tensor(shape, 8, signed=False), 10)
    return family.decode(point(family, **changes))


def shapes(graph):
    return {node.name: node.output.shape for node in graph}


def test_layers_have_their_width_kernel_and_bits():
    graph = decode(width0=24, kernel0=5, weight_bits0=3, activation_bits0=4, width1=12)
    conv = graph["conv0"]
    assert isinstance(conv.op, Conv2d)
    assert (conv.op.outputs, conv.op.window.kernel, conv.op.bits) == (24, (5, 5), 3)
    assert conv.output == Tensor((24, 8, 8), 4, signed=False)
    assert shapes(graph) == {"conv0": (24, 8, 8), "conv1": (12, 8, 8), "dense0": (10,)}


@pytest.mark.parametrize(
    ("kind", "names"),
    [("none", ()), ("stride", ()), ("max", ("pool0",)), ("average", ("pool0",))],
)
def test_a_layer_halves_the_map_in_the_chosen_way(kind, names):
    graph = decode(downsample0=kind, kernel0=3)
    assert graph["conv1"].output.shape[1:] == ((8, 8) if kind == "none" else (4, 4))
    assert [node.name for node in graph if isinstance(node.op, Pool2d)] == list(names)


def test_a_small_map_is_not_halved_and_bears_no_large_kernel():
    changes = {f"downsample{i}": "max" for i in range(4)} | {f"kernel{i}": 5 for i in range(4)}
    graph = decode(layers=4, **changes)
    assert shapes(graph)["conv3"] == (4, 2, 2)
    kernels = [node.op.window.kernel[0] for node in graph if isinstance(node.op, Conv2d)]
    assert kernels == [5, 3, 1, 1]


def test_a_residual_block_adds_its_input_to_two_convolutions():
    graph = decode(residual0=True, downsample0="max", activation_bits0=4)
    assert graph["add0"].inputs == ("pool0", "conv2")
    assert isinstance(graph["add0"].op, Add)
    assert graph["conv2"].output == Tensor((4, 4, 4), 5, signed=True)
    assert graph["add0"].output == Tensor((4, 4, 4), 4, signed=False)


def test_the_head_averages_where_flattening_would_be_too_large():
    assert "pool0" not in shapes(decode(width1=16))  # 16 x 8 x 8 = 1,024 inputs
    assert shapes(decode(width1=24))["pool0"] == (24, 1, 1)
    assert shapes(decode(head="average"))["pool0"] == (4, 1, 1)


def test_idle_choices_do_not_make_another_network():
    family = Convnet(DIGITS, 10)
    two, idle = point(family, layers=2), point(family, layers=2, width3=32, weight_bits2=8)
    assert family.canonical(two) == family.canonical(idle)
    assert family.canonical(two) != family.canonical(point(family, layers=3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": [1, 8]}, "weight_bits are 2 to 8"),
        ({"activation_bits": [4, 9]}, "activation_bits are 2 to 8"),
        ({"widths": []}, "widths are different positive integers"),
        ({"widths": [8, 8]}, "widths are different positive integers"),
        ({"kernels": [2]}, "odd numbers"),
        ({"heads": []}, "at least one"),
        ({"downsamples": ["maxx"]}, "did you mean max"),
        ({"input": {"shape": [8], "bits": 8, "signed": False}}, "C x H x W"),
    ],
)
def test_wrong_options_are_refused(options, message):
    data = {"input": {"shape": [1, 8, 8], "bits": 8, "signed": False}, "classes": 10} | options
    with pytest.raises(InputError, match=message):
        load.build(Convnet, data, "flow.yaml: family")
