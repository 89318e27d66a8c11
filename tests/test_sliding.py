"""Whole patches per cycle: how many cycles a map takes, and what the memories are."""

from __future__ import annotations

import numpy as np
import pytest
from cases import DILATED, GEOMETRIES

from codesign.cost import latency, resources
from codesign.cost.pipeline import schedule
from codesign.design import Instance
from codesign.emit.project import process_source
from codesign.fit.options import template_of
from codesign.hardware.patches import Portion, patches
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.processes.sliding import Sliding
from codesign.hardware.processes.window import Window
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import Storage
from codesign.network.graph import INPUT, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window as Geometry

MAP = Tensor((4, 10, 12), 4, signed=False)
SAME = Geometry((3, 3), (1, 1), (1, 1, 1, 1))


def trips(geometry: Geometry, lanes: int = 4, together: int = 0) -> int:
    together = together or geometry.positions
    return int(Sliding(MAP, geometry, 0, lanes, together).structure().loop.trips)


def test_a_pixel_and_a_patch_per_cycle_and_nothing_for_padding() -> None:
    # after the last pixel a row and a pixel of patches are still to come
    assert trips(SAME) == 10 * 12 + 12 + 1
    assert trips(Geometry((3, 3))) == 10 * 12
    assert trips(Geometry((5, 5), (1, 1), (2, 2, 2, 2))) == 10 * 12 + 2 * 12 + 2
    assert trips(Geometry((3, 3), (1, 1), (2, 2, 2, 2), (2, 2))) == 10 * 12 + 2 * 12 + 2


def test_channels_and_parts_of_a_patch_take_turns() -> None:
    assert trips(SAME, lanes=1) == 4 * trips(SAME, lanes=4)
    # the pixels before the first patch leave no parts
    assert trips(SAME, together=3) == 3 * 10 * 12 + 12 + 1
    assert trips(SAME, lanes=2, together=3) == 2 * trips(SAME, together=3)


def test_pixels_between_patches_take_a_cycle_each() -> None:
    halving = Geometry((2, 2), (2, 2))
    assert trips(halving) == 10 * 12
    assert trips(halving, together=2) == 10 * 12 + 5 * 6


@pytest.mark.parametrize(("geometry", "size"), GEOMETRIES + DILATED)
def test_a_patch_leaves_with_the_last_pixel_that_it_can_need(
    geometry: Geometry, size: tuple[int, int]
) -> None:
    """Never before that pixel, and without waiting where rows have no more patches than pixels."""
    tensor = Tensor((1, *size), 4, signed=False)
    (reads,), writes = schedule(Sliding(tensor, geometry, 0, 1, geometry.positions).structure())
    numbers = np.arange(np.prod(size)).reshape(1, 1, *size)
    needed = geometry.patches(numbers, pad_value=-1).max(axis=(1, 4, 5)).ravel()
    on_map = needed >= 0
    assert np.all(writes[on_map] >= reads[needed[on_map]])
    assert len(set(writes.tolist())) == len(writes)
    if not any(geometry.padding):
        assert np.array_equal(writes, reads[needed])


def test_delay_lines_hold_no_row_more_than_the_kernel_needs() -> None:
    lines, columns = Sliding(MAP, SAME, 0, 2, 9).structure().buffers
    assert (lines.words, lines.lanes) == (2 * 12, 2 * 2)  # two rows
    assert (columns.words, columns.lanes) == (2, 2 * 3 * 2)  # two columns of three
    # a patch that leaves in parts is kept whole
    *_, columns = Sliding(MAP, SAME, 0, 2, 3).structure().buffers
    assert (columns.words, columns.lanes) == (2, 3 * 3 * 2)
    (columns,) = Sliding(MAP, Geometry((1, 3)), 0, 4, 3).structure().buffers
    assert (columns.name, columns.words, columns.lanes) == ("columns", 1, 2 * 4)


@pytest.mark.parametrize(
    "op",
    [
        Conv2d(4, 8, SAME, 4),
        Conv2d(4, 4, SAME, 4, 4),
        Conv2d(4, 4, SAME, 4, 2),
        Pool2d("max", SAME),
        Pool2d("average", SAME, counts_padding=False),
    ],
)
def test_every_consumer_keeps_up_with_a_pixel_per_cycle(op: Conv2d | Pool2d) -> None:
    output = Tensor(op.output_shape([MAP.shape]), 4, signed=False)
    node = Node("node", op, (INPUT,), output, 1, 20)
    template = template_of(node, (MAP,))
    fastest = {c.name: c.values[-1] for c in template.space(node, (MAP,)).choices}
    if "weight_storage" in fastest:
        fastest["weight_storage"] = Storage.BRAM  # a memory that is filled first adds cycles
    if "pixels" in fastest:
        fastest["pixels"] = 1
    engine = template.of(node, (MAP,), fastest)  # type: ignore[arg-type]
    slowest = max(latency.process_interval(p.structure()) for p in engine.processes())
    assert slowest == latency.process_interval(engine.processes()[0].structure())
    assert slowest < 10 * 12 + 12 + 1 + 10


def test_one_position_at_a_time_comes_from_a_memory() -> None:
    assert isinstance(patches(MAP, SAME, Portion(2, 1), Storage.BRAM), Window)
    assert isinstance(patches(MAP, SAME, Portion(2, 3), Storage.BRAM), Sliding)
    assert isinstance(patches(MAP, SAME, Portion(2, 1, pixels=4), Storage.BRAM), Sliding)


def test_a_single_word_is_priced_as_the_flip_flops_it_is_written_as() -> None:
    process = Sliding(MAP, Geometry((1, 3)), 0, 4, 3, Storage.BRAM)
    usage = resources.process_usage(process.structure())
    assert usage[resources.MEMORY_LUT] == usage["bram18"] == 0
    text = process_source(Instance("slides", process, (), ()), {})
    assert "ARRAY_PARTITION variable=columns" in text


@pytest.mark.parametrize(("pe", "split"), [(32, False), (64, True)])
def test_weights_too_wide_for_one_word_lie_in_a_memory_per_lane(pe: int, split: bool) -> None:
    requantiser = Requantiser(24, 1, Tensor((64,), 8, signed=True))
    matrix = Matrix(
        1, 32, 64, Tensor((32,), 8, True), 8, requantiser, pe, 16, storage=Storage.LUTRAM
    )
    text = process_source(Instance("wide", matrix, (), ()), {"shift": 3})
    kind = "PARTITION" if split else "RESHAPE"
    assert f"ARRAY_{kind} variable=weights type=complete dim=2" in text
