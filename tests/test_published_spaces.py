"""Families that were published: as many points and as many weights as their authors say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from codesign.network.families.fbnet import Fbnet
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.space import Value

PHOTOGRAPH = Tensor((3, 224, 224), 8, signed=False)
FBNET_C = (
    "k3_e1 k3_e6 skip k3_e1 k3_e1 k5_e6 k5_e3 k5_e6 k3_e6 k5_e6 k5_e3 k5_e6 k5_e6 "
    "k5_e6 k5_e6 k5_e6 k5_e3 k5_e6 k5_e6 k5_e6 k5_e6 k3_e6"
)


def decoded(family: Family, values: Mapping[str, Value]) -> Graph:
    """Return the network of these values, and of the first one wherever none is given."""
    choices = family.space().choices
    assert set(values) <= {choice.name for choice in choices}
    return family.decode({c.name: values.get(c.name, c.values[0]) for c in choices})


def learned(graph: Graph) -> int:
    """Count weights, two numbers per normalised channel, and the biases of the dense layer.

    A fused convolution has one bias per channel, in the place of these two numbers.
    """
    convolutions = [node.op for node in graph if isinstance(node.op, Conv2d)]
    return graph.parameters + sum(op.outputs for op in convolutions)


def test_fbnet_has_nine_blocks_for_22_layers() -> None:
    """Wu et al., CVPR 2019, section 3.1: "contains 9^22 ~ 10^21 possible architectures"."""
    family = Fbnet(PHOTOGRAPH, 1000)
    assert family.space().size == 9**22


def test_fbnet_c_has_the_published_weights() -> None:
    """Parameters as in osmr/pytorchcv (fbnet_cb) and timm (fbnetc_100)."""
    blocks = {f"block{i}": name for i, name in enumerate(FBNET_C.split())}
    assert learned(decoded(Fbnet(PHOTOGRAPH, 1000), blocks)) == 5_572_200


def test_a_block_in_groups_mixes_the_groups() -> None:
    family = Fbnet(Tensor((3, 32, 32), 8, signed=False), 10, blocks=("k3_e1_g2",))
    graph = decoded(family, {})
    first = [node for node in graph if node.name.startswith("slice")][:4]
    assert [(node.op.start, node.op.stop) for node in first] == [(0, 4), (8, 12), (4, 8), (12, 16)]
    assert graph["conv2"].inputs == ("concat0",)


@pytest.mark.parametrize(
    ("side", "last"), [(224, 7), (96, 6), (64, 4), (32, 4), (28, 7), (8, 4), (7, 7)]
)
def test_maps_shrink_as_far_as_the_image_bears(side: int, last: int) -> None:
    graph = decoded(Fbnet(Tensor((3, side, side), 8, signed=False), 10), {})
    assert graph["pool0"].op.window.kernel == (last, last)
