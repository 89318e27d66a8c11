"""Rooflines by hand."""

from __future__ import annotations

import pytest
from cases import single, unsigned
from contract import whole_design

from codesign.cost.roofline import RooflinePoint, board_point, layer_point
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window


def test_the_lower_roof_bounds() -> None:
    point = RooflinePoint("p", 4.0, 100e9, 10e9, 20e9)
    assert point.attainable_ops_per_s == 40e9
    assert point.bound == "bandwidth"
    point = RooflinePoint("p", 40.0, 100e9, 10e9, 20e9)
    assert point.attainable_ops_per_s == 100e9
    assert point.bound == "compute"


def test_a_board_gives_its_dsp_and_its_dram() -> None:
    """zcu104: 1,728 DSP slices with two 8-bit MACs each, 17.07 GB/s."""
    design = whole_design(single(Dense(128, 10, 8), unsigned(128, bits=8), 32, True, 0))
    point = board_point(design, images_per_s=1e6)
    assert point.peak_ops_per_s == 2 * 1728 * 2 * 200e6
    assert point.bytes_per_s == 17.07e9
    assert point.intensity == pytest.approx(2 * 128 * 10 / (128 + 10 * 4))
    assert point.achieved_ops_per_s == 2 * 128 * 10 * 1e6


def test_a_layer_has_the_roofs_of_its_own_engine() -> None:
    """4 x 2 products a cycle; words of 2 x 4 bits in and 4 x 8 bits out."""
    op = Conv2d(8, 8, Window((1, 1)), 4)
    graph = single(op, unsigned(8, 4, 4, bits=4), 8, False, 1)
    design = whole_design(graph, {"node": {"pe": 4, "simd": 2}})
    point = layer_point(design, graph["node"], images_per_s=1e5)
    assert point.peak_ops_per_s == 2 * 8 * 200e6
    assert point.bytes_per_s == (1 + 4) * 200e6
    moved = 16 * 8 * 4 / 8 + 16 * 8 * 8 / 8
    assert point.intensity == pytest.approx(2 * 16 * 8 * 8 / moved)
    assert point.achieved_ops_per_s == 2 * 16 * 8 * 8 * 1e5


def test_at_full_rate_a_layer_stays_below_its_roof() -> None:
    op = Conv2d(8, 8, Window((3, 3), (1, 1), (1, 1, 1, 1)), 4)
    graph = single(op, unsigned(8, 6, 6, bits=4), 8, False, 1)
    for pe, simd in ((1, 1), (2, 4), (8, 8)):
        design = whole_design(graph, {"node": {"pe": pe, "simd": simd}})
        cycles = max(int(i.structure.loop.trips) for i in design.layer("node"))
        point = layer_point(design, graph["node"], design.clock_hz / cycles)
        assert point.achieved_ops_per_s <= point.peak_ops_per_s * (1 + 1e-9)


def test_pooling_computes_no_macs() -> None:
    graph = single(Pool2d("max", Window((2, 2), (2, 2))), unsigned(4, 4, 4), 4, False, 0)
    point = layer_point(whole_design(graph), graph["node"], images_per_s=1e6)
    assert point.intensity == point.peak_ops_per_s == point.achieved_ops_per_s == 0
