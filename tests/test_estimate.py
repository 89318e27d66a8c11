"""Estimates: sums of parts, figures by hand, and intervals around them."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from cases import random_design, random_graph, signed, single, unsigned
from contract import whole_design

from codesign.cost import latency, resources
from codesign.cost.energy import dynamic_energy_j
from codesign.cost.estimate import Violation, estimate, flops, knobs, weight_bytes
from codesign.cost.pipeline import simulate
from codesign.design import Design
from codesign.fit.options import options
from codesign.hardware.board import RESOURCES, Board, Resources
from codesign.hardware.pace import REFERENCE
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window


def lenet() -> Graph:
    """LeNet-5 on padded digits, with its 61,470 weights and 236 biases."""
    pool = Pool2d("max", Window((2, 2), (2, 2)))
    nodes = (
        Node("c1", Conv2d(1, 6, Window((5, 5)), 8), (INPUT,), unsigned(6, 28, 28)),
        Node("s2", pool, ("c1",), unsigned(6, 14, 14), 0),
        Node("c3", Conv2d(6, 16, Window((5, 5)), 8), ("s2",), unsigned(16, 10, 10)),
        Node("s4", pool, ("c3",), unsigned(16, 5, 5), 0),
        Node("c5", Conv2d(16, 120, Window((5, 5)), 4), ("s4",), unsigned(120, 1, 1)),
        Node("f6", Dense(120, 84, 4), ("c5",), unsigned(84)),
        Node("f7", Dense(84, 10, 4), ("f6",), signed(10, bits=20), 0),
    )
    return Graph("lenet", unsigned(1, 32, 32, bits=8), nodes)


def test_figures_of_lenet_by_hand() -> None:
    graph = lenet()
    weights = (150, 2400, 48000, 10080, 840)
    assert graph.macs == 784 * 150 + 100 * 2400 + 48000 + 10080 + 840 == 416520
    assert graph.parameters == sum(weights) + 6 + 16 + 120 + 84 + 10 == 61706
    assert weight_bytes(graph) == 150 + 2400 + (48000 + 10080 + 840) // 2
    # Molchanov et al.: 2 H W (C_in K^2 + 1) C_out, and 2 (I - 1) O
    convolutions = 2 * (784 * 26 * 6 + 100 * 151 * 16 + 401 * 120)
    assert flops(graph) == convolutions + 2 * (119 * 84 + 83 * 10)


def test_flops_of_groups_and_of_transposed_convolutions() -> None:
    apart = Conv2d(6, 4, Window((3, 3)), 8, groups=2)
    assert flops(single(apart, unsigned(6, 5, 5), 8, True, 1)) == 2 * 9 * (3 * 9 + 1) * 4
    twice = ConvTranspose2d(6, 4, Window((2, 2), (2, 2)), 8)
    # 25 pixels of 6 channels meet 4 positions and outputs; 100 pixels get a bias
    assert flops(single(twice, unsigned(6, 5, 5), 8, True, 1)) == 2 * (25 * 6 * 16 + 100 * 4)


def test_rescaling_factors_are_no_parameters() -> None:
    maps = unsigned(2, 2, 2)
    nodes = (
        Node("conv", Conv2d(2, 2, Window((1, 1)), 4), (INPUT,), maps),
        Node("add", Add(4), (INPUT, "conv"), maps),
    )
    graph = Graph("sum", maps, nodes)
    assert graph.parameters == 4 + 2
    assert weight_bytes(graph) == 2


@pytest.mark.parametrize("seed", range(5))
def test_resources_are_the_sum_of_processes_fifos_and_shell(seed: int) -> None:
    random = np.random.default_rng(seed)
    design = random_design(random_graph(random), random)
    expected = {name: float(resources.SHELL[name][1]) for name in RESOURCES}
    for instance in design.instances:
        usage = resources.implemented(resources.process_usage(instance.structure))
        expected = {name: expected[name] + float(usage[name]) for name in RESOURCES}
    for fifo in (*design.fifos, *design.loads):
        width = int(fifo.stream.lanes) * fifo.stream.bits
        usage = resources.fifo_usage(fifo.depth, width)
        expected = {name: expected[name] + float(usage[name]) for name in RESOURCES}
    price = estimate(design, simulate_lavishly(design))
    for name in RESOURCES:
        interval = price.resources[name]
        assert interval.value == pytest.approx(expected[name])
        assert interval.low <= interval.value <= interval.high
    assert price.csynth["dsp"].value == expected["dsp"]
    assert price.csynth["lut"].low > 0


def simulate_lavishly(design: Design):  # type: ignore[no-untyped-def]
    """Run with FIFOs that never fill, but an interval that does not hang on them."""
    return simulate(design, images=4, bounded=False)


@pytest.mark.parametrize("seed", range(5))
def test_interval_latency_rates_and_energy(seed: int) -> None:
    random = np.random.default_rng(seed)
    design = random_design(random_graph(random), random)
    price = estimate(design)
    slowest = max(int(latency.process_interval(i.structure)) for i in design.instances)
    assert not price.simulated
    assert price.interval_cycles.value == slowest
    assert price.latency_cycles.value == simulate(design, bounded=False).latency
    assert price.fps == pytest.approx(200e6 / slowest)
    seconds = slowest / 200e6
    expected = design.board.static_power_w.value * seconds + dynamic_energy_j(design).value
    assert price.energy_j.value == pytest.approx(expected)
    assert price.power_w.value == pytest.approx(expected / seconds)
    layers = {layer.name: layer.cycles for layer in price.layers}
    assert set(layers) == {node.name for node in design.graph}
    assert price.bottleneck.cycles == max(layers.values()) <= slowest
    values = price.values()
    assert all(np.isfinite(value) and value >= 0 for value in values.values())
    assert values["dsp"] == ceil(price.resources["dsp"].value)


def test_a_run_of_several_images_replaces_the_interval() -> None:
    graph = single(Conv2d(2, 4, Window((3, 3)), 4), unsigned(2, 6, 6), 4, False, 1)
    design = whole_design(graph)
    timing = simulate(design, images=6)
    price = estimate(design, timing)
    assert price.simulated
    assert price.interval_cycles.value == timing.interval >= estimate(design).interval_cycles.value
    assert price.latency_cycles.value == timing.latency


def test_violations_name_what_is_missing() -> None:
    graph = single(Dense(16, 8, 8), unsigned(16, bits=8), 32, True, 0)
    design = whole_design(graph, {"node": {"pe": 8, "simd": 16, "arithmetic": 1}})
    small = replace(design.board, resources=Resources(230400, 460800, 100, 624, 96))
    price = estimate(replace(design, board=small))
    assert price.violations == (Violation("dsp", 128, 80),)
    assert price.violations[0].excess == pytest.approx(0.6)
    assert estimate(design).violations == ()


def test_nothing_allowed_is_an_excess_of_what_is_needed() -> None:
    assert Violation("uram", 3, 0).excess == 3


def test_knobs_are_given_in_words() -> None:
    graph = single(Conv2d(2, 4, Window((3, 3)), 4), unsigned(2, 6, 6), 4, False, 1)
    node = graph["node"]
    engine = options(graph, node, Board.load("zcu104"), REFERENCE).engine(0)
    design = Design(graph, Board.load("zcu104"), 200e6, {"node": engine})
    said = knobs(design, "node")
    chosen = {"pixels", "positions", "pe", "simd", "activation"}
    assert set(said) == {*chosen, "arithmetic", "weight_storage", "line_storage"}
    assert said["arithmetic"] in {"lut", "dsp"}
    assert said["line_storage"] in {"lutram", "bram", "uram"}


def test_implementation_shrinks_logic_and_keeps_blocks() -> None:
    """LUT and FF by the medians of public pairs; DSP and BRAM stay."""
    usage = dict.fromkeys(resources.process_usage(whole_structure()), 0.0)
    usage |= {"lut": 1000.0, "ff": 1000.0, "dsp": 10.0, "bram18": 10.0}
    built = resources.implemented(usage)
    assert built["lut"] == pytest.approx(510)
    assert built["ff"] == pytest.approx(750)
    assert (built["dsp"], built["bram18"]) == (10, 10)
    low, high = (resources.implemented(usage, kind) for kind in ("low", "high"))
    assert all(low[name] <= built[name] <= high[name] for name in RESOURCES)


def whole_structure():  # type: ignore[no-untyped-def]
    graph = single(Dense(2, 2, 8), Tensor((2,), 8, signed=True), 32, True, 0)
    return whole_design(graph).instances[1].structure
