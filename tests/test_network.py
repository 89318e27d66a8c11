"""The integer reference: fast in floating point, and still exact."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from cases import CASES
from hls import random_images, random_network

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network, Parameters, finish, round_shift
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

POINT = Window((1, 1))


def in_integers(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute every tensor in 64-bit integers alone, as docs/integer-semantics.md has it."""
    values = {INPUT: images}
    for node in network.graph:
        own = network.parameters[node.name]
        sums = node.op.accumulate([values[name] for name in node.inputs], own.weights)
        channels = (1, -1, *(1,) * (sums.ndim - 2))
        if own.bias is not None:
            sums = sums + own.bias.reshape(channels)
        if own.multiplier is not None:
            sums = round_shift(sums * own.multiplier.reshape(channels), own.shift)
            sums = np.clip(sums, node.output.low, node.output.high)
        values[node.name] = sums
    return values


@pytest.mark.parametrize("kind", CASES)
def test_every_type_of_number_gives_the_same_integers(kind) -> None:
    random = np.random.default_rng(3)
    for graph in CASES[kind]:
        images = random_images(graph, random, 4)
        network = random_network(graph, random, images)
        expected = in_integers(network, images)
        found = network.execute(images)
        assert found.keys() == expected.keys()
        for name, values in expected.items():
            assert found[name].dtype == np.int64
            np.testing.assert_array_equal(found[name], values)
        last = graph.outputs[0]
        np.testing.assert_array_equal(network.answer(images), expected[last])


@pytest.mark.parametrize(("bits", "multiplier_bits"), [(8, 1), (8, 16), (12, 16), (16, 22)])
def test_wide_sums_are_as_exact_as_narrow_ones(bits, multiplier_bits) -> None:
    """From sums that single precision holds to products that only 64-bit integers do."""
    random = np.random.default_rng(bits)
    source = Tensor((64, 1, 1), bits, signed=True)
    output = Tensor((16, 1, 1), 8, signed=True)
    node = Node("conv", Conv2d(64, 16, POINT, bits), (INPUT,), output, multiplier_bits)
    graph = Graph("wide", source, (node,))
    images = random_images(graph, random, 64)
    network = random_network(graph, random, images)
    np.testing.assert_array_equal(
        network.execute(images)["conv"], in_integers(network, images)["conv"]
    )


@pytest.mark.parametrize("shift", [0, 1, 2, 7])
@pytest.mark.parametrize("multiplier", [1, 3, 255])
def test_requantisation_is_that_of_exact_fractions(shift, multiplier) -> None:
    sums = np.arange(-600, 601)
    bits = multiplier.bit_length()
    graph = Graph(
        "g",
        Tensor((1, 1, 1), 11, True),
        (Node("a", Pool2d("max", POINT), (INPUT,), Tensor((1, 1, 1), 8, True), bits),),
    )
    own = Parameters(multiplier=np.array([multiplier]), shift=shift)
    exact = [round(Fraction(int(s) * multiplier, 1 << shift)) for s in sums]  # half to even
    expected = np.clip(exact, -128, 127)
    for values in (sums, sums.astype(np.float32), sums.astype(np.float64)):
        found = finish(graph["a"], own, values.reshape(-1, 1, 1, 1).copy())
        np.testing.assert_array_equal(found.ravel(), expected)


def test_only_what_is_still_to_be_read_is_held() -> None:
    """Answers alone are computed without keeping the maps between."""
    graph = CASES["multiply"][2]
    random = np.random.default_rng(0)
    images = random_images(graph, random, 2)
    network = random_network(graph, random, images)
    assert set(network.answers(images)) == set(graph.outputs)


def test_a_network_whose_sums_overflow_is_no_network() -> None:
    source = Tensor((4, 1, 1), 8, signed=False)
    node = Node("conv", Conv2d(4, 1, POINT, 4), (INPUT,), Tensor((1, 1, 1), 8, True), 1)
    graph = Graph("g", source, (node,))
    own = Parameters(np.full((1, 4, 1, 1), 7), np.array([0]), np.array([1]), 0)
    narrow = Graph("g", source, (replace(graph["conv"], accumulator_bits=12),))
    Network(graph, {"conv": own}, {INPUT: 1.0, "conv": 1.0})
    with pytest.raises(ValueError, match="conv: sums leave the 12 bits"):
        Network(narrow, {"conv": own}, {INPUT: 1.0, "conv": 1.0})


def test_outputs_are_nodes_and_every_node_is_needed() -> None:
    source = Tensor((2, 3, 3), 4, signed=False)
    nodes = tuple(Node(name, Pool2d("max", POINT), (INPUT,), source, 0) for name in ("a", "b"))
    both = Graph("g", source, nodes, ("b", "a"))
    assert both.outputs == ("b", "a")
    assert both.output == source
    assert Graph("g", source, nodes[:1]).outputs == ("a",)
    for outputs, words in (((), "nothing reads"), (("c",), "different"), (("a", "a"), "different")):
        with pytest.raises(ValueError, match=words):
            Graph("g", source, nodes, outputs)


def test_a_range_is_part_of_a_type() -> None:
    six = Tensor((2,), 8, signed=False, bounds=(0, 192))
    assert (six.low, six.high) == (0, 192)
    assert Tensor((2,), 8, signed=False, bounds=(0, 255)) == Tensor((2,), 8, signed=False)
    for bounds in ((-1, 5), (0, 256), (7, 3)):
        with pytest.raises(ValueError, match="range"):
            Tensor((2,), 8, signed=False, bounds=bounds)
