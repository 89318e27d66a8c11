"""The cells of NAS-Bench-201: names, indices, equal cells, published costs, and their graphs."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from codesign.errors import InputError
from codesign.network.cell import CELLS, CONV1, CONV3, EDGES, NONE, POOL, SKIP, Cell, normal
from codesign.network.families.nasbench201 import Cost, Nasbench201
from codesign.network.floats import execute_floats
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.quantize import post_training
from codesign.network.tensor import Tensor

DATA = Path(__file__).parents[2] / "shared" / "data" / "nasbench201" / "nb201_cost.csv"
CIFAR = Nasbench201(Tensor((3, 32, 32), 8, signed=False), 10)
SMALL = Nasbench201(Tensor((1, 6, 6), 8, signed=False), 3, channels=2, cells=2)

PUBLISHED = {
    # published index: digits, MACs, parameters
    0: ("421211", 15647360, 129306),
    1: ("334131", 113951360, 802426),
    3: ("410001", 7783040, 73306),
    1462: ("333333", 220119680, 1531546),
    1651: ("000000", 7783040, 73306),
    4317: ("222222", 31376000, 241306),
    6577: ("330000", 78561920, 559386),
}
"""Source: NAS-Bench-201's own cost information, as in the files of `../shared/data/nasbench201`."""


def cell(digits):
    return Cell.parse(digits)


def floats(family, of):
    """Return the network of a cell with weights drawn at random."""
    graph = family.decode(family.point(of))
    random = np.random.default_rng(0)
    parameters = {
        node.name: FloatParameters(
            random.normal(size=node.op.weight_shape), random.normal(size=node.op.weight_shape[0])
        )
        for node in graph
        if node.op.has_bias
    }
    return FloatNetwork(graph, parameters)


def images(family, count=4):
    return np.random.default_rng(1).random((count, *family.input.shape))


@pytest.mark.parametrize("index", PUBLISHED)
def test_published_cells(index):
    digits, macs, parameters = PUBLISHED[index]
    assert Cell.at(index).digits == digits
    assert cell(digits).index == index
    assert CIFAR.published(cell(digits)) == Cost(macs, parameters)


def test_every_cell_costs_what_was_published():
    if not DATA.exists():
        pytest.skip(f"no {DATA}: costs of only {len(PUBLISHED)} cells were compared")
    with DATA.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == CELLS
    for row in rows:
        own = Cell.at(int(row["arch_index"]))
        assert (own.digits, own.text) == (row["ops"], row["arch_str"])
        assert CIFAR.published(own) == Cost(int(row["macs"]), int(row["params"]))


def test_indices_strings_digits_and_points_are_one_to_one():
    space = CIFAR.space()
    assert space.size == CELLS == 15625
    for index in range(0, CELLS, 7):
        own = Cell.at(index)
        assert own.index == index
        assert Cell.parse(own.text) == Cell.parse(own.digits) == own
        point = CIFAR.point(own)
        assert CIFAR.cell(point) == own
        assert space.decode(space.encode(point)) == point


def test_wrong_names_are_refused():
    with pytest.raises(InputError, match=r"cell: cannot read '\|none~0\|'; write e\.g\. \|none~0"):
        Cell.parse("|none~0|")
    wrong = Cell.at(0).text.replace("skip_connect~2", "skip_conect~2")
    with pytest.raises(InputError, match="no operation 'skip_conect'; did you mean skip_connect"):
        Cell.parse(wrong)
    with pytest.raises(InputError, match="indices are 0 to 15624, got 15625"):
        Cell.at(CELLS)
    with pytest.raises(InputError, match="cell: has 6 edges, got 2"):
        Cell((NONE, SKIP))
    with pytest.raises(ValueError, match="channels are at least 2"):
        Nasbench201(CIFAR.input, 10, channels=1)
    with pytest.raises(ValueError, match="weight_bits are different integers of 2 to 8"):
        Nasbench201(CIFAR.input, 10, weight_bits=(1,))


@pytest.mark.parametrize(
    ("digits", "form"),
    [
        ("000000", ">zero"),
        ("333000", ">zero"),
        ("000100", ">0"),
        ("101001", ">0"),
        ("000300", "nor_conv_3x3~0>1"),
        ("300010", "nor_conv_3x3~0>1"),
        ("030001", "nor_conv_3x3~0>1"),
        ("440011", "avg_pool_3x3~0+avg_pool_3x3~0>1"),
        ("400410", "avg_pool_3x3~0+avg_pool_3x3~0>1"),
        ("300012", "nor_conv_3x3~0>1"),
        ("303011", "nor_conv_3x3~0|nor_conv_3x3~1+skip_connect~1>2"),
        ("303301", "nor_conv_3x3~0|nor_conv_3x3~0+nor_conv_3x3~1>2"),
    ],
)
def test_normal_forms(digits, form):
    assert normal(cell(digits)).text == form


def test_cells_that_differ_by_the_names_of_inner_sums_are_one():
    assert normal(cell("240023")) == normal(cell("420032"))
    assert normal(cell("240023")) != normal(cell("240032"))


def expression(of):
    """Return what a cell computes, written out: a sorted sum in which shared weights show."""
    known = {0: ["x"]}
    for target in (1, 2, 3):
        terms = []
        for place, (source, end) in enumerate(EDGES):
            name = of.operations[place]
            if end != target or name == NONE or not known[source]:
                continue
            inner = "+".join(known[source])
            plain = known[source] if name == SKIP else [f"{name}({inner})"]
            terms += plain
        known[target] = sorted(terms)
    return "+".join(known[3])


def test_no_cells_are_taken_for_equal_that_compute_different_sums():
    forms = {}
    for index in range(CELLS):
        forms.setdefault(normal(Cell.at(index)), set()).add(expression(Cell.at(index)))
    assert len(forms) == 5260
    assert all(len(expressions) == 1 for expressions in forms.values())
    assert len({own for (own,) in forms.values()}) == 4930  # conv(x) read twice, and two conv(x)


def test_equal_cells_are_equal_networks_and_no_others():
    networks = {}
    for index in range(0, CELLS, 41):
        point = SMALL.point(Cell.at(index))
        networks.setdefault(SMALL.canonical(point), set()).add(SMALL.decode(point))
    assert all(len(graphs) == 1 for graphs in networks.values())
    graphs = [graph for (graph,) in networks.values()]
    assert len(set(graphs)) == len(graphs)


@pytest.mark.parametrize("digits", ["333333", "222222", "334131", "144211"])
def test_a_live_cell_has_the_published_macs(digits):
    """Beside the published convolutions there is the last normalisation: 64 channels of 8 x 8."""
    graph = CIFAR.decode(CIFAR.point(cell(digits)))
    assert graph.macs == CIFAR.published(cell(digits)).macs + 64 * 8 * 8


def test_dead_convolutions_are_not_built():
    built = CIFAR.decode(CIFAR.point(cell("300100"))), CIFAR.decode(CIFAR.point(cell("000100")))
    assert built[0] == built[1]
    assert built[0].macs < CIFAR.published(cell("300100")).macs


def relu(maps):
    return np.maximum(maps, 0.0)


def averaged(maps, kernel, stride, before, after):
    """Average what lies on the map under a square window."""

    def summed(values):
        shaped = np.pad(values, ((0, 0), (0, 0), *((before, end) for end in after)))
        spans = [size - kernel + 1 for size in shaped.shape[2:]]
        near = [(r, c) for r in range(kernel) for c in range(kernel)]
        return sum(
            shaped[:, :, r : r + spans[0] : stride, c : c + spans[1] : stride] for r, c in near
        )

    return summed(maps) / summed(np.ones_like(maps))


def one_cell(of, maps, layer, names):
    """Compute one cell edge by edge; `layer` takes maps and the next of the `names`."""
    values = [maps]
    for target in (1, 2, 3):
        total = np.zeros_like(maps)
        for source in range(target):
            name, own = of.edge(source, target), values[source]
            if name in (CONV1, CONV3):
                total = total + layer(relu(own), next(names))
            elif name != NONE:
                total = total + (averaged(own, 3, 1, 1, (1, 1)) if name == POOL else own)
        values.append(total)
    return values[3]


def reference(of, family, network, pictures):
    """Compute the published network edge by edge from the graph's weights, in their order."""
    names = iter([node.name for node in network.graph if node.name.startswith("conv")])

    def layer(maps, name):
        node, own = network.graph[name], network.parameters[name]
        sums = node.op.real([maps], own.weights)
        return sums + own.bias.reshape(-1, *(1,) * (sums.ndim - 2))

    maps = layer(pictures, next(names))
    for stage in range(3):
        if stage:
            rows, columns = maps.shape[2:]
            inner = layer(relu(layer(relu(maps), next(names))), next(names))
            halved = averaged(maps, 2, 2, 0, (rows % 2, columns % 2))
            maps = layer(halved, next(names)) + inner
        for _ in range(family.cells):
            maps = one_cell(of, maps, layer, names)
    means = relu(layer(maps, "norm0")).mean(axis=(2, 3))
    return layer(means, "dense")


@pytest.mark.parametrize(
    "digits", ["000300", "000100", "240010", "111111", "330011", "400140", "303011", "104003"]
)
def test_the_graph_computes_the_published_network(digits):
    """These cells list their convolutions in the order of their normal form."""
    network = floats(SMALL, cell(digits))
    pictures = images(SMALL)
    wanted = reference(cell(digits), SMALL, network, pictures)
    assert np.allclose(execute_floats(network, pictures)["dense"], wanted)


@pytest.mark.parametrize("digits", ["000000", "333000"])
def test_a_dead_cell_is_a_constant(digits):
    network = floats(SMALL, cell(digits))
    answers = execute_floats(network, images(SMALL))["dense"]
    assert np.allclose(answers, network.parameters["dense"].bias)
    quantised = post_training(network, images(SMALL).astype(np.float32))
    scores = quantised.execute(np.random.default_rng(0).integers(0, 256, (3, 1, 6, 6)))["dense"]
    assert all(np.array_equal(left, right) for left, right in pairwise(scores))


@pytest.mark.parametrize("digits", ["333333", "440011", "144211", "111111"])
def test_quantised_cells_follow_the_real_ones(digits):
    network = floats(SMALL, cell(digits))
    pictures = images(SMALL, 64).astype(np.float32)
    quantised = post_training(network, pictures)
    exact = execute_floats(network, pictures)["dense"].argmax(axis=1)
    assert (quantised.predict(pictures) == exact).mean() > 0.85
