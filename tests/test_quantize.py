"""Quantisation: what the integers mean equals what the real weights computed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from random_networks import random_images, random_network
from torch.nn import functional

from codesign.errors import InputError
from codesign.network.calibrations.entropy import Entropy
from codesign.network.calibrations.min_max import MinMax
from codesign.network.calibrations.mse import Mse
from codesign.network.calibrations.percentile import Percentile
from codesign.network.families.convnet import Convnet
from codesign.network.floats import answer_floats, execute_floats, predict_floats, rectifies
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters, accumulator_bits
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.quantize import post_training, quantize
from codesign.network.scales import (
    MULTIPLIER_BITS,
    Method,
    choose_scales,
    joining_factors,
    weight_range,
)
from codesign.network.serialize import digest, from_json, to_json
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

KINDS = tuple(MULTIPLIER_BITS)
SHAPES = ((1, 8, 8), (3, 12, 9))


def floats_of(graph, seed):
    """Give a graph random weights that keep its activations near 1."""
    random = np.random.default_rng(seed)
    parameters = {}
    for node in graph:
        if node.op.has_bias:
            shape = node.op.weight_shape
            weights = random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
            weights *= random.uniform(0.3, 3, size=(len(weights), *(1,) * (weights.ndim - 1)))
            parameters[node.name] = FloatParameters(weights, random.normal(size=shape[0]) * 0.2)
    return FloatNetwork(graph, parameters)


def network_of(seed):
    """Return a random member of the convnet family with random weights, and images for it."""
    random = np.random.default_rng(seed)
    family = Convnet(Tensor(SHAPES[seed % len(SHAPES)], 8, signed=False), 5, layers=(1, 2, 3))
    graph = family.decode(family.space().sample(random))
    images = random.random((6, *graph.input.shape)).astype(np.float32)
    return floats_of(graph, seed), images


def widened(network, bits=16):
    """Return the network with every type of `bits` bits, so that rounding hardly matters."""
    nodes = []
    for node in network.graph:
        op = replace(node.op, bits=bits) if node.op.has_bias else node.op
        wide = 60 if node.multiplier_bits == 0 and node.op.has_bias else bits
        output = replace(node.output, bits=wide)
        nodes.append(replace(node, op=op, output=output, accumulator_bits=0))
    graph = network.graph
    entry = replace(graph.input, bits=bits)
    return FloatNetwork(Graph(graph.name, entry, tuple(nodes)), network.parameters)


def torch_answer(node, sources, own):
    maps = sources[0]
    if isinstance(node.op, Add):
        answer = maps + sources[1]
    elif isinstance(node.op, Dense):
        answer = functional.linear(maps.flatten(1), *own)
    elif isinstance(node.op, Conv2d):
        padding = node.op.window.padding[:2]
        answer = functional.conv2d(maps, *own, stride=node.op.window.stride, padding=padding)
    else:
        assert isinstance(node.op, Pool2d)
        pool = functional.max_pool2d if node.op.kind == "max" else functional.avg_pool2d
        answer = pool(maps, node.op.window.kernel, node.op.window.stride)
    return answer.relu() if rectifies(node) else answer


@pytest.mark.parametrize("seed", range(30))
def test_the_real_answer_is_that_of_torch(seed):
    network, images = network_of(seed)
    values = execute_floats(network, images)
    wanted = {"input": torch.from_numpy(images).double()}
    for node in network.graph:
        own = network.parameters.get(node.name)
        own = own and (torch.from_numpy(own.weights), torch.from_numpy(own.bias))
        wanted[node.name] = torch_answer(node, [wanted[name] for name in node.inputs], own)
        np.testing.assert_allclose(values[node.name], wanted[node.name], atol=1e-9)
    scores = values[network.graph.nodes[-1].name]
    assert (predict_floats(network, images) == scores.argmax(axis=1)).all()


@pytest.mark.parametrize("kind", ["max", "average"])
def test_padding_never_wins_a_maximum_and_counts_as_zero_in_an_average(kind):
    images = -np.random.default_rng(0).random((4, 2, 7, 7)) - 1
    pool = Pool2d(kind, Window((3, 3), (2, 2), (1, 1, 1, 1)))
    entry = Tensor((2, 7, 7), 8, signed=True)
    node = Node("pool0", pool, ("input",), replace(entry, shape=(2, 4, 4)))
    found = execute_floats(FloatNetwork(Graph("g", entry, (node,)), {}), images)["pool0"]
    function = functional.max_pool2d if kind == "max" else functional.avg_pool2d
    wanted = function(torch.from_numpy(images), 3, 2, padding=1)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(30))
def test_wide_integers_times_their_scale_are_the_real_values(seed, kind):
    network, images = network_of(seed)
    network = widened(network)
    wanted = execute_floats(network, images)
    quantized = post_training(network, images, kind)
    values = quantized.execute(quantized.quantize_input(images))
    for name, integers in values.items():
        error = integers * quantized.scales[name] - wanted[name]
        assert np.abs(error).max() <= 2e-3 * np.abs(wanted[name]).max(), name


@pytest.mark.parametrize("kind", KINDS)
def test_eight_bits_stay_near_and_fewer_stay_less_near(kind):
    ratios = {}
    for bits in (8, 6, 4):
        signal = noise = 0.0
        for seed in range(20):
            network, images = network_of(seed)
            narrow = widened(network, bits)
            wanted = execute_floats(network, images)[network.graph.nodes[-1].name]
            quantized = post_training(narrow, images, kind)
            integers = quantized.execute(quantized.quantize_input(images))
            real = (
                integers[narrow.graph.nodes[-1].name]
                * quantized.scales[network.graph.nodes[-1].name]
            )
            signal, noise = signal + (wanted**2).sum(), noise + ((real - wanted) ** 2).sum()
        ratios[bits] = 10 * np.log10(signal / noise)
    assert ratios[8] > 24
    assert ratios[8] > ratios[6] + 6 > ratios[4] + 12, ratios


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(30))
def test_widths_and_factors_are_what_hardware_was_promised(seed, kind):
    network, images = network_of(seed)
    quantized = post_training(network, images, kind)
    for declared, node in zip(network.graph, quantized.graph, strict=True):
        own = quantized.parameters[node.name]
        assert node.accumulator_bits == accumulator_bits(quantized.graph, node, own)
        assert node.accumulator_bits <= declared.accumulator_bits
        if node.op.has_bias:
            low, high = weight_range(node.op.weight_bits)
            assert low <= own.weights.min() <= own.weights.max() <= high
            assert own.weights.dtype == np.int8
        if declared.multiplier_bits == 0:
            assert own.multiplier is None
        elif kind == "power_of_two":
            assert (own.multiplier == 1).all()
            assert node.multiplier_bits == 1
        else:
            assert own.multiplier.max() < 1 << node.multiplier_bits <= 1 << 16
            # no bit is spent on what the shift could do
            assert node.multiplier_bits == int(own.multiplier.max()).bit_length()
            assert np.bitwise_or.reduce(own.multiplier) % 2 == 1 or own.shift == 0
            assert len(own.multiplier) == (node.op.weight_shape[0] if node.op.has_bias else 1)
    last = quantized.graph.nodes[-1]
    assert last.output.bits == last.accumulator_bits
    assert to_json(from_json(to_json(quantized))) == to_json(quantized)


def test_two_bit_weights_use_all_four_codes():
    assert weight_range(2) == (-2, 1)
    assert [weight_range(bits) for bits in (3, 8)] == [(-3, 3), (-127, 127)]


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
@example(1.0, 1.0)
@example(2.0**-8, 2.0**5)
def test_joining_factors_keep_the_ratio_of_the_scales(left, right):
    first, second = joining_factors([left, right], bits=5)
    ratio = max(left, right) / min(left, right)
    assert 1 <= min(first, second) <= max(first, second) < 1 << 30
    if ratio <= 1 << 29:
        assert first / second == pytest.approx(left / right, rel=0.15)


@pytest.mark.parametrize("power", [-3, 0, 2, 3, 9])
def test_joining_factors_of_powers_of_two_are_exact_and_small(power):
    left, right = joining_factors([0.375 * 2.0**power, 0.375], bits=5)
    assert (left, right) == (max(1, 2**power), max(1, 2**-power))


@pytest.mark.parametrize("kind", KINDS)
def test_dead_channels_and_dead_layers_are_quantised_too(kind):
    network, images = network_of(2)
    parameters = dict(network.parameters)
    name = network.graph.nodes[0].name
    first = parameters[name]
    half = first.weights * (np.arange(len(first.weights)) % 2).reshape(-1, 1, 1, 1)
    for weights in (half, np.zeros_like(half)):
        parameters[name] = FloatParameters(weights, np.zeros_like(first.bias))
        quantized = post_training(FloatNetwork(network.graph, parameters), images, kind)
        values = quantized.execute(quantized.quantize_input(images))
        assert not values[name][:, ::2].any()
    assert not values[name].any()


METHODS = {
    "min_max": Method(MinMax()),
    "percentile": Method(Percentile(99.0)),
    "entropy": Method(Entropy()),
    "all": Method(Mse(), per_channel=False, equalise=True, correct_bias=True),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_at_every_width_keeps_its_meaning(kind, method):
    errors = []
    for seed in range(30):
        network = random_network(seed)
        images = random_images(network, seed, 8)
        quantized = post_training(network, images, kind, method)
        assert quantized.graph.outputs == network.graph.outputs
        scores = quantized.answer(quantized.quantize_input(images)) * quantized.scales["scores"]
        wanted = answer_floats(network, images)["scores"]
        errors.append(((scores - wanted) ** 2).mean() / (wanted**2).mean())
    # widths are anything from 2 to 8 bits
    assert np.median(errors) < 0.05


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gain", [1e-30, 1e-8, 1e8, 1e30])
def test_huge_and_tiny_weights_keep_their_meaning(gain, kind, method):
    for seed in range(4):
        network, images = network_of(seed)
        wide = widened(network, 8)
        name = network.graph.nodes[0].name
        own = network.parameters[name]
        scaled = FloatParameters(own.weights * gain, own.bias * gain)
        wide = FloatNetwork(wide.graph, {**network.parameters, name: scaled})
        quantized = post_training(wide, images[:1], kind, method)
        last = wide.graph.nodes[-1].name
        scores = quantized.answer(quantized.quantize_input(images[:1])) * quantized.scales[last]
        wanted = answer_floats(wide, images[:1])[last]
        assert ((scores - wanted) ** 2).mean() < 0.05 * (wanted**2).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_one_image_of_zeros_is_enough(kind):
    for seed in range(6):
        network, images = network_of(seed)
        quantized = post_training(network, np.zeros_like(images[:1]), kind)
        quantized.execute(quantized.quantize_input(images))


def test_equal_weight_scales_need_a_shift_alone():
    network, images = network_of(0)
    per_tensor = post_training(network, images, "multiplier", Method(per_channel=False))
    for node in per_tensor.graph:
        own = per_tensor.parameters[node.name]
        if own.multiplier is not None:
            assert (own.multiplier == own.multiplier[0]).all()
    exact = quantize(network, choose_scales(network, images, "power_of_two"))
    scales = replace(choose_scales(network, images, "power_of_two"), multiplier_bits=16)
    assert digest(quantize(network, scales)) == digest(exact)


def test_files_keep_weights_narrow():
    network, images = network_of(0)
    quantized = from_json(to_json(post_training(network, images)))
    for own in quantized.parameters.values():
        assert own.weights is None or own.weights.dtype == np.int8


def test_an_unknown_kind_of_scales_names_the_right_one():
    network, images = network_of(0)
    with pytest.raises(InputError, match="did you mean multiplier"):
        post_training(network, images, "multipliers")
