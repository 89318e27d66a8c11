"""Cross-layer equalisation: the same function, and weights that round with less error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_images, random_network

from codesign.network.equalise import equalise
from codesign.network.floats import answer_floats
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.quantize import post_training
from codesign.network.scales import Method
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

SAME = Window((3, 3), (1, 1), (1, 1, 1, 1))
CHANNELS = 6


def operators(kind, bits=8):
    """Return an operator over six channels, and what is between it and the next."""
    return {
        "conv": Conv2d(CHANNELS, CHANNELS, SAME, bits),
        "groups": Conv2d(CHANNELS, CHANNELS, SAME, bits, groups=2),
        "depthwise": Conv2d(CHANNELS, CHANNELS, SAME, bits, groups=CHANNELS),
        "transpose": ConvTranspose2d(CHANNELS, CHANNELS, SAME, bits, groups=3),
        "max": Pool2d("max", SAME),
        "average": Pool2d("average", SAME),
        "leaky": Table("leaky_relu", (0.1,), (0, 0), (0, 0)),
        "sigmoid": Table("sigmoid", (), (0, 0), (0, 0)),
    }[kind]


def chain(kinds, seed, bits=8):
    """Return layers in a row whose channels have different ranges, and a dense layer."""
    random = np.random.default_rng(seed)
    entry = Tensor((CHANNELS, 5, 5), 8, signed=False)
    nodes, known, parameters = [], {"input": entry}, {}
    for number, kind in enumerate(kinds):
        op, source = operators(kind, bits), nodes[-1].name if nodes else "input"
        signed = kind == "leaky" or (number + 1 < len(kinds) and kinds[number + 1] == "leaky")
        output = Tensor(entry.shape, 8, signed)
        op = op.typed([known[source]], output)
        node = Node(f"{kind}{number}", op, (source,), output, 0 if isinstance(op, Table) else 1)
        known[node.name] = output
        nodes.append(node)
    head = Dense(entry.elements, 4, bits)
    nodes.append(Node("head", head, (nodes[-1].name,), Tensor((4,), 40, signed=True), 0))
    graph = Graph("chain", entry, tuple(nodes))
    for node in graph:
        if node.op.has_bias:
            shape = node.op.weight_shape
            reach = 10.0 ** random.uniform(-1, 1, size=(shape[0], *(1,) * (len(shape) - 1)))
            weights = random.normal(size=shape) * reach / np.sqrt(np.prod(shape[1:]))
            parameters[node.name] = FloatParameters(weights, random.normal(size=shape[0]) * 0.1)
    return FloatNetwork(graph, parameters)


def outputs(network, images):
    return answer_floats(network, images)[network.graph.outputs[0]]


def images_for(network, count=8):
    return np.random.default_rng(1).random((count, *network.graph.input.shape))


KINDS = ["conv", "groups", "depthwise", "transpose", "max", "average", "leaky", "sigmoid"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5), st.integers(0, 999))
def test_the_function_stays(kinds, seed):
    network = chain(kinds, seed)
    images = images_for(network, 3)
    wanted, found = outputs(network, images), outputs(equalise(network), images)
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).max())


@pytest.mark.parametrize("seed", range(25))
def test_the_function_of_any_network_stays(seed):
    network = random_network(seed)
    images = random_images(network, seed)
    wanted, found = answer_floats(network, images), answer_floats(equalise(network), images)
    for name, values in wanted.items():
        limit = 1e-9 * max(1.0, np.abs(values).max())
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=limit)


@pytest.mark.parametrize("first", ["conv", "groups", "depthwise", "transpose"])
@pytest.mark.parametrize("second", ["conv", "groups", "depthwise", "transpose"])
@pytest.mark.parametrize("between", [[], ["max"], ["leaky", "average"]])
def test_ranges_of_both_sides_become_equal(first, second, between):
    network = equalise(chain([first, *between, second], 0))
    node = network.graph.nodes[len(between) + 1]
    ones, others = (network.parameters[name].weights for name in (f"{first}0", node.name))
    groups = node.op.groups
    # turn grouped weights into the whole matrix that they stand for
    matrix = np.zeros((CHANNELS, CHANNELS))
    share = CHANNELS // groups
    for output in range(CHANNELS):
        start = output // share * share
        matrix[output, start : start + share] = np.abs(others[output]).max(axis=(1, 2))
    reach = np.abs(ones).max(axis=(1, 2, 3))
    np.testing.assert_allclose(reach, matrix.max(axis=0), rtol=2e-2)


def test_a_flattened_map_gives_each_channel_its_pixels():
    network = equalise(chain(["conv"], 0))
    rows = np.abs(network.parameters["conv0"].weights).max(axis=(1, 2, 3))
    columns = np.abs(network.parameters["head"].weights).reshape(4, CHANNELS, 25).max(axis=(0, 2))
    np.testing.assert_allclose(rows, columns, rtol=1e-2)


@pytest.mark.parametrize("obstacle", ["clip", "sigmoid", "output", "two readers"])
def test_what_does_not_pass_factors_on_is_left_alone(obstacle):
    network = chain(["conv", "sigmoid" if obstacle == "sigmoid" else "max", "depthwise"], 0)
    graph, clips = network.graph, {}
    if obstacle == "clip":
        clips = {"conv0": (0.0, 6.0)}
    elif obstacle == "output":
        graph = Graph("g", graph.input, graph.nodes, ("head", "conv0"))
    elif obstacle == "two readers":
        twin = Node("twin", Pool2d("max", SAME), ("conv0",), graph["conv0"].output)
        graph = Graph("g", graph.input, (*graph.nodes, twin), ("head", "twin"))
    network = replace(network, graph=graph, clips=clips)
    found = equalise(network).parameters["conv0"].weights
    np.testing.assert_array_equal(found, network.parameters["conv0"].weights)


def unbalanced(network, seed):
    """Make each channel larger before, and smaller after, the depthwise layer of a chain."""
    factors = 10.0 ** np.random.default_rng(seed).uniform(-1, 1, (2, CHANNELS, 1, 1, 1))
    own = dict(network.parameters)
    for number, (first, second) in enumerate([("conv0", "depthwise1"), ("depthwise1", "conv2")]):
        factor = factors[number]
        bias = own[first].bias * factor.ravel()
        own[first] = FloatParameters(own[first].weights * factor, bias)
        inputs = factor if second == "depthwise1" else factor.reshape(1, CHANNELS, 1, 1)
        own[second] = replace(own[second], weights=own[second].weights / inputs)
    return replace(network, parameters=own)


@pytest.mark.parametrize("seed", range(6))
def test_one_scale_for_all_channels_loses_less(seed):
    network = unbalanced(equalise(chain(["conv", "depthwise", "conv"], seed, bits=6)), seed)
    images = images_for(network, 40)
    wanted, errors = outputs(network, images), {}
    for balanced in (False, True):
        quantised = post_training(network, images, method=Method(equalise=balanced))
        scores = quantised.answer(quantised.quantize_input(images)) * quantised.scales["head"]
        errors[balanced] = ((scores - wanted) ** 2).mean() / (wanted**2).mean()
    assert errors[True] < 0.5 * errors[False]


def test_dead_channels_stay_dead():
    network = chain(["conv", "conv"], 0)
    dead = replace(network.parameters["conv0"], weights=np.zeros((CHANNELS, CHANNELS, 3, 3)))
    network = replace(network, parameters={**network.parameters, "conv0": dead})
    found = equalise(network).parameters
    assert not found["conv0"].weights.any()
    np.testing.assert_array_equal(found["conv0"].bias, dead.bias)
