"""The contract of every process: names, loops, phases, and the plumbing between engines.

What engines compute is the business of `test_template`; here are the processes that no template
places: ports, forks and width conversions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from math import gcd
from pathlib import Path

import hls
import numpy as np
import pytest
from cases import CASES
from contract import at, check_declarations, check_run

from codesign import load
from codesign.cost.pipeline import schedule
from codesign.design import Instance
from codesign.emit.project import process_source
from codesign.emit.render import source, used_names
from codesign.fit.options import template_of
from codesign.hardware.loading import load as load_of
from codesign.hardware.process import Process
from codesign.hardware.processes.fork import Fork
from codesign.hardware.processes.grouped import Grouped
from codesign.hardware.processes.receive import Receive
from codesign.hardware.processes.resize import Resize
from codesign.hardware.processes.send import Send
from codesign.hardware.processes.window import Window
from codesign.hardware.structure import Buffer, Part, Phase, Role, Storage, Structure
from codesign.hardware.wire import beat_bits, element_bytes
from codesign.network.op import Integers
from codesign.network.tensor import Tensor
from codesign.network.windows import Window as Geometry
from codesign.space import divisors

PROCESSES = load.names("hardware.processes")
IMAGES = 2
TABLE = Buffer("weights", 3, 2, 4, True, Role.CONSTANT, Storage.URAM)
TENSORS = (
    Tensor((12, 1, 2), 3, False),
    Tensor((12,), 8, True),
    Tensor((6, 2, 1), 1, False),
    Tensor((4,), 16, True),
    Tensor((5,), 30, True),
)


def plumbing() -> Iterator[hls.Run]:
    """Every process between engines, with random elements; what goes in comes out."""
    random = np.random.default_rng(0)
    for number, tensor in enumerate(TENSORS):
        values = random.integers(tensor.low, tensor.high + 1, (IMAGES, tensor.elements))
        values[0, 0], values[1, -1] = tensor.low, tensor.high
        widths = divisors(tensor.channels)
        for lanes in widths:
            words = values.reshape(-1, lanes)
            name = f"p{number}_{lanes}"
            fork = Fork(tensor, lanes)
            yield hls.plumbing(name, fork, [words], [words, words], IMAGES)
            for wider in widths:
                resize = Resize(tensor, lanes, wider)
                other = values.reshape(-1, wider)
                yield hls.plumbing(f"{name}_{wider}", resize, [words], [other], IMAGES)
            if beat_bits(lanes, tensor.bits) <= 64:
                receive = Receive(tensor, lanes)
                yield hls.plumbing(name, receive, [beats(words, tensor)], [words], IMAGES)
                send = Send(tensor, lanes)
                yield hls.plumbing(name, send, [words], [beats(words, tensor)], IMAGES)


def beats(words: Integers, tensor: Tensor) -> Integers:
    """Return words `[n, lanes]` as beats `[n, 1]`: lane 0 in the lowest bytes."""
    size = element_bytes(tensor.bits)
    packed = np.zeros((len(words), 8), np.uint8)
    for lane in range(words.shape[1]):
        little_endian = words[:, lane].astype("<i8").view(np.uint8).reshape(-1, 8)
        packed[:, lane * size : (lane + 1) * size] = little_endian[:, :size]
    return packed.view("<i8")


@cache
def processes() -> tuple[Process, ...]:
    """Return at least one of every process: from every engine of small spaces, and plumbing."""
    found: list[Process] = [run.instances[0].process for run in plumbing()]
    found.append(Receive(TENSORS[0], 1, (load_of(TABLE),)))
    for graphs in CASES.values():
        for graph in graphs:
            for node in graph:
                inputs = graph.inputs(node)
                template = template_of(node, graph.inputs(node))
                space = template.space(node, inputs)
                for number in {0, space.size // 2, space.size - 1}:
                    found += template.of(node, inputs, space.at(number)).processes()
    return tuple(found)


def of_kind(kind: str) -> list[Structure]:
    return [process.structure() for process in processes() if process.kind == kind]


@pytest.mark.parametrize("kind", PROCESSES)
def test_cpp_uses_the_names_that_the_structure_offers(kind: str) -> None:
    """A name that only some variants of an operator have is still used by one of them."""
    variants = of_kind(kind)
    assert variants, f"add a case that makes a {kind} process"
    parameters = next(process.parameters for process in processes() if process.kind == kind)
    offered = {"name", *parameters}.union(*(structure.names() for structure in variants))
    assert used_names(f"processes/{kind}.cpp.j2") == offered


@pytest.mark.parametrize("kind", PROCESSES)
def test_a_kernel_has_no_loop_that_nobody_counts(kind: str) -> None:
    text = source(f"processes/{kind}.cpp.j2")
    assert not re.search(r"\b(for|while|do|goto)\b *[({]", text)
    assert text.count("hls.loop(") == text.count("hls.end(") == 1


@pytest.mark.parametrize("kind", PROCESSES)
def test_phases_sum_to_trips_and_words(kind: str) -> None:
    for structure in of_kind(kind):
        parts = list(repeated(structure.phases))
        assert sum(times * int(part.cycles) for times, part in parts) == structure.loop.trips
        writes = sum(times * int(part.writes) for times, part in parts)
        for port, stream in enumerate(structure.reads):
            assert stream.words == sum(times * int(part.reads_of(port)) for times, part in parts)
        assert all(stream.words == writes for stream in structure.writes)


def repeated(parts: tuple[Part | Phase, ...], times: int = 1) -> Iterator[tuple[int, Part]]:
    """Yield every part with how often it is run."""
    for part in parts:
        if isinstance(part, Part):
            yield times, part
        else:
            yield from repeated(part.parts, times * int(part.times))


@pytest.mark.parametrize("kind", PROCESSES)
def test_multipliers_and_adders_work_at_most_once_a_cycle(kind: str) -> None:
    for structure in of_kind(kind):
        groups = (*structure.multipliers, *structure.adders)
        assert all(group.uses <= structure.loop.trips for group in groups)


@pytest.mark.needs_gxx
def test_plumbing_passes_every_element_on(tmp_path: Path) -> None:
    runs = list(plumbing())
    for run in runs:
        check_declarations(run)
    for run, outcome in zip(runs, hls.execute(runs, tmp_path / "cpp"), strict=True):
        check_run(run, outcome)


def test_resize_moves_the_greatest_common_chunk_per_cycle() -> None:
    tensor = Tensor((12, 3, 1), 4, False)
    wide, narrow = (grid.ravel() for grid in np.meshgrid(divisors(12), divisors(12)))
    every = Resize(tensor, wide, narrow).structure()
    for number, (lanes_in, lanes_out) in enumerate(
        zip(wide.tolist(), narrow.tolist(), strict=True)
    ):
        one = Resize(tensor, lanes_in, lanes_out).structure()
        assert one.loop.trips == 36 // gcd(lanes_in, lanes_out)
        assert at(every, number, wide.size) == one


def test_lines_are_called_independent_only_where_they_are() -> None:
    """A word that is read back within the pipeline's depth would be read too early."""
    called = set()
    for process in processes():
        if isinstance(process, Window):
            structure = process.structure()
            assert least_distance(process) >= structure.facts["read_back"], process
            independent = "DEPENDENCE" in process_source(Instance("w", process, (), ()), {})
            assert not independent or least_distance(process) > structure.loop.stages, process
            called.add(independent)
    assert called == {True, False}


def test_words_are_read_back_no_sooner_than_stated() -> None:
    random = np.random.default_rng(0)
    checked = 0
    while checked < 300:
        kernel = (int(random.integers(1, 6)), int(random.integers(1, 6)))
        stride = (int(random.integers(1, 5)), int(random.integers(1, 5)))
        dilation = (int(random.integers(1, 4)), int(random.integers(1, 4)))
        extent = Geometry(kernel, stride, dilation=dilation).extent
        top, left, bottom, right = (int(random.integers(side)) for side in (*extent, *extent))
        maps = Tensor((2, int(random.integers(1, 8)), int(random.integers(1, 8))), 4, False)
        geometry = Geometry(kernel, stride, (top, left, bottom, right), dilation)
        padded = (maps.shape[1] + top + bottom, maps.shape[2] + left + right)
        if padded[0] >= extent[0] and padded[1] >= extent[1]:
            process = Window(maps, geometry, 0, 1 + checked % 2)
            assert least_distance(process) >= process.structure().facts["read_back"], process
            checked += 1


def least_distance(process: Window) -> int:
    """Return the fewest iterations from storing a word to reading it back; many if none is."""
    (reads,), writes = schedule(process.structure())
    channels, rows, columns = process.map.shape
    words = channels // int(process.lanes)
    order = np.arange(rows * columns * words).reshape(1, rows, columns, words)
    # patches of word numbers, -1 for padding, in the order in which they leave
    patches = process.geometry.patches(order.transpose(0, 3, 1, 2), pad_value=-1)
    numbers = patches.transpose(0, 2, 3, 4, 5, 1).ravel()
    stored = numbers >= 0
    return int((writes[stored] - reads[numbers[stored]]).min(initial=1 << 30))


def test_running_sums_of_groups_are_read_again_as_late_as_stated() -> None:
    """A distance that is too long would let a sum be read before it is written."""
    checked = set()
    for process in processes():
        if isinstance(process, Grouped) and process.positions > process.together:
            structure = process.structure()
            bounds = [int(bound) for bound in structure.loop.over.values()]
            _, places, groups, folds, steps = bounds
            trips = np.arange(places * groups * folds * steps).reshape(places, -1, steps)
            least = (trips[1:, :, 0] - trips[:-1, :, -1]).min()
            words = next(b.words for b in structure.buffers if b.name == "running")
            assert words == groups * folds
            assert words == 1 or structure.facts["distance"] == least, process
            checked.add((words > 1, steps > 1))
    assert {(True, False), (True, True)} <= checked
