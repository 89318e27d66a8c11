"""Several pixels of a row per word: geometry against the reference, legality, cycles, price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brute_force import CLOCK_HZ, Brute, needed
from cases import single, unsigned
from contract import check_run, whole_design
from hls import engine_run, execute, random_images, random_network
from test_unrolled import check_timed

from codesign.cost import resources
from codesign.cost.pipeline import schedule, simulate
from codesign.errors import InputError
from codesign.fit.dataflow import fit
from codesign.fit.options import template_of
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import Board
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.processes.sliding import Sliding
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import MAX_UNROLL, MAX_WORD_BITS, Arithmetic, Role
from codesign.hardware.superpixels import Limits, Superpixels, given
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Integers
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window as Geometry

SAME = Geometry((3, 3), (1, 1), (1, 1, 1, 1))
PADDING = -1


def random_geometry(random: np.random.Generator) -> tuple[Geometry, Tensor, tuple[int, ...]]:
    """Return a window, a map under it and the numbers of pixels (more than 1) for a word."""
    while True:
        kernel, dilation = ((int(random.integers(1, 6)), int(random.integers(1, 6))) for _ in "ab")
        stride = (int(random.integers(1, 4)), int(random.integers(1, 4)))
        extent = Geometry(kernel, stride, dilation=dilation).extent
        top, left, bottom, right = (int(random.integers(side)) for side in (*extent, *extent))
        size = (int(random.integers(1, 5)), int(random.choice([2, 4, 6, 8, 12, 16])))
        geometry = Geometry(kernel, stride, (top, left, bottom, right), dilation)
        if size[0] + top + bottom < extent[0] or size[1] + left + right < extent[1]:
            continue
        maps = Tensor((1, *size), 4, signed=False)
        output = Tensor((1, *geometry.output_size(maps.shape)), 4, signed=False)
        pixels = Limits(geometry, maps, output).pixels()[1:]
        if pixels:
            return geometry, maps, pixels


def numbers(maps: Tensor) -> Integers:
    """Return a map `1 x 1 x H x W` whose pixels are numbered in stream order."""
    return np.arange(maps.pixels).reshape(1, *maps.shape)


def selected(view: Superpixels, geometry: Geometry, maps: Tensor) -> Integers:
    """Return what each patch takes of the pixels under the window over words.

    `[rows, columns, kernel rows, kernel columns]`, columns as those of the output.
    """
    rows, columns = maps.shape[1:]
    words = numbers(maps).reshape(1, rows, columns // view.taken, view.taken)
    words = words.transpose(0, 3, 1, 2)  # pixels of a word as its channels
    patches = view.geometry.patches(words, PADDING).transpose(0, 2, 3, 4, 5, 1)[0]
    under = patches.reshape(*patches.shape[:3], -1)  # pixels under the window, by kernel row
    step, tap_step = geometry.stride[1], geometry.dilation[1]
    found = np.full((*under.shape[:2], view.given, *geometry.kernel), PADDING)
    for beside in range(view.given):
        for tap in range(geometry.kernel[1]):
            column = beside * step + tap * tap_step + view.shift
            if 0 <= column < under.shape[3]:
                found[:, :, beside, :, tap] = under[:, :, :, column]
    return found.reshape(found.shape[0], -1, *geometry.kernel)


def test_patches_lie_under_the_window_over_words() -> None:
    random = np.random.default_rng(0)
    clipped = strided = dilated = 0
    for _ in range(300):
        geometry, maps, every = random_geometry(random)
        expected = geometry.patches(numbers(maps), PADDING)[0, 0]
        for pixels in every:
            view = Superpixels.of(geometry, maps.shape[2], pixels)
            assert np.array_equal(selected(view, geometry, maps), expected), (geometry, maps, view)
            clipped += view.shift < 0
            strided += geometry.stride[1] > 1 and view.given > 1
            dilated += geometry.dilation[1] > 1
    assert min(clipped, strided, dilated) > 20


def test_patches_never_wait_for_pixels_that_do_not_come() -> None:
    """They leave when their last pixel is in; a word and a whole set of patches take a cycle."""
    random = np.random.default_rng(1)
    for _ in range(100):
        geometry, maps, every = random_geometry(random)
        needed = geometry.patches(numbers(maps), PADDING).max(axis=(1, 4, 5))[0]
        for pixels in every:
            process = Sliding(maps, geometry, 0, 1, geometry.positions, pixels=pixels)
            (reads,), writes = schedule(process.structure())
            last = needed.reshape(-1, given(geometry, pixels)).max(axis=1)
            on_map = last >= 0
            assert np.all(writes[on_map] >= reads[last[on_map] // pixels])
            if not any(geometry.padding):
                assert np.array_equal(writes, reads[last // pixels])


def test_a_word_and_its_patches_take_one_cycle() -> None:
    maps = unsigned(2, 10, 12)
    for pixels in (2, 3, 4, 6):
        structure = Sliding(maps, SAME, 0, 2, 9, pixels=pixels).structure()
        lines, columns = structure.buffers
        assert structure.loop.trips == (10 * 12 + 12) // pixels + 1
        assert (lines.words, lines.lanes) == (12 // pixels, 2 * 2 * pixels)
        assert (columns.words, columns.lanes) == (1, 2 * 3 * 2 * pixels)
    # a whole row has neither columns before it nor any beside it
    (lines,) = Sliding(maps, SAME, 0, 2, 9, pixels=12).structure().buffers
    assert (lines.words, lines.lanes) == (1, 2 * 2 * 12)


@pytest.mark.needs_gxx
def test_random_windows_over_words_give_the_reference(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    runs = []
    for number in range(8):
        geometry, maps, every = random_geometry(random)
        pixels = int(random.choice(every))
        source = Tensor((1 + number % 3, *maps.shape[1:]), 1 + number % 8, number % 2 == 1)
        op = Conv2d(source.channels, 1 + number % 4, geometry, 2 + number % 5)
        graph = single(op, source, 4, number % 3 == 1, (1, 8)[number % 2])
        images = random_images(graph, random, 2)
        network = random_network(graph, random, images)
        (node,) = graph.nodes
        engine = engine_of(node, source, knobs_of(op, pixels))
        if bool(engine.legal()):
            values = network.execute(images)
            runs.append(engine_run(graph, network, node, engine, values, f"random{number}"))
    assert len(runs) > 5
    for run, outcome in zip(runs, execute(runs, tmp_path / "cpp"), strict=True):
        check_run(run, outcome)


def test_words_hold_pixels_that_divide_both_rows() -> None:
    maps = unsigned(2, 6, 12)
    cases = (
        (SAME, (6, 12), (1, 2, 3, 4, 6, 12)),
        (Geometry((3, 3)), (4, 10), (1, 2)),
        (Geometry((2, 2), (2, 2)), (3, 6), (1, 2, 4, 6, 12)),
        (Geometry((3, 3), (2, 2)), (2, 5), (1, 2)),
        (Geometry((3, 3), (5, 5)), (1, 2), (1,)),
    )
    for geometry, size, expected in cases:
        assert geometry.output_size(maps.shape) == size
        assert Limits(geometry, maps, unsigned(4, *size)).pixels() == expected


def test_no_more_pixels_are_offered_than_tools_take() -> None:
    maps, output = unsigned(16, 6, 12), unsigned(8, 6, 12)
    # more patches than parts of one: 4 in thirds, 12 in ninths; 2 or 3 only whole
    assert Limits(SAME, maps, output, 16 * 20).pixels() == (1, 4, 12)
    assert 4 * 3 * 16 * 20 <= MAX_UNROLL < 2 * 9 * 16 * 20
    point = Geometry((1, 1))
    assert Limits(point, unsigned(64, 6, 12, bits=8), output).pixels() == (1, 2, 3, 4, 6)
    assert Limits(point, output, unsigned(64, 6, 12, bits=8)).pixels() == (1, 2, 3, 4, 6)
    assert 6 * 64 * 8 <= MAX_WORD_BITS < 12 * 64 * 8


def knobs_of(op: Conv2d, pixels: int, **others: int) -> dict[str, int]:
    """Return the knobs of an engine that computes all of so many pixels at once."""
    named = ("activation", "weight_storage", "line_storage")
    whole = {"pe": op.outputs, "simd": op.inputs, "positions": op.window.positions}
    return {**dict.fromkeys(named, 0), **whole, "pixels": pixels, "arithmetic": 1, **others}


def engine_of(node: Node, source: Tensor, knobs: dict[str, int]) -> HardwareTemplate:
    return template_of(node, (source,)).of(node, (source,), knobs)


def test_several_pixels_are_legal_where_all_of_them_is_computed_at_once() -> None:
    op, source = Conv2d(4, 8, SAME, 4), unsigned(4, 6, 12)
    (node,) = single(op, source, 4, False, 1).nodes

    def legal(pixels: int, **others: int) -> bool:
        return bool(engine_of(node, source, knobs_of(op, pixels, **others)).legal())

    assert legal(4)
    assert not legal(4, simd=2)
    assert not legal(4, pe=4)
    assert legal(4, positions=3)
    assert not legal(3, positions=3)
    assert legal(1, positions=3, simd=2, pe=4)


def test_a_design_file_is_told_which_pixels_are_legal() -> None:
    op = Conv2d(4, 8, SAME, 4)
    graph = single(op, unsigned(4, 6, 12), 4, False, 1)
    data = to_tree(whole_design(graph, {"node": knobs_of(op, 4)}), "zcu104")
    own = data["engines"]["node"]
    assert own["pixels"] == 4
    assert engine_knob(data, graph, "pixels") == 4
    own["pixels"] = 5
    with pytest.raises(InputError, match="nearest legal: 4 below, 6 above"):
        from_tree(data, graph, "design.yaml")
    own |= {"pixels": 4, "simd": 2}
    with pytest.raises(InputError, match=r"several pixels.*legal.*pixels 1 below.*simd 4 above"):
        from_tree(data, graph, "design.yaml")
    del own["pixels"]  # as files of before
    assert engine_knob(data, graph, "pixels") == 1


def engine_knob(data: dict[str, Any], graph: Graph, knob: str) -> int:
    return int(getattr(from_tree(data, graph, "design.yaml").engines["node"], knob))


def test_pixels_beside_each_other_share_weights_and_nothing_else() -> None:
    requantiser = Requantiser(20, 8, unsigned(6, 2, 4))
    own = (8, 4, 6, unsigned(4, 2, 4), 4, requantiser, 5, 4, Arithmetic.PACKED)
    one, four = Matrix(*own).structure(), Matrix(*own, beside=4).structure()
    assert four.loop.trips == one.loop.trips // 4
    assert [(b.name, b.words * b.lanes) for b in four.buffers if b.role is Role.CONSTANT] == [
        (b.name, b.words * b.lanes) for b in one.buffers if b.role is Role.CONSTANT
    ]
    for several, single_ in zip(four.multipliers, one.multipliers, strict=True):
        assert (several.count, several.pairs) == (4 * single_.count, 4 * single_.pairs)
        assert several.count * several.uses == single_.count * single_.uses
    ours, theirs = resources.process_usage(four), resources.process_usage(one)
    assert ours["dsp"] == 4 * theirs["dsp"]
    assert ours["bram18"] == theirs["bram18"]


def test_known_constants_are_multiplied_by_in_every_pixel() -> None:
    op, source = Conv2d(2, 3, SAME, 4), unsigned(2, 6, 12)
    (node,) = single(op, source, 4, False, 1).nodes
    weights = np.random.default_rng(0).integers(-8, 8, op.weight_shape)
    luts = []
    for pixels in (1, 4):
        engine = engine_of(node, source, knobs_of(op, pixels, arithmetic=Arithmetic.CONSTANT))
        usage = resources.process_usage(engine.processes()[-1].structure(), weights)
        luts.append(usage[resources.CONSTANT_LUT["value"]])
    assert luts[1] == 4 * luts[0] != 0


def residual_free() -> Graph:
    """Return three convolutions, the second of stride 2, the last 1 x 1."""
    ops = (
        Conv2d(2, 3, SAME, 3),
        Conv2d(3, 4, Geometry((3, 3), (2, 2), (1, 1, 0, 0)), 3),
        Conv2d(4, 2, Geometry((1, 1)), 3),
    )
    nodes: list[Node] = []
    source = unsigned(2, 4, 8)
    for number, op in enumerate(ops):
        before = nodes[-1] if nodes else None
        shape = op.output_shape([before.output.shape if before else source.shape])
        name = before.name if before else INPUT
        nodes.append(Node(f"conv{number}", op, (name,), unsigned(*shape), 1))
    return Graph("chain", source, tuple(nodes))


@pytest.mark.needs_gxx
def test_a_network_of_words_of_pixels_takes_the_cycles_of_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXXFLAGS", "-O0")
    graph = residual_free()
    pixels = {"conv0": 4, "conv1": 8, "conv2": 2}
    knobs = {node.name: knobs_of(node.op, pixels[node.name]) for node in graph}  # type: ignore[arg-type]
    design = whole_design(graph, knobs)
    resizes = [i.name for i in design.instances if i.process.kind == "resize"]
    assert resizes == ["conv0_resize", "conv1_resize", "conv2_resize", "send_resize"]
    assert check_timed(design, tmp_path / "hls") < simulate(whole_design(graph), 8).interval


def test_fit_chooses_words_of_pixels_as_brute_force_does() -> None:
    graph = single(Conv2d(1, 2, Geometry((1, 1)), 3), unsigned(1, 2, 4, bits=2), 4, True, 1)
    board = Board.load("pynq_z2")
    brute = Brute(graph, board)
    amounts = brute.amounts({})
    shortest = brute.intervals[0]
    least = min(brute.cost(n, shortest, amounts) for n in brute.fitting(shortest, amounts))
    answer = fit(graph, board, CLOCK_HZ)
    (engine,) = answer.design.engines.values()
    assert answer.interval == shortest
    assert brute.objective(needed(answer.design), amounts) == pytest.approx(least)
    assert engine.pixels > 1  # type: ignore[attr-defined]
