"""The contract of network families, for every member of the folder."""

import math
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign import load
from codesign.fit.options import unbuildable
from codesign.network import onnx
from codesign.network.family import Family
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.dense import Dense
from codesign.network.quantize import post_training
from codesign.network.tensor import Tensor
from codesign.search.variation import crossed, drawn, mutated

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
    for point in points(member, 20):
        graph = member.decode(point)
        assert graph.input == Tensor(shape, 8, signed=False)
        assert graph.output.shape == (10,)
        assert graph.nodes[-1].multiplier_bits == 0, "scores are exact sums"
        assert all(node.accumulator_bits <= 40 for node in graph)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_the_key_of_a_point_is_the_key_of_its_network(name, seed):
    member = family(name)
    first, second = points(member, 2, seed)
    graph, key = member.decode(first), member.canonical(first)
    # some choices of the second: often an idle one, which must not change the key
    for choice in np.random.default_rng(seed).permutation(sorted(first))[:6]:
        mixed = first | {str(choice): second[choice]}
        assert (member.canonical(mixed) == key) == (member.decode(mixed) == graph)


@pytest.mark.parametrize("name", NAMES)
def test_idle_choices_do_not_make_another_network(name):
    member = family(name)
    space, random = member.space(), np.random.default_rng(1)
    for point in points(member, 4):
        indices = space.encode(point)
        for _ in range(3):
            fresh = space.encode(space.sample(random))
            idle = zip(space.counts(indices), indices, fresh, strict=True)
            other = space.decode([own if counts else new for counts, own, new in idle])
            assert member.decode(other) == member.decode(point)


@pytest.mark.parametrize("name", NAMES)
def test_variations_of_points_are_points_and_round_trip(name):
    member = family(name)
    space, random = member.space(), np.random.default_rng(2)
    left, right = drawn(space, random), drawn(space, random)
    for _ in range(5):
        left, right = mutated(space, left, random), crossed(space, left, right, random)
        for child in (left, right):
            assert space.encode(space.decode(child)) == child
            member.decode(space.decode(child))


@pytest.mark.parametrize("name", NAMES)
def test_templates_build_every_layer(name):
    for shape in SHAPES:
        member = family(name, shape)
        assert [unbuildable(member.decode(point)) for point in points(member, 6)] == [{}] * 6


@pytest.mark.parametrize("name", NAMES)
def test_the_key_ignores_the_order_of_choices(name):
    member = family(name)
    (point,) = points(member, 1)
    assert member.canonical(dict(reversed(point.items()))) == member.canonical(point)


@pytest.mark.parametrize("name", NAMES)
def test_one_class_is_no_task(name):
    with pytest.raises(ValueError, match="at least two"):
        family(name, classes=1)
