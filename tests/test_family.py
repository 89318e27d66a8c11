"""The contract of network families, for every member of the folder."""

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign import load
from codesign.network import onnx
from codesign.network.family import Family
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.dense import Dense
from codesign.network.quantize import post_training
from codesign.network.tensor import Tensor

NAMES = load.names("network.families")
FOLDER = TemporaryDirectory()
SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (16, 1, 1), (2, 3, 9))


def family(name, shape=(1, 8, 8), classes=10):
    options = {"model": model(shape)} if name == "onnx" else {}
    member = load.member("network.families", Family, name)
    return member(Tensor(shape, 8, signed=False), classes, **options)


@cache
def model(shape):
    """Return the path of an ONNX file: one dense layer of 10 outputs."""
    dense = Dense(math.prod(shape), 10, bits=8)
    entry = Tensor(shape, 8, signed=False)
    node = Node("dense0", dense, ("input",), Tensor((10,), 30, signed=True), multiplier_bits=0)
    weights = FloatParameters(np.ones(dense.weight_shape), np.zeros(10))
    floats = FloatNetwork(Graph("tiny", entry, (node,)), {"dense0": weights})
    path = Path(FOLDER.name) / f"{'x'.join(map(str, shape))}.onnx"
    onnx.save(post_training(floats, np.ones((1, *shape))), path)
    return str(path)


def points(of, count, seed=0):
    random = np.random.default_rng(seed)
    space = of.space()
    return [space.sample(random) for _ in range(count)]


def test_the_issue_family_is_there():
    assert "convnet" in NAMES


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_random_points_decode_to_networks_of_the_task(name, shape):
    member = family(name, shape, classes=10)
    for point in points(member, 60):
        graph = member.decode(point)
        assert graph.input == Tensor(shape, 8, signed=False)
        assert graph.output.shape == (10,)
        assert graph.nodes[-1].multiplier_bits == 0, "scores are exact sums"
        assert all(node.accumulator_bits <= 40 for node in graph)


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(0, 2**32 - 1))
def test_the_key_of_a_point_is_the_key_of_its_network(name, seed):
    member = family(name)
    first, second = points(member, 2, seed)
    # every other choice of the second: often an idle one, which must not change the key
    for choice in sorted(first):
        mixed = first | {choice: second[choice]}
        same = member.decode(mixed) == member.decode(first)
        assert (member.canonical(mixed) == member.canonical(first)) == same


@pytest.mark.parametrize("name", NAMES)
def test_the_key_ignores_the_order_of_choices(name):
    member = family(name)
    (point,) = points(member, 1)
    assert member.canonical(dict(reversed(point.items()))) == member.canonical(point)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_is_no_task(name):
    with pytest.raises(ValueError, match="at least two"):
        family(name, classes=1)
