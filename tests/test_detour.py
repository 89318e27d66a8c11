"""Where networks of one family part and meet again."""

import numpy as np
import pytest

from codesign import load
from codesign.network.detour import ANSWER, detour
from codesign.network.families.convnet import Convnet
from codesign.network.families.fbnet import Fbnet
from codesign.network.families.resnet import Resnet
from codesign.network.family import Family
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.search.variation import drawn, mutated

IMAGE = Tensor((1, 8, 8), 8, signed=False)
CONVNET = Convnet(IMAGE, 10)
FBNET = Fbnet(IMAGE, 10, width=0.25, head=16)
FAMILIES = [name for name in load.names("network.families") if name != "onnx"]


def first(family, **changes):
    point = {choice.name: choice.values[0] for choice in family.space().choices} | changes
    return family.decode(point)


def test_bits_are_no_detour():
    own = first(CONVNET)
    assert detour(own, first(CONVNET, weight_bits0=7, head_weight_bits=5)) is None
    assert detour(own, first(CONVNET, activation_bits1=4)) is None
    assert detour(own, own) is None


def test_a_kernel_is_a_detour_of_one_layer():
    own, other = first(CONVNET, kernel0=3), first(CONVNET, kernel0=5)
    found = detour(own, other)
    assert (found.start, found.leaves, found.arrives) == (0, "conv0", "conv0")
    assert found.readers == {("conv1", 0)}


def test_channels_reach_into_the_layer_behind():
    found = detour(first(CONVNET, width0=8), first(CONVNET, width0=16))
    assert (found.start, found.leaves, found.arrives) == (0, "conv1", "conv1")


def test_the_last_channels_meet_in_the_answer():
    own = first(CONVNET, width1=8)
    found = detour(own, first(CONVNET, width1=16))
    assert found.leaves == own.outputs[0]
    assert isinstance(own[found.leaves].op, Dense)
    assert found.readers == {ANSWER}


def test_a_block_that_is_left_out_ends_where_it_would_begin():
    """Behind the first layer of a stage of fbnet, `skip` hands its input on."""
    own, other = first(FBNET, block2="skip"), first(FBNET, block2="k5_e6")
    found = detour(own, other)
    assert found.leaves == own.nodes[found.start - 1].name
    assert found.arrives not in {node.name for node in own.nodes[: found.start]}
    back = detour(other, own)
    assert (back.leaves, back.arrives) == (found.arrives, found.leaves)


def test_the_skip_around_a_block_is_part_of_it():
    family = Resnet(IMAGE, 10, width=0.25)
    own, other = first(family, width0=0.25), first(family, width0=1.0)
    found = detour(own, other)
    assert found is not None
    assert own.tensor(found.leaves).shape == other.tensor(found.arrives).shape


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_behind_a_detour_is_the_same_network(name):
    """The nodes before and behind are alike; the others lie between start and meeting."""
    family = load.member("network.families", Family, name)(IMAGE, 10)
    space, random = family.space(), np.random.default_rng(0)
    for _ in range(5):
        point = drawn(space, random)
        other = family.decode(space.decode(mutated(space, point, random)))
        own = family.decode(space.decode(point))
        found = detour(own, other)
        if found is None:
            assert [n.op.weight_shape for n in own] == [n.op.weight_shape for n in other]
            continue
        common = [[n.name for n in graph.nodes[: found.start]] for graph in (own, other)]
        assert common[0] == common[1]
        assert own.tensor(found.leaves).shape == other.tensor(found.arrives).shape
        assert found.readers
