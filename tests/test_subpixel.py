"""Transposed convolutions as convolutions whose outputs are laid side by side."""

from __future__ import annotations

import numpy as np
import pytest
from cases import CASES, signed

from codesign.cost.pipeline import schedule
from codesign.fit.options import template_of
from codesign.hardware.processes.interleave import Interleave
from codesign.network.network import Parameters
from codesign.network.op import Integers
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.subpixel import Subpixel
from codesign.network.tensor import map_shape
from codesign.network.windows import Window


def laid_side_by_side(subpixel: Subpixel, channels: Integers, shape: tuple[int, ...]) -> Integers:
    """Return the map that the outputs of the convolution stand for."""
    op, (count, _, rows, columns) = subpixel.op, channels.shape
    down, across = op.window.stride
    parts = channels.reshape(count, op.groups, down, across, -1, rows, columns)
    map_ = parts.transpose(0, 1, 4, 5, 2, 6, 3).reshape(count, -1, rows * down, columns * across)
    top, left = subpixel.crop
    return map_[:, :, top : top + shape[1], left : left + shape[2]]


def random_case(random: np.random.Generator) -> tuple[ConvTranspose2d, tuple[int, int, int]]:
    def pair(low: int, high: int) -> tuple[int, int]:
        rows, columns = random.integers(low, high + 1, 2).tolist()
        return rows, columns

    while True:
        kernel, stride, dilation, size = pair(1, 4), pair(1, 3), pair(1, 3), pair(1, 5)
        extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)] * 2
        padding = tuple(int(random.integers(0, e)) for e in extent)
        extra = tuple(
            int(random.integers(0, max(steps))) for steps in zip(stride, dilation, strict=True)
        )
        groups = int(random.integers(1, 4))
        inputs, outputs = (groups * channels for channels in pair(1, 2))
        window = Window(kernel, stride, padding, dilation)
        op = ConvTranspose2d(inputs, outputs, window, 4, groups, extra)
        try:
            op.output_shape([(inputs, *size)])
        except ValueError:
            continue
        return op, (inputs, *size)


def test_the_convolution_computes_the_same() -> None:
    """Every kernel, stride, padding, dilation, extra and group, by random numbers."""
    random = np.random.default_rng(0)
    for _ in range(600):
        op, shape = random_case(random)
        subpixel = Subpixel.of(op, shape)
        own = Parameters(
            weights=random.integers(-8, 8, op.weight_shape),
            bias=random.integers(-99, 99, op.outputs),
            multiplier=random.integers(1, 99, op.outputs),
        )
        maps = random.integers(-8, 8, (2, *shape))
        got = subpixel.parameters(own)
        channels = subpixel.convolution.accumulate([maps], got.weights)
        expected = op.accumulate([maps], own.weights)
        size = expected.shape[1:]
        assert np.array_equal(laid_side_by_side(subpixel, channels, size), expected), (op, shape)
        for numbers, wanted in ((got.bias, own.bias), (got.multiplier, own.multiplier)):
            spread = np.broadcast_to(numbers[None, :, None, None], (1, *channels.shape[1:]))
            placed = laid_side_by_side(subpixel, spread, size)
            assert np.array_equal(placed[0], np.broadcast_to(wanted[:, None, None], size))


@pytest.mark.parametrize(
    ("window", "extra", "kernel"),
    [
        (Window((2, 2), (2, 2)), (0, 0), (1, 1)),  # no window at all
        (Window((4, 4), (2, 2), (1, 1, 1, 1)), (0, 0), (2, 2)),
        (Window((3, 3), (2, 2), (1, 1, 1, 1)), (1, 1), (2, 2)),
        (Window((3, 3), (1, 1), (1, 1, 1, 1)), (0, 0), (3, 3)),
        (Window((3, 3), dilation=(2, 2)), (0, 0), (3, 3)),
    ],
)
def test_few_products_are_with_zeros(
    window: Window, extra: tuple[int, int], kernel: tuple[int, int]
) -> None:
    op = ConvTranspose2d(3, 2, window, 4, extra=extra)
    assert Subpixel.of(op, (3, 5, 5)).convolution.window.kernel == kernel


def interleavings() -> list[Interleave]:
    """Every interleaving of the cases, and one of each word size of a wide map."""
    found = []
    for graph in CASES["conv_transpose2d"]:
        (node,) = graph
        inputs = graph.inputs(node)
        template = template_of(node, inputs)
        last = template.of(node, inputs, template.space(node, inputs).at(0)).processes()[-1]
        if isinstance(last, Interleave):
            found.append(last)
    for lanes in (1, 2, 4):
        found.append(Interleave((3, 5), (2, 2), 1, (1, 0), signed(4, 5, 9), lanes))
        found.append(Interleave((2, 3), (3, 2), 2, (0, 1), signed(8, 6, 5), lanes))
    return found


def test_words_of_a_band_are_read_back_no_sooner_than_stated() -> None:
    exact = 0
    for process in interleavings():
        if process.reorders:
            stated = process.structure().facts["read_back"]
            least = least_distance(process)
            assert least >= stated, process
            exact += least == stated
    assert exact >= 5


def least_distance(process: Interleave) -> int:
    """Return the fewest iterations from storing a word to reading it back."""
    (reads,), writes = schedule(process.structure())
    (rows, columns), (down, across) = process.pixels, process.factors
    channels, *size = map_shape(process.output.shape)
    words = channels // process.groups // int(process.lanes)
    parts = (rows, columns, process.groups, down, across, words)
    numbers = np.arange(np.prod(parts)).reshape(parts)
    # rows, then columns, then channels of the larger map
    large = numbers.transpose(0, 3, 1, 4, 2, 5).reshape(rows * down, columns * across, -1)
    (top, left), (height, width) = process.crop, size
    order = large[top : top + height, left : left + width].ravel()
    return int((writes - reads[order]).min())
