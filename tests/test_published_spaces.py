"""Families that were published: as many points and as many weights as their authors say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from codesign.network.families.fbnet import Fbnet
from codesign.network.families.mobilenetv3 import Mobilenetv3
from codesign.network.families.proxyless import Proxyless
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

# Kernels and expansions of the networks that were searched for: mit-han-lab/proxylessnas.
PROXYLESS = {
    "cpu": (
        "k3_e6 k3_e3 k3_e3 k3_e3 k3_e6 k3_e3 k3_e3 k5_e3 k3_e6 skip skip k3_e3 "
        "k5_e6 k3_e3 k3_e3 k3_e3 k5_e6 k5_e3 k5_e3 k3_e3 k5_e6"
    ),
    "gpu": (
        "k5_e3 skip skip skip k7_e3 skip skip k3_e3 k7_e6 skip skip k5_e3 "
        "k5_e6 skip k3_e3 k5_e3 k7_e6 k7_e6 k7_e6 k5_e6 k7_e6"
    ),
    "mobile": (
        "k5_e3 k3_e3 skip skip k7_e3 k3_e3 k5_e3 k5_e3 k7_e6 k5_e3 k5_e3 k5_e3 "
        "k5_e6 k5_e3 k5_e3 k5_e3 k7_e6 k7_e6 k7_e3 k7_e3 k7_e6"
    ),
}


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


def test_proxyless_has_six_blocks_and_skips_where_a_layer_can_be_left_out() -> None:
    """Cai et al., ICLR 2019, section 4.2: kernels 3, 5, 7 and expansions 3, 6; zero operations."""
    assert Proxyless(PHOTOGRAPH, 1000).space().size == 6**6 * 7**15


@pytest.mark.parametrize(
    ("name", "stem", "widths", "head", "weights"),
    [
        ("cpu", (40, 24), (32, 48, 88, 104, 216, 360), 1432, 4_361_648),
        ("gpu", (40, 24), (32, 56, 112, 128, 256, 432), 1728, 7_119_848),
        ("mobile", (32, 16), (32, 40, 80, 96, 192, 320), 1280, 4_080_512),
    ],
)
def test_proxyless_networks_have_the_published_weights(
    name: str, stem: tuple[int, int], widths: tuple[int, ...], head: int, weights: int
) -> None:
    """Parameters as in osmr/pytorchcv, which took over the authors' weights."""
    family = Proxyless(PHOTOGRAPH, 1000, stem=stem, widths=widths, head=head)
    blocks = {f"block{i}": block for i, block in enumerate(PROXYLESS[name].split())}
    assert learned(decoded(family, blocks)) == weights


def test_the_mobile_proxyless_network_has_the_published_macs() -> None:
    """README of mit-han-lab/proxylessnas: 320 M."""
    family = Proxyless(PHOTOGRAPH, 1000, widths=(32, 40, 80, 96, 192, 320))
    blocks = {f"block{i}": block for i, block in enumerate(PROXYLESS["mobile"].split())}
    assert round(decoded(family, blocks).macs / 1e6, -1) == 320


def test_once_for_all_has_2e19_networks() -> None:
    """Cai et al., ICLR 2020, section 3.2: ((3 x 3)^2 + (3 x 3)^3 + (3 x 3)^4)^5, 2 x 10^19."""
    space = Mobilenetv3(PHOTOGRAPH, 1000, reductions=(1,)).space()
    assert space.distinct == (9**2 + 9**3 + 9**4) ** 5
    assert f"{space.distinct:.0e}" == "2e+19"


def test_the_largest_once_for_all_network_has_the_published_weights() -> None:
    """Cai et al., ICLR 2020, section 3.2: 7.7 M parameters hold all networks."""
    family = Mobilenetv3(PHOTOGRAPH, 1000)
    largest = {choice.name: max(choice.values) for choice in family.space().choices}
    assert round(learned(decoded(family, largest | {"reduction": 1})) / 1e6, 1) == 7.7


def test_the_resolution_is_a_part_of_that_of_the_image() -> None:
    family = Mobilenetv3(Tensor((3, 64, 64), 8, signed=False), 10, reductions=(1, 2, 32))
    shapes = {
        factor: decoded(family, {"reduction": factor})["conv0"].output.shape[1:]
        for factor in (1, 2, 32)
    }
    assert shapes == {1: (64, 64), 2: (32, 32), 32: (64, 64)}, "2 x 2 pixels are too few"


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
