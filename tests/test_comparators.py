"""Outputs of few bits by comparators: thresholds from the integers, engines, and their price."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import random_design, signed, single, unsigned
from contract import check_declarations, check_run
from test_template import events

from codesign.cost import resources
from codesign.fit.dataflow import fit
from codesign.fit.options import options, template_of
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import Board
from codesign.hardware.pace import REFERENCE
from codesign.hardware.requantise import MOST_THRESHOLDS, activations
from codesign.hardware.structure import Activation
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network, Parameters, finish
from codesign.network.op import Op
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.network.thresholds import thresholds
from codesign.network.windows import Window

BOTH = (Activation.MULTIPLIER, Activation.COMPARATOR)


def node_of(op: Op, output: Tensor, multiplier_bits: int, sum_bits: int = 0) -> Node:
    return Node("node", op, (INPUT,), output, multiplier_bits, sum_bits)


def outputs_of_few_bits() -> list[Tensor]:
    types = [Tensor((6,), bits, is_signed) for bits in range(1, 5) for is_signed in (False, True)]
    return [*types, Tensor((6,), 4, True, (-3, 6)), Tensor((6,), 5, False, (0, 11))]


@pytest.mark.parametrize("output", outputs_of_few_bits(), ids=str)
@pytest.mark.parametrize("shift", [0, 1, 2, 5])
def test_counted_thresholds_are_the_requantised_sums(output: Tensor, shift: int) -> None:
    """Every sum of 9 bits, multipliers and biases that make ties, and both clips."""
    random = np.random.default_rng(shift)
    bits = 9
    sums = np.arange(-(1 << bits - 1), 1 << bits - 1)
    multiplier = np.array([1, 2, 3, 5, 7, 255])
    bias = np.array([0, 1, -7, 60, *random.integers(-200, 200, 2)])
    own = Parameters(None, bias, multiplier, shift)
    node = node_of(Dense(1, 6, 4), output, 8, bits)
    expected = finish(node, own, np.repeat(sums[:, None], 6, axis=1))
    reached = thresholds(own, output, bits)
    assert reached.shape == (6, output.high - output.low)
    assert np.all(np.diff(reached) >= 0)
    counted = output.low + (sums[:, None, None] >= reached).sum(axis=2)
    assert np.array_equal(counted, expected)


def test_ties_go_to_the_even_side() -> None:
    own = Parameters(None, np.zeros(1, int), np.ones(1, int), 1)
    # halves: 1 / 2 is a tie, which goes to 0; 3 / 2 one, which goes to 2
    assert thresholds(own, Tensor((1,), 2, False), 8).tolist() == [[2, 3, 6]]


def test_what_no_sum_reaches_lies_beyond_them_all() -> None:
    never = Parameters(None, np.zeros(1, int), np.ones(1, int), 62)
    assert thresholds(never, Tensor((1,), 4, False), 20).tolist() == [[1 << 19] * 15]
    always = Parameters(None, np.array([500]), np.ones(1, int), 0)
    assert thresholds(always, Tensor((1,), 2, False), 5).tolist() == [[-16] * 3]


def test_comparators_are_offered_for_few_values_and_where_something_is_requantised() -> None:
    op = Dense(4, 6, 4)
    for bits, multiplier_bits in product((1, 2, 4, 5, 8), (1, 8)):
        offered = activations(node_of(op, Tensor((6,), bits, False), multiplier_bits))
        assert offered == (BOTH if 2**bits - 1 <= MOST_THRESHOLDS else BOTH[:1])
    assert activations(node_of(op, Tensor((6,), 8, False, (0, 15)), 1)) == BOTH
    assert activations(node_of(op, Tensor((6,), 32, True), 0)) == BOTH[:1]
    assert activations(node_of(op, Tensor((6,), 4, True, (2, 2)), 1)) == BOTH[:1]


def directed(output: Tensor, multiplier: int) -> tuple[Graph, Network, np.ndarray]:
    """Return a dense layer that ties and clips, with all of its inputs."""
    graph = single(Dense(2, 6, 3), signed(2, bits=4), output.bits, output.signed, 8)
    weights = np.array([[1, 0], [0, -1], [2, 1], [-4, 3], [1, 1], [3, -3]])
    bias = np.array([0, 1, -1, 2, -9, 40])
    own = Parameters(weights, bias, np.full(6, multiplier), 2)
    images = np.array(list(product(range(-8, 8), repeat=2)))
    return graph, Network(graph, {"node": own}, {"node": 1.0, INPUT: 1.0}), images


@pytest.mark.needs_gxx
def test_engines_compare_exactly_at_ties_and_at_both_clips(tmp_path: Path) -> None:
    runs = []
    for number, output in enumerate(outputs_of_few_bits()[:8]):
        graph, network, images = directed(output, 1 + number % 3)
        values = network.execute(images)
        (node,) = graph.nodes
        sums = node.op.accumulate([images], network.parameters["node"].weights)
        happened = events(node, network.parameters["node"], sums)
        assert happened >= {"low clip", "high clip", "negative"}
        assert number % 3 == 2 or happened >= {"tie to even below", "tie to even above"}
        template = template_of(node, graph.inputs(node))
        space = template.space(node, graph.inputs(node))
        for pe in (1, 6):
            knobs = space.at(0) | {"pe": pe, "activation": Activation.COMPARATOR}
            engine = template.of(node, graph.inputs(node), knobs)  # type: ignore[arg-type]
            runs.append(hls.engine_run(graph, network, node, engine, values, f"n{number}_{pe}"))
    for run, outcome in zip(runs, hls.execute(runs, tmp_path / "cpp"), strict=True):
        check_declarations(run)
        check_run(run, outcome)
        assert not any("scaled" in key for key in outcome.counts)


def matrix_usage(activation: Activation, bits: int) -> dict[str, float]:
    source = Tensor((32,), 4, False)
    (node,) = single(Dense(32, 16, 4), source, bits, False, 8).nodes
    knobs = {"pe": 4, "simd": 8, "arithmetic": 0, "weight_storage": 0, "activation": activation}
    (process,) = template_of(node, (source,)).of(node, (source,), knobs).processes()  # type: ignore[arg-type]
    return {k: float(v) for k, v in resources.process_usage(process.structure()).items()}


def test_comparators_need_no_multiplier_and_double_with_every_bit() -> None:
    usages = {bits: matrix_usage(Activation.COMPARATOR, bits) for bits in (1, 2, 3, 4)}
    assert all(usage["dsp"] == 0 for usage in usages.values())
    assert matrix_usage(Activation.MULTIPLIER, 2)["dsp"] == 4
    assert usages[1]["lut"] < matrix_usage(Activation.MULTIPLIER, 1)["lut"]
    # in each of 4 lanes two more comparators of 14 + 1 bits, whose answers two adders of 2 bits
    # count, in one more stage
    sum_bits = 14
    more = 4 * (2 * (sum_bits + 1) + 2 * 2) + 1
    assert usages[2]["lut"] - usages[1]["lut"] == pytest.approx(more)
    memories = [usages[bits]["memory_lut"] for bits in (1, 2, 3)]
    assert memories[2] - memories[1] == 2 * (memories[1] - memories[0])


@pytest.mark.parametrize(("bits", "chosen"), [(1, 1), (2, 1), (8, 0)])
def test_fit_compares_where_that_is_cheaper(bits: int, chosen: int) -> None:
    node = Node(
        "conv",
        Conv2d(8, 8, Window((3, 3)), 4),
        (INPUT,),
        Tensor((8, 6, 6), bits, False),
        8,
    )
    graph = Graph("few", unsigned(8, 8, 8), (node,))
    engine = fit(graph, Board.load("zcu104"), 200e6).design.engines["conv"]
    assert engine.activation == chosen  # type: ignore[attr-defined]


def test_neither_way_dominates_the_other() -> None:
    graph = single(Dense(32, 16, 4), unsigned(32), 3, False, 8)
    found = options(graph, graph.nodes[0], Board.load("zcu104"), REFERENCE)
    kinds = {found.space.at(int(number))["activation"] for number in found.numbers}
    assert kinds == set(BOTH)


def test_a_design_file_from_before_comparators_is_read() -> None:
    graph = single(Dense(12, 6, 4), unsigned(12), 3, False, 8)
    data = to_tree(random_design(graph, np.random.default_rng(0)), "zcu104")
    data["engines"]["node"]["activation"] = "comparator"
    assert from_tree(data, graph, "design.yaml").engines["node"].activation == BOTH[1]  # type: ignore[attr-defined]
    del data["engines"]["node"]["activation"]
    assert from_tree(data, graph, "design.yaml").engines["node"].activation == BOTH[0]  # type: ignore[attr-defined]
