"""Two products per DSP slice: the rule, and engines of every width at extreme values."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import single
from contract import check_declarations, check_run

from codesign.cost import resources
from codesign.fit.dataflow import fit
from codesign.fit.options import options, template_of
from codesign.hardware.board import Board
from codesign.hardware.pace import REFERENCE
from codesign.hardware.packing import NARROW_PORT, UNPACKED, WIDE_PORT, Packing, arithmetics
from codesign.hardware.structure import Arithmetic
from codesign.network.graph import Graph
from codesign.network.network import Network, Parameters
from codesign.network.op import Integers
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.space import divisors

PORT = {Arithmetic.PACKED: NARROW_PORT, Arithmetic.PACKED_WIDE: WIDE_PORT}
WIDTHS = list(product(PORT, range(2, 9), range(1, 9), (False, True)))


def separate(both: int, shift: int) -> tuple[int, int]:
    """Return the upper and the lower sum, as `hardware/packing.py` says."""
    lower = (both + (1 << shift - 1)) % (1 << shift) - (1 << shift - 1)
    return (both >> shift) + (both >> (shift - 1) & 1), lower


def test_extreme_sums_are_separated_exactly_and_one_more_product_is_not() -> None:
    for arithmetic, weight_bits, bits, is_signed in WIDTHS:
        element = Tensor((4,), bits, is_signed)
        packing = Packing.of(arithmetic, element, weight_bits)
        shift, terms = int(packing.shift), int(packing.terms)
        weights = (-(1 << weight_bits - 1), (1 << weight_bits - 1) - 1, -1, 0)
        for upper, lower, c in product(weights, weights, (element.low, element.high)):
            factor = (upper << shift) + lower
            assert -(1 << PORT[arithmetic] - 1) <= factor < 1 << PORT[arithmetic] - 1
            both = terms * factor * c
            assert -(1 << 2 * shift - 1) <= both < 1 << 2 * shift - 1
            assert separate(both, shift) == (terms * upper * c, terms * lower * c)
        worst = max(weights[0] * element.low, weights[0] * element.high, key=abs)
        if abs(worst) * (terms + 1) != 1 << shift - 1:
            assert separate((terms + 1) * worst, shift)[1] != (terms + 1) * worst


@pytest.mark.parametrize(
    ("arithmetic", "is_signed", "shift", "terms"),
    [
        (Arithmetic.PACKED_WIDE, True, 18, 7),  # WP486
        (Arithmetic.PACKED_WIDE, False, 18, 4),
        (Arithmetic.PACKED, True, 16, 1),
        (Arithmetic.PACKED, False, 16, 1),
    ],
)
def test_eight_bits_by_hand(
    arithmetic: Arithmetic, is_signed: bool, shift: int, terms: int
) -> None:
    assert Packing.of(arithmetic, Tensor((4,), 8, is_signed), 8) == Packing(shift, terms)


def test_products_are_packed_where_two_outputs_share_a_narrow_input() -> None:
    eight, two = Tensor((4,), 8, False), Tensor((4,), 2, False)
    both = (*UNPACKED, Arithmetic.PACKED, Arithmetic.PACKED_WIDE)
    # engines with a multiplier for each of several thousand weights take no constants
    assert arithmetics(9999, 2, eight, 8) == both
    assert arithmetics(1, 9998, eight, 8) == both[:3]  # nothing to add up
    assert arithmetics(9999, 1, eight, 8) == UNPACKED
    assert arithmetics(9999, 2, Tensor((4,), 9, False), 8) == UNPACKED
    assert arithmetics(9999, 2, eight, 9) == UNPACKED
    assert arithmetics(9999, 2, two, 3) == UNPACKED


def extreme_network(graph: Graph, random: np.random.Generator) -> tuple[Network, Integers]:
    """Return a dense layer and images whose values lie at the ends of their ranges."""
    (node,) = graph.nodes
    assert isinstance(node.op, Dense)
    limit = 1 << (node.op.bits - 1)
    weights = random.integers(-limit, limit, (node.op.outputs, node.op.inputs))
    for row in weights:
        row[:] = random.choice([row, np.full_like(row, -limit), np.full_like(row, limit - 1)])
    drawn = hls.random_images(graph, random, 6)
    drawn[0], drawn[1] = graph.input.low, graph.input.high
    drawn[2] = random.choice([graph.input.low, graph.input.high], graph.input.shape)
    bias = random.integers(-limit, limit, node.op.outputs)
    parameters = {node.name: Parameters(weights, bias)}
    return Network(graph, parameters, {graph.nodes[0].name: 1.0, "input": 1.0}), drawn


def random_engines(count: int) -> Iterator[hls.Run]:
    """Yield dense engines of random widths, signs, extents and folding, mostly packed."""
    random = np.random.default_rng(486)
    for number in range(count):
        inputs, outputs = int(random.integers(1, 41)), int(random.integers(1, 9))
        bits, weight_bits = int(random.integers(1, 9)), int(random.integers(2, 9))
        if number % 3 == 0:
            bits = weight_bits = 8
        source = Tensor((inputs,), bits, bool(random.integers(2)))
        graph = single(Dense(inputs, outputs, weight_bits), source, 32, True, 0)
        network, images = extreme_network(graph, random)
        (node,) = graph.nodes
        knobs = {
            "pe": int(random.choice(divisors(outputs))),
            "simd": int(random.choice(divisors(inputs))),
            "arithmetic": arithmetics(inputs, outputs, source, weight_bits)[-2 - number % 2],
            "weight_storage": 1,
        }
        engine = template_of(node, (source,)).of(node, (source,), knobs)  # type: ignore[arg-type]
        values = network.execute(images)
        yield hls.engine_run(graph, network, node, engine, values, f"e{number}")


@pytest.mark.needs_gxx
def test_engines_at_extreme_values_give_the_bits_of_the_reference(tmp_path: Path) -> None:
    runs = list(random_engines(48))
    packed = [run for run in runs if run.instances[0].structure.multipliers[0].pairs]
    assert len(packed) > 12
    for run, outcome in zip(runs, hls.execute(runs, tmp_path / "cpp"), strict=True):
        check_declarations(run)
        check_run(run, outcome)


def dense_design(pe: int, arithmetic: Arithmetic) -> dict[str, float]:
    """Return what a dense layer of 8 bits takes with 16 inputs a cycle."""
    source = Tensor((32,), 8, True)
    (node,) = single(Dense(32, 30, 8), source, 32, True, 0).nodes
    knobs = {"pe": pe, "simd": 16, "arithmetic": arithmetic, "weight_storage": 0}
    (process,) = template_of(node, (source,)).of(node, (source,), knobs).processes()  # type: ignore[arg-type]
    return {k: float(v) for k, v in resources.process_usage(process.structure()).items()}


@pytest.mark.parametrize("pe", [1, 2, 3, 6, 15])
@pytest.mark.parametrize("arithmetic", list(PORT))
def test_pairs_take_half_the_slices_and_an_odd_one_its_own(pe: int, arithmetic: Arithmetic) -> None:
    assert dense_design(pe, arithmetic)["dsp"] == -(-pe // 2) * 16
    assert dense_design(pe, Arithmetic.DSP)["dsp"] == pe * 16


def test_more_products_before_separation_take_fewer_luts() -> None:
    luts = {kind: dense_design(6, kind)["lut"] for kind in Arithmetic}
    assert luts[Arithmetic.DSP] < luts[Arithmetic.PACKED_WIDE] < luts[Arithmetic.PACKED]
    assert luts[Arithmetic.PACKED] < luts[Arithmetic.LUT]


def test_a_board_of_narrow_slices_gets_the_narrow_packing() -> None:
    graph = single(Dense(32, 30, 8), Tensor((32,), 8, True), 32, True, 0)
    kinds = {}
    for name in ("pynq_z2", "zcu104"):
        found = options(graph, graph.nodes[0], Board.load(name), REFERENCE)
        points = [found.space.at(int(number)) for number in found.numbers]
        kinds[name] = {point["arithmetic"] for point in points}
    assert Arithmetic.PACKED in kinds["pynq_z2"]
    assert Arithmetic.PACKED_WIDE not in kinds["pynq_z2"]
    assert Arithmetic.PACKED_WIDE in kinds["zcu104"]


def test_fit_packs_where_slices_are_scarce() -> None:
    graph = single(Conv2d(16, 16, Window((3, 3)), 8), Tensor((16, 8, 8), 8, True), 32, True, 0)
    board = Board.load("pynq_z2")
    answer = fit(graph, board, 100e6, budget={"dsp": 150, "lut": 9_000})
    groups = [g for i in answer.design.instances for g in i.structure.multipliers]
    assert answer.feasible
    # 2 products each, more than there are slices
    assert 150 < 2 * sum(int(group.pairs) for group in groups) <= 300
