"""Scales of tensors that meet: equal where they can be, powers of two apart where not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from codesign.network.floats import answer_floats
from codesign.network.graph import Graph, Node
from codesign.network.joins import leaders
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.table import Table
from codesign.network.quantize import post_training
from codesign.network.scales import MULTIPLIER_BITS
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

POINT = Window((1, 1))
KINDS = tuple(MULTIPLIER_BITS)
MAP = Tensor((4, 3, 3), 8, signed=True)


def network_of(nodes, gains, outputs=()):
    """Return 1 x 1 convolutions that multiply by about their gain, and what joins them."""
    random = np.random.default_rng(0)
    graph = Graph("joins", MAP, tuple(nodes), tuple(outputs))
    parameters = {
        name: FloatParameters(
            gain * (np.eye(4) + random.normal(size=(4, 4)) * 0.1).reshape(4, 4, 1, 1), np.zeros(4)
        )
        for name, gain in gains.items()
    }
    return FloatNetwork(graph, parameters)


def images():
    return np.random.default_rng(1).normal(size=(8, *MAP.shape))


def conv(name, source="input", tensor=MAP):
    return Node(name, Conv2d(4, 4, POINT, 8), (source,), tensor)


def concat(*sources, bits=8, multiplier_bits=1):
    shape = (4 * len(sources), 3, 3)
    output = Tensor(shape, bits, signed=True)
    return Node("joined", Concat(len(sources), 5), sources, output, multiplier_bits)


def quantised(network, kind="power_of_two"):
    found = post_training(network, images(), kind)
    scores = found.answers(found.quantize_input(images()))
    for name, values in answer_floats(network, images()).items():
        noise = ((scores[name] * found.scales[name] - values) ** 2).mean() / (values**2).mean()
        assert noise < 2e-3, name
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_a_concatenation_share_its_scale_and_cost_nothing(kind):
    nodes = [conv("left"), conv("right"), concat("left", "right")]
    found = quantised(network_of(nodes, {"left": 1.0, "right": 2.9}), kind)
    joined = found.parameters["joined"]
    assert joined.weights.tolist() == [1, 1]
    assert (joined.multiplier.tolist(), joined.shift) == ([1], 0)
    assert found.graph["joined"].multiplier_bits == 1
    assert len({found.scales[name] for name in ("left", "right", "joined")}) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_parts_share_a_scale_through_views_and_from_tables(kind):
    resize = Node("grown", Resize2d((2, 2)), ("left",), replace(MAP, shape=(4, 6, 6)), 0)
    pool = Node("small", Pool2d("max", Window((2, 2), (2, 2))), ("grown",), MAP, 0)
    table = Node("table", Table("tanh", (), (0, 0), (0, 0)).typed([MAP], MAP), ("right",), MAP, 0)
    nodes = [conv("left"), resize, pool, conv("right"), table, concat("small", "table")]
    found = quantised(network_of(nodes, {"left": 1.0, "right": 1.0}), kind)
    assert found.parameters["joined"].weights.tolist() == [1, 1]
    assert found.scales["left"] == found.scales["small"] == found.scales["table"]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_of_other_widths_are_powers_of_two_apart(kind):
    narrow = replace(MAP, bits=4)
    nodes = [conv("left"), conv("right", tensor=narrow), concat("left", "right", bits=9)]
    network = network_of(nodes, {"left": 1.0, "right": 1.0})
    found = post_training(network, images(), kind)
    one, other = found.parameters["joined"].weights.tolist()
    assert one == 1
    assert other in (8, 16, 32)


@pytest.mark.parametrize("kind", KINDS)
def test_a_concatenation_without_requantisation_holds_what_it_joins(kind):
    nodes = [conv("left"), concat("left", "input", bits=12, multiplier_bits=0)]
    for gain, shared in ((0.7, True), (0.07, False)):
        found = quantised(network_of(nodes, {"left": gain}), kind)
        factors = found.parameters["joined"].weights
        assert (factors.tolist() == [1, 1]) == shared
        assert factors.min() == 1
        assert found.graph["joined"].output.high >= 127 * factors.max()


@pytest.mark.parametrize("kind", KINDS)
def test_summands_that_nothing_else_reads_take_the_coarser_scale(kind):
    nodes = [conv("left"), conv("right"), Node("sum", Add(5), ("left", "right"), MAP)]
    found = quantised(network_of(nodes, {"left": 0.2, "right": 3.0}), kind)
    assert found.parameters["sum"].weights.tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_summand_that_others_read_keeps_its_finer_scale(kind):
    nodes = [conv("left"), conv("right", "left"), Node("sum", Add(5), ("left", "right"), MAP)]
    found = quantised(network_of(nodes, {"left": 0.1, "right": 40.0}), kind)
    one, other = found.parameters["sum"].weights.tolist()
    assert one == 1
    assert other in (16, 32, 64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_zero_summand_takes_any_scale(kind):
    nodes = [conv("left"), conv("right"), Node("sum", Add(5), ("left", "right"), MAP)]
    for dead in ("left", "right"):
        found = quantised(network_of(nodes, {"left": 2e-9, "right": 2e-9, dead: 0.0}), kind)
        assert found.parameters["sum"].weights.tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gain", [1e-30, 1e-9, 1e-4, 1e4, 1e9, 1e30])
def test_what_is_small_beside_its_partner_does_not_break_the_sum(kind, gain):
    squares = Node("square", Multiply(), ("left", "left"), MAP)
    nodes = [conv("left"), squares, conv("right"), Node("sum", Add(5), ("square", "right"), MAP)]
    found = quantised(network_of(nodes, {"left": gain, "right": 1.0}), kind)
    assert found.parameters["sum"].weights.max() < 1 << 30
    nodes = [conv("left"), conv("right", "left"), concat("left", "right", bits=16)]
    quantised(network_of(nodes, {"left": 1.0, "right": gain}), kind)


@pytest.mark.parametrize("order", [("left", "right"), ("right", "left")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_summand_beyond_any_factor_does_not_distort_the_other(kind, order):
    nodes = [conv("left"), conv("right", "left"), Node("sum", Add(5), order, MAP)]
    quantised(network_of(nodes, {"left": 1.0, "right": 1e30}), kind)


def test_leaders_follow_through_chains_of_joins():
    first = Node("first", Add(5), ("a", "b"), MAP)
    second = Node("second", Add(5), ("first", "c"), MAP)
    graph = network_of([conv("a"), conv("b"), first, conv("c"), second], {}).graph
    wanted = {"input": 1.0, "a": 1.0, "b": 4.0, "first": 2.0, "c": 8.0, "second": 1.0}
    assert leaders(graph, wanted) == {
        "input": "input",
        "a": "b",
        "b": "b",
        "first": "c",
        "c": "c",
        "second": "second",
    }
