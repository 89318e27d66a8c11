"""Engines of more multipliers than one word of weights has: tables in several banks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import single
from contract import check_declarations, check_run

from codesign.cost import operators, resources
from codesign.fit.options import template_of
from codesign.hardware.structure import Arithmetic, Buffer, Role, Storage
from codesign.network.graph import Graph
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.network.windows import Window


def wide_engines() -> Iterator[hls.Run]:
    """Yield dense and depthwise engines with tables of two and more words, evenly and not."""
    random = np.random.default_rng(0)
    cases: tuple[tuple[Graph, dict[str, int]], ...] = (
        (_dense(80, 40, 8), {"pe": 20, "simd": 40, "arithmetic": Arithmetic.DSP}),
        (_dense(80, 40, 8), {"pe": 40, "simd": 40, "arithmetic": Arithmetic.PACKED_WIDE}),
        (_dense(82, 34, 5), {"pe": 34, "simd": 41, "arithmetic": Arithmetic.LUT}),
        (_dense(40, 30, 8), {"pe": 30, "simd": 40, "arithmetic": Arithmetic.DSP}),
        (_depthwise(128), {"positions": 9, "pe": 64, "arithmetic": Arithmetic.DSP}),
    )
    for number, (graph, knobs) in enumerate(cases):
        images = hls.random_images(graph, random, 2)
        network = hls.random_network(graph, random, images)
        values = network.execute(images)
        (node,) = graph.nodes
        for storage in (Storage.BRAM, Storage.LUTRAM):
            point = {**knobs, "weight_storage": storage}
            if "positions" in knobs:
                point["line_storage"] = Storage.LUTRAM
            engine = template_of(node, graph.inputs(node)).of(node, graph.inputs(node), point)
            assert bool(engine.legal())
            yield hls.engine_run(graph, network, node, engine, values, f"w{number}_{storage}")


def _dense(inputs: int, outputs: int, bits: int) -> Graph:
    return single(Dense(inputs, outputs, bits), Tensor((inputs,), 3, True), 5, True, 1)


def _depthwise(channels: int) -> Graph:
    op = Conv2d(channels, channels, Window((3, 3)), 8, channels)
    return single(op, Tensor((channels, 3, 4), 4, False), 5, True, 1)


@pytest.mark.needs_gxx
def test_wide_engines_compute_what_the_reference_does(tmp_path: Path) -> None:
    runs = list(wide_engines())
    banks = {int(table(run).banks) for run in runs}
    assert {2, 4} <= banks
    for run, outcome in zip(runs, hls.execute(runs, tmp_path / "cpp"), strict=True):
        check_declarations(run)
        check_run(run, outcome)
        assert f" weights[{table(run).words}]" in run.cpp


def table(run: hls.Run) -> Buffer:
    return next(b for b in run.instances[-1].structure.buffers if b.name == "weights")


def test_banks_are_priced_one_by_one() -> None:
    wide = Buffer("weights", 100, 1025, 8, True, Role.CONSTANT, Storage.BRAM)
    assert (wide.banks, wide.bank_lanes) == (3, 342)
    assert resources._memory(wide)["bram18"] == 3 * operators.bram18(100, 342 * 8)


def test_a_table_of_one_word_is_no_memory() -> None:
    for storage in Storage:
        one = Buffer("weights", 1, 1025, 8, True, Role.CONSTANT, storage)
        assert not any(np.any(amount) for amount in resources._memory(one).values())
    written = Buffer("vector", 1, 16, 8, True, Role.MEMORY, Storage.LUTRAM)
    assert resources._memory(written)["ff"] == 128
