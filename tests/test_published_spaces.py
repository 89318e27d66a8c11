"""Families that were published: as many points and as many weights as their authors say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from codesign.flow.prepare import prepare
from codesign.flow.settings import load_settings
from codesign.network.families.darts import Darts
from codesign.network.families.fbnet import Fbnet
from codesign.network.families.hierarchical import Hierarchical
from codesign.network.families.mobilenetv3 import Mobilenetv3
from codesign.network.families.proxyless import Proxyless
from codesign.network.families.resnet import Resnet
from codesign.network.families.sequence import Sequence
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.model import reference
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

DARTS_V2 = {
    "normal": (
        "0+1 sep_conv_3x3 sep_conv_3x3, 0+1 sep_conv_3x3 sep_conv_3x3, "
        "0+1 skip_connect sep_conv_3x3, 0+2 skip_connect dil_conv_3x3"
    ),
    "reduce": (
        "0+1 max_pool_3x3 max_pool_3x3, 1+2 max_pool_3x3 skip_connect, "
        "0+2 max_pool_3x3 skip_connect, 1+2 max_pool_3x3 skip_connect"
    ),
}
P_DARTS = {
    "normal": (
        "0+1 skip_connect dil_conv_3x3, 0+1 skip_connect sep_conv_3x3, "
        "1+3 sep_conv_3x3 sep_conv_3x3, 0+4 sep_conv_3x3 dil_conv_5x5"
    ),
    "reduce": (
        "0+1 avg_pool_3x3 sep_conv_5x5, 0+2 sep_conv_3x3 dil_conv_5x5, "
        "0+1 max_pool_3x3 dil_conv_3x3, 1+3 dil_conv_3x3 dil_conv_5x5"
    ),
}


def cells(genotype: Mapping[str, str]) -> dict[str, Value]:
    """Return the values of both cells, written node after node."""
    values: dict[str, Value] = {}
    for kind, text in genotype.items():
        for node, entry in enumerate(text.split(", ")):
            for key, value in zip(("inputs", "left", "right"), entry.split(), strict=True):
                values[f"{kind}_{key}{node}"] = value
    return values


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


def learned_in_cells(graph: Graph) -> int:
    """Count as `learned`, but depthwise convolutions are not normalised."""
    depthwise = [n.op for n in graph if isinstance(n.op, Conv2d) and n.op.is_depthwise]
    return learned(graph) - 2 * sum(op.outputs for op in depthwise)


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


@pytest.mark.parametrize(
    ("block", "depths", "weights", "macs"),
    [
        ("basic", (2, 2, 2, 2), 11_689_512, 1814),
        ("basic", (3, 4, 6, 3), 21_797_672, 3664),
        ("bottleneck", (3, 4, 6, 3), 25_557_032, 4089),
    ],
)
def test_residual_networks_have_the_published_weights_and_macs(
    block: str, depths: tuple[int, ...], weights: int, macs: int
) -> None:
    """ResNet-18, 34 and 50: torchvision, num_params and _ops of the default weights."""
    family = Resnet(PHOTOGRAPH, 1000, depths=(1, 2, 3, 4, 6), widths=(1.0,))
    values = {f"depth{stage}": depth for stage, depth in enumerate(depths)}
    graph = decoded(family, values | {"block": block})
    assert (learned(graph), round(graph.macs / 1e6)) == (weights, macs)


def test_residual_networks_are_counted_once() -> None:
    """Two blocks, and four stages of 4 depths and 4 widths; bits do not vary."""
    space = Resnet(PHOTOGRAPH, 1000).space()
    assert (space.size, space.distinct) == (2 * 16**4, 2 * 16**4)
    mixed = Resnet(PHOTOGRAPH, 1000, weight_bits=(4, 8)).space()
    stage = sum(4 * 2**depth for depth in (1, 2, 3, 4))  # widths, and bits of every block
    assert mixed.distinct == 2 * 2 * 2 * stage**4


def test_darts_has_as_many_cells_as_published() -> None:
    """Liu et al., ICLR 2019, section A.1: (k + 1) k / 2 x 7^2 for k = 1..4, about 10^9 a cell."""
    cell = 1 * 3 * 6 * 10 * 7**8
    assert Darts(PHOTOGRAPH, 1000).space().size == cell**2
    assert f"{cell:.0e}" == "1e+09"


@pytest.mark.parametrize(
    ("genotype", "weights"), [(DARTS_V2, 3_349_342), (P_DARTS, 3_433_798)], ids=["darts", "p-darts"]
)
def test_networks_of_cells_have_the_published_weights(
    genotype: Mapping[str, str], weights: int
) -> None:
    """Logs of quark0/darts' train.py: 3.349342 MB; P-DARTS: chenxin061/pdarts, issue 7."""
    family = Darts(Tensor((3, 32, 32), 8, signed=False), 10, cells=20, first=36)
    assert learned_in_cells(decoded(family, cells(genotype))) == weights


def test_the_network_of_cells_for_large_images_has_the_published_weights() -> None:
    """Liu et al., ICLR 2019, table 3: 4.7 M parameters."""
    graph = decoded(Darts(PHOTOGRAPH, 1000, cells=14, first=48), cells(DARTS_V2))
    assert round(learned_in_cells(graph) / 1e6, 1) == 4.7


def test_the_electrocardiogram_network_is_a_point_of_the_sequences() -> None:
    model = reference("ecg")
    family = Sequence(model.input, 2)
    separable = ((16, 2), (24, 2), (24, 1), (32, 2), (32, 1), (48, 2), (48, 1), (64, 2))
    values: dict[str, Value] = {"layers": 8, "width_first": 16, "kernel_first": 7, "step_first": 2}
    for index, (width, step) in enumerate(separable):
        values |= {f"width{index}": width, f"kernel{index}": 9, f"step{index}": step}
    graph, known = decoded(family, values), model.graph()
    assert (graph.macs, graph.parameters) == (known.macs, known.parameters)
    # bits do not vary: 90 kinds of a layer, of which two to eight follow the first
    assert family.space().distinct == sum(90 ** (1 + depth) for depth in range(2, 9))


def test_a_series_takes_in_all_rows_of_a_map() -> None:
    graph = decoded(Sequence(Tensor((3, 8, 20), 8, signed=False), 4), {"kernel_first": 5})
    assert graph["conv0"].op.window.kernel == (8, 5)
    assert graph["conv0"].output.shape == (8, 1, 20)


def test_hierarchies_are_counted_by_their_edges() -> None:
    """Seven operations on the 6 edges of 3 cells; 3 cells, identity or none on those of a block."""
    family = Hierarchical(PHOTOGRAPH, 1000, repeats=(1,))
    assert family.space().size == (7**6) ** 3 * 5**3


def test_a_hierarchy_keeps_what_leads_from_the_first_node_to_the_last() -> None:
    family = Hierarchical(Tensor((3, 8, 8), 8, signed=False), 10, motifs=1, stages=1)
    empty = dict.fromkeys((choice.name for choice in family.space().choices), "none")
    bare = {choice.name: choice.values[0] for choice in family.space().choices} | {
        name: value for name, value in empty.items() if name.startswith(("cell", "block"))
    }

    def layers(**values: str) -> list[str]:
        return [node.name for node in family.decode(bare | values)]

    ends = ["pool0", "dense0"]
    cell = {"block_0_2": "cell0"}
    assert layers() == ["conv0", *ends]
    assert layers(**cell, cell0_0_1="conv_1x1", cell0_1_2="conv_1x1") == ["conv0", *ends]
    assert layers(**cell, cell0_0_3="conv_1x1") == ["conv0", "conv1", *ends]
    both = layers(**cell, cell0_0_3="conv_1x1", cell0_0_1="identity", cell0_1_3="identity")
    assert both == ["conv0", "conv1", "add0", *ends]
    twice = layers(block_0_1="cell0", block_1_2="cell0", cell0_0_3="separable_3x3")
    assert twice == ["conv0", "conv1", "conv2", "conv3", "conv4", *ends]


def test_every_small_hierarchy_is_a_network_and_equal_ones_have_one_key() -> None:
    """By hand: 31 different blocks; twice in a row, 24 of them are none of these.

    Of a convolution C and the identity I a cell makes I, C, CC, I + C, C + C, I + CC or C + CC. A
    block makes the same of cells: I, and six of each of the other six cells. Five are a cell alone,
    which is another cell's C; I + CC comes twice.
    """
    options = ("conv_1x1", "identity", "none")
    family = Hierarchical(
        Tensor((3, 8, 8), 8, signed=False), 10, motifs=1, cell_nodes=3, stages=1, operations=options
    )
    space = family.space()
    keys = {family.canonical(space.at(number)) for number in range(space.size)}
    assert (space.size, len(keys)) == (2 * 27 * 27, 31 + 24)


def test_a_block_in_groups_mixes_the_groups() -> None:
    family = Fbnet(Tensor((3, 32, 32), 8, signed=False), 10, blocks=("k3_e1_g2",))
    graph = decoded(family, {})
    first = [node for node in graph if node.name.startswith("slice")][:4]
    assert [(node.op.start, node.op.stop) for node in first] == [(0, 4), (8, 12), (4, 8), (12, 16)]
    assert graph["conv2"].inputs == ("concat0",)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("fbnet", "blocks=[k3_e1, skip]"),
        ("proxyless", "kernels=[3]"),
        ("mobilenetv3", "reductions=[1, 2]"),
        ("resnet", "widths=[0.5, 1]"),
        ("darts", "operations=[sep_conv_3x3, skip_connect]"),
        ("hierarchical", "motifs=2"),
        ("sequence", "layers=[2, 3]"),
    ],
)
def test_a_flow_names_a_family_and_its_options(name: str, option: str) -> None:
    changes = ["board=zcu104", f"network={name}", f"network.{option}", "network.weight_bits=[4]"]
    prepared = prepare(load_settings("quickstart", changes))
    point = prepared.study.space.at(0)
    assert prepared.judge.family.decode(point).output.shape == (10,)
    weights = {node.op.bits for node in prepared.judge.family.decode(point) if node.op.has_bias}
    assert weights == {4}


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        (Fbnet, {"blocks": ("k4_e1",)}, "like k3_e6"),
        (Fbnet, {"blocks": ("skip", "skip")}, "different"),
        (Fbnet, {"width": 0.0}, "positive factor"),
        (Fbnet, {"weight_bits": (1, 8)}, "weight_bits are different numbers of 2 to 8"),
        (Fbnet, {"smallest": 0}, "at least 1"),
        (Proxyless, {"kernels": (2, 3)}, "odd"),
        (Proxyless, {"widths": (8, 16)}, "widths are 6"),
        (Mobilenetv3, {"depths": ()}, "depths are different"),
        (Mobilenetv3, {"input": Tensor((8,), 8, signed=False)}, "C x H x W"),
        (Resnet, {"blocks": ()}, "at least one"),
        (Resnet, {"stages": ()}, "stages"),
        (Darts, {"cells": 0}, "at least 1"),
        (Darts, {"operations": ()}, "at least one"),
        (Hierarchical, {"cell_nodes": 1}, "2 to 8"),
        (Hierarchical, {"motifs": 0}, "at least 1"),
        (Sequence, {"steps": (0,)}, "steps"),
    ],
)
def test_wrong_options_are_refused(
    family: Callable[..., Family], options: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        family(**{"input": PHOTOGRAPH, "classes": 10, **options})


@pytest.mark.parametrize(
    ("side", "last"), [(224, 7), (96, 6), (64, 4), (32, 4), (28, 7), (8, 4), (7, 7)]
)
def test_maps_shrink_as_far_as_the_image_bears(side: int, last: int) -> None:
    graph = decoded(Fbnet(Tensor((3, side, side), 8, signed=False), 10), {})
    assert graph["pool0"].op.window.kernel == (last, last)
