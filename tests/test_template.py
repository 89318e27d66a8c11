"""The contract of every hardware template: what the guards of its C++ twin must find.

Every point of the space of small layers is an engine. Its C++ runs in simulation and has to give
the answer of the integer reference, with the loop trips, multiplications, words and schedule that
its structure declares. Points whose C++ differs in pragmas alone run once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import CASES
from contract import at, check_declarations, check_run

from codesign import load
from codesign.cost import latency, resources
from codesign.design import loads_of
from codesign.fit.options import template_of
from codesign.hardware.structure import Multipliers, Structure
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Graph, Node
from codesign.network.network import Network, Parameters, finish
from codesign.network.op import Integers, Shape
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.subpixel import Subpixel

TEMPLATES = load.names("hardware.templates")
IMAGES = 3


def cases(kind: str) -> list[tuple[Graph, Network, Integers]]:
    """Return the graphs of a template with random numbers."""
    random = np.random.default_rng(0)
    result = []
    for graph in CASES[kind]:
        images = hls.random_images(graph, random, IMAGES)
        result.append((graph, hls.random_network(graph, random, images), images))
    return result


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_template_has_cases(kind: str) -> None:
    template = load.member("hardware.templates", HardwareTemplate, kind)
    operators = {type(node.op) for graph in CASES.get(kind, ()) for node in graph}
    assert template.implements in operators


@pytest.mark.needs_gxx
@pytest.mark.parametrize("kind", TEMPLATES)
def test_cpp_of_every_point_computes_counts_and_schedules_as_declared(
    kind: str, tmp_path: Path
) -> None:
    distinct: dict[str, hls.Run] = {}
    for number, (graph, network, images) in enumerate(cases(kind)):
        for run in hls.engines(graph, network, images, f"case{number}"):
            # so is how a table is filled that it reads like any other: one graph shows it
            if number and any(loads_of(instance.process) for instance in run.instances):
                continue
            check_declarations(run)
            # how products are packed and sums compared does not hang on the rest: some graphs
            # show it
            packed, compared = any(group.pairs for group in multipliers(run)), compares(run)
            shown = {(False, False): number % 3, (True, False): 0, (False, True): 1}
            if shown.get((packed, compared)) == number % 3:
                distinct.setdefault(run.meaning, run)
    runs = list(distinct.values())
    for run, outcome in zip(runs, hls.execute(runs, tmp_path / "cpp"), strict=True):
        check_run(run, outcome)


def multipliers(run: hls.Run) -> Iterator[Multipliers]:
    for instance in run.instances:
        yield from instance.structure.multipliers


def compares(run: hls.Run) -> bool:
    return any(name.endswith("_thresholds") for name in run.tables)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_products_are_the_macs_of_the_operator(kind: str) -> None:
    for graph in CASES[kind]:
        for node in graph:
            inputs = graph.inputs(node)
            template = template_of(node, graph.inputs(node))
            macs = multiplications(node, [tensor.shape for tensor in inputs])
            for _, _, engine in template.every(node, inputs):
                groups = [g for p in engine.processes() for g in p.structure().multipliers]
                products = [np.asarray(g.count * g.uses) for g in groups if g.name == "products"]
                assert np.all(sum(products) == macs)


def multiplications(node: Node, shapes: list[Shape]) -> int:
    """Return the MACs of an operator; a transposed convolution also multiplies by zeros.

    It does not where the stride divides the kernel and no two kernels overlap.
    """
    macs = node.op.macs(shapes)
    if not isinstance(node.op, ConvTranspose2d):
        return macs
    window = node.op.window
    all_used = Subpixel.of(node.op, shapes[0]).convolution.macs(shapes)
    if window.kernel == window.stride and not window.is_dilated and not any(node.op.extra):
        assert all_used == macs
    return all_used


MANY = 50
"""Points that are compared of each array, drawn at random if there are more."""


@pytest.mark.parametrize("kind", TEMPLATES)
def test_arrays_of_knobs_give_what_each_point_gives(kind: str) -> None:
    random = np.random.default_rng(0)
    for graph in CASES[kind]:
        for node in graph:
            inputs = graph.inputs(node)
            template = template_of(node, graph.inputs(node))
            space = template.space(node, inputs)
            left_out = set(range(space.size))
            for first, shape, every in template.every(node, inputs):
                points = prod(shape)
                left_out -= set(range(first, first + points))
                legal = np.asarray(every.legal())
                structures = [process.structure() for process in every.processes()]
                for place in random.permutation(points)[:MANY].tolist():
                    one = template.of(node, inputs, space.at(first + place))
                    assert at(legal, place, shape) == bool(one.legal())
                    assert at(every.input_lanes, place, shape) == one.input_lanes
                    assert at(every.output_lanes, place, shape) == one.output_lanes
                    for all_points, process in zip(structures, one.processes(), strict=True):
                        check_same(all_points, process.structure(), place, shape)
            # all that share the structural knobs are left out: some of them show it
            for number in sorted(left_out)[:: 1 + len(left_out) // 20]:
                assert not template.of(node, inputs, space.at(number)).legal()


def check_same(
    every: Structure, one: Structure, number: int, points: int | tuple[int, ...]
) -> None:
    """Compare entry `number` of a structure of arrays with the structure of one point."""
    assert at(every, number, points) == one
    usage = resources.process_usage(every)
    for name, amount in resources.process_usage(one).items():
        assert at(usage[name], number, points) == pytest.approx(float(amount))
    cycles = latency.process_interval(every)
    assert at(cycles, number, points) == latency.process_interval(one)
    silence = latency.longest_silence(every.phases)
    assert at(silence, number, points) == latency.longest_silence(one.phases)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_cases_reach_ties_clips_negative_sums_and_shift_zero(kind: str) -> None:
    """Otherwise wrong rounding or clipping could pass: random numbers alone rarely notice."""
    seen: set[str] = set()
    wanted = {"tie to even below", "tie to even above", "high clip", "shift 0"}
    for graph, network, images in cases(kind):
        values = network.execute(images)
        for node in graph:
            own = network.parameters[node.name]
            sums = node.op.accumulate([values[name] for name in node.inputs], own.weights)
            low, _ = node.op.accumulator_range(graph.inputs(node), own.weights)
            if low < 0:
                wanted |= {"low clip", "negative"}
            if node.multiplier_bits:
                seen |= events(node, own, sums)
    if any(node.multiplier_bits for graph in CASES[kind] for node in graph):
        assert seen >= wanted


def events(node: Node, own: Parameters, sums: Integers) -> set[str]:
    """Return what happens when these sums are requantised."""
    assert own.multiplier is not None
    unscaled = Node(node.name, node.op, node.inputs, node.output, 0)
    biased = finish(unscaled, Parameters(own.weights, own.bias), sums)
    scaled = biased * own.multiplier.reshape(1, -1, *(1,) * (sums.ndim - 2))
    half = (1 << own.shift) // 2
    ties = (scaled % (1 << own.shift) == half) & (own.shift > 0)
    odd = (scaled >> own.shift) % 2 == 1
    rounded = np.rint(scaled / 2.0**own.shift)
    happened = {
        "tie to even below": np.any(ties & ~odd),
        "tie to even above": np.any(ties & odd),
        "low clip": np.any(rounded < node.output.low),
        "high clip": np.any(rounded > node.output.high),
        "negative": np.any(scaled < 0),
        "shift 0": own.shift == 0,
    }
    return {name for name, did in happened.items() if did}
