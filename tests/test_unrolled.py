"""Engines that hold a whole layer as constants: when they may, what they print, what they cost."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cases import single, unsigned
from contract import whole_design
from engine_chain import run_engines
from hls import joined, random_images, random_network, write_project

from codesign.cost import latency, operators, resources
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, project
from codesign.errors import InputError
from codesign.fit.dataflow import Fit, fit
from codesign.fit.options import template_of
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import Board
from codesign.hardware.packing import arithmetics
from codesign.hardware.structure import MAX_UNROLL, Arithmetic, Storage
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import Network, Parameters
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.validate.tools.timed import Timed


def digits(value: int) -> int:
    """Count the signed powers of two, no two side by side, that sum to a number."""
    return (3 * abs(value) ^ abs(value)).bit_count()


@pytest.mark.parametrize("bits", range(2, 13))
def test_constants_have_as_many_digits_as_the_price_says(bits: int) -> None:
    every = [digits(value) for value in range(-(1 << bits - 1), 1 << bits - 1)]
    assert max(every) == (bits + 1) // 2
    mean = sum(every) / len(every)
    luts = operators.constant_multiplier_luts(8, bits)
    assert luts == pytest.approx(max(mean - 1, 0) * (8 + bits), abs=(8 + bits) * 2**-bits)


def test_a_constant_factor_is_never_dearer_than_a_variable_one() -> None:
    for a_bits in range(1, 17):
        for b_bits in range(2, 17):
            constant = operators.constant_multiplier_luts(a_bits, b_bits)
            assert 0 <= constant <= operators.multiplier_luts(a_bits, b_bits)


def test_constants_are_offered_where_an_engine_can_hold_them_all() -> None:
    source = unsigned(64, bits=4)
    assert arithmetics(64, MAX_UNROLL // 64, source, 4)[-1] is Arithmetic.CONSTANT
    assert Arithmetic.CONSTANT not in arithmetics(64, MAX_UNROLL // 64 + 1, source, 4)


@pytest.mark.parametrize(
    ("op", "source"),
    [
        (Dense(12, 6, 4), unsigned(12)),
        (Conv2d(2, 4, Window((2, 3)), 4), unsigned(2, 5, 5)),
        (Conv2d(2, 4, Window((1, 1)), 4), unsigned(2, 5, 5)),
    ],
)
def test_only_engines_with_a_multiplier_for_every_weight_have_constants(
    op: Dense | Conv2d, source: Tensor
) -> None:
    (node,) = single(op, source, 4, False, 8).nodes
    template = template_of(node, (source,))
    space = template.space(node, (source,))
    legal = 0
    for number in range(space.size):
        engine = template.of(node, (source,), space.at(number))  # type: ignore[arg-type]
        structure = engine.processes()[-1].structure()
        (products,) = (g for g in structure.multipliers if g.name == "products")
        if products.arithmetic == Arithmetic.CONSTANT:
            # what is loaded at run time is no constant
            held = engine.weight_storage != Storage.URAM  # type: ignore[attr-defined]
            pixels = getattr(engine, "pixels", 1)
            every = products.count == pixels * np.prod(op.weight_shape)
            assert bool(engine.legal()) == (held and every)
            legal += bool(engine.legal())
    assert legal


def test_a_design_file_may_not_ask_for_constants_of_several_words() -> None:
    graph = single(Dense(12, 6, 4), unsigned(12), 4, False, 1)
    knobs = {"pe": 6, "simd": 12, "arithmetic": Arithmetic.CONSTANT, "weight_storage": 0}
    data = to_tree(whole_design(graph, {"node": knobs}), "zcu104")
    assert data["engines"]["node"]["arithmetic"] == "constant"
    assert bool(from_tree(data, graph, "design.yaml").engines["node"].legal())
    data["engines"]["node"]["simd"] = 6
    with pytest.raises(InputError, match=r"constants as factors.*legal.*simd 12 above") as caught:
        from_tree(data, graph, "design.yaml")
    assert "pe 6 and simd 6" in str(caught.value)


def usage_of(arithmetic: Arithmetic, bits: int = 6) -> dict[str, dict[str, float]]:
    """Return the implementation-level resources of a dense layer of 8 x 8, on every level."""
    source = unsigned(8, bits=bits)
    (node,) = single(Dense(8, 8, bits), source, 4, False, 1).nodes
    knobs = {"pe": 8, "simd": 8, "arithmetic": arithmetic, "weight_storage": 0}
    (process,) = template_of(node, (source,)).of(node, (source,), knobs).processes()  # type: ignore[arg-type]
    usage = resources.process_usage(process.structure())
    levels = ("low", "value", "high")
    return {
        level: {k: float(v) for k, v in resources.implemented(usage, level).items()}
        for level in levels
    }


def test_constants_cost_less_than_variables_and_no_more_at_the_worst() -> None:
    constant, variable = usage_of(Arithmetic.CONSTANT), usage_of(Arithmetic.LUT)
    assert constant["low"]["lut"] < constant["value"]["lut"] < variable["value"]["lut"]
    assert constant["high"]["lut"] == variable["high"]["lut"]
    assert constant["value"]["dsp"] == variable["value"]["dsp"] == 0
    saved = variable["value"]["lut"] - constant["value"]["lut"]
    each = operators.multiplier_luts(6, 6) - operators.constant_multiplier_luts(6, 6)
    assert saved == pytest.approx(0.51 * 64 * each)


def network_of(sizes: tuple[int, ...], weight_bits: int, bits: int, answer_bits: int) -> Graph:
    """Return dense layers one after the other."""
    nodes: list[Node] = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = number == len(sizes) - 2
        output = Tensor((outputs,), answer_bits if last else bits, last)
        source = nodes[-1].name if nodes else INPUT
        op = Dense(inputs, outputs, weight_bits)
        nodes.append(Node(f"dense{number}", op, (source,), output, 1))
    return Graph("tiny", Tensor(sizes[:1], bits, signed=True), tuple(nodes))


def unrolled(graph: Graph) -> Design:
    """Return a design in which every layer is held as constants."""
    knobs = {}
    for node in graph:
        assert isinstance(node.op, Dense)
        every = {"pe": node.op.outputs, "simd": node.op.inputs}
        knobs[node.name] = every | {"arithmetic": Arithmetic.CONSTANT}
    return whole_design(graph, knobs)


def engine_intervals(design: Design) -> dict[str, int]:
    return {
        i.layer: int(latency.process_interval(i.structure)) for i in design.instances if i.layer
    }


def check_timed(design: Design, folder: Path) -> float:
    """Compare bits with the reference and cycles with the model; return the interval."""
    random = np.random.default_rng(0)
    images = random_images(design.graph, random, 4)
    network = random_network(design.graph, random, images)
    files = joined(project(design, network, images, layer_images=4))
    measured = Timed().measure(write_project(files, folder))
    timing = simulate(design, TIMED_IMAGES)
    assert measured.passed, measured.message
    assert measured.ends == timing.ends
    assert measured.occupancy == timing.occupancy
    return timing.interval


@pytest.mark.needs_gxx
def test_an_accelerator_of_constants_takes_an_image_every_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8 inputs fill a beat, and 1 output: no port holds the engines up."""
    monkeypatch.setenv("CXXFLAGS", "-O0")
    design = unrolled(network_of((8, 12, 6, 1), 5, 8, 8))
    depths = {fifo.name: 4 for fifo in design.fifos}
    design = Design(design.graph, design.board, design.clock_hz, design.engines, depths)
    assert set(engine_intervals(design).values()) == {1}
    assert check_timed(design, tmp_path / "hls") == 1
    priced = estimate(design, simulate(design, TIMED_IMAGES))
    assert priced.interval_cycles.low == priced.interval_cycles.high == 1


def emitted(arithmetic: Arithmetic, simd: int) -> str:
    """Return the C++ of a dense layer of 8 inputs."""
    graph = network_of((8, 4), 5, 4, 8)
    design = whole_design(graph, {"dense0": {"pe": 4, "simd": simd, "arithmetic": arithmetic}})
    random = np.random.default_rng(0)
    images = random_images(graph, random, 1)
    network = random_network(graph, random, images)
    return project(design, network, images, layer_images=1)["src/dense0_matrix.cpp"]


def test_constants_are_indexed_by_unrolled_counters_alone() -> None:
    text = emitted(Arithmetic.CONSTANT, simd=8)
    assert "#pragma HLS ARRAY_PARTITION variable=weights type=complete dim=0" in text
    assert re.search(r"inputs.lane\[s\] \* Int<\d+>\(weights\[0\]\[p \* 8 \+ s\]\);", text)
    assert "BIND_OP variable=term op=mul impl=fabric" in text
    assert "address" not in text
    assert "address" in emitted(Arithmetic.LUT, simd=4)


def test_a_single_iteration_pipelines_the_function_and_several_the_loop() -> None:
    single_trip, several = emitted(Arithmetic.CONSTANT, 8), emitted(Arithmetic.LUT, 4)
    assert re.search(r"PIPELINE II=1 style=flp\n *product:", single_trip)
    assert "style=flp" not in several
    assert re.search(r"\+\+step\) \{\n#pragma HLS PIPELINE II=1\n", several)


def jets(weight_bits: int, bits: int) -> Graph:
    """Return the network of Duarte et al., JINST 13 P07027, 2018: 16 inputs, 5 classes."""
    return network_of((16, 64, 32, 32, 5), weight_bits, bits, 16)


@pytest.mark.parametrize(("weight_bits", "bits"), [(4, 4), (6, 6)])
def test_fit_holds_a_tiny_network_as_constants(weight_bits: int, bits: int) -> None:
    answer: Fit = fit(jets(weight_bits, bits), Board.load("zcu104"), 200e6)
    assert answer.feasible
    assert answer.gap == 0
    assert set(engine_intervals(answer.design).values()) == {1}
    kinds = {engine.arithmetic for engine in answer.design.engines.values()}  # type: ignore[attr-defined]
    assert kinds == {Arithmetic.CONSTANT}
    assert answer.interval == answer.bound


@pytest.mark.needs_gxx
def test_fitted_engines_take_an_image_every_cycle(tmp_path: Path) -> None:
    """Bits are those of the reference, and cycles those of the model, without the ports."""
    graph = jets(6, 6)
    design = fit(graph, Board.load("zcu104"), 200e6).design
    random = np.random.default_rng(1)
    images = random_images(graph, random, 20)
    network = random_network(graph, random, images)
    ends, answers = run_engines(design, network, images, tmp_path / "hls")
    assert np.array_equal(answers, network.answer(images))
    stages = [i.structure.loop.stages for i in design.instances if i.layer]
    assert ends == [sum(stages) + number for number in range(20)]


def known_price(weights: np.ndarray, bits: int) -> tuple[float, float]:
    """Return what a dense layer takes by its own weights, and as the sum of every product."""
    graph = single(Dense(8, 8, bits), unsigned(8, bits=bits), 4, False, 1)
    design = whole_design(graph, {"node": {"pe": 8, "simd": 8, "arithmetic": Arithmetic.CONSTANT}})
    own = Parameters(weights, np.zeros(8, int), np.ones(1, int), 3)
    network = Network(graph, {"node": own}, {"node": 1.0, INPUT: 1.0})
    exact, guess = estimate(design, None, network), estimate(design)
    assert exact.csynth["ff"] == guess.csynth["ff"]
    (layer,), (other,) = exact.layers, guess.layers
    return exact.csynth["lut"].value - guess.csynth["lut"].value, (
        layer.usage["lut"] - other.usage["lut"]
    ) / 0.51


def test_known_weights_take_the_adders_of_their_own_digits() -> None:
    bits = 6
    mean = 64 * operators.constant_multiplier_luts(bits, bits)
    random = np.random.default_rng(0)
    drawn = random.integers(-32, 32, (8, 8))
    # a tree of products adds what each has; every digit is one more, and every zero one less
    for weights in (drawn, np.zeros((8, 8), int), np.full((8, 8), -32), np.full((8, 8), 21)):
        adders = sum(digits(int(weight)) - 1 for weight in weights.ravel())
        assert known_price(weights, bits) == pytest.approx((adders * 12 - mean,) * 2)
