"""Every operator's exact integers and real answer against torch, NumPy and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from codesign.network.functions import FUNCTIONS
from codesign.network.op import Op, dot_range, exact_type
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

EXTENT = st.integers(1, 3)
PAIR = st.tuples(EXTENT, EXTENT)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    kernel, dilation = draw(PAIR), draw(PAIR)
    rows, columns = ((k - 1) * d for k, d in zip(kernel, dilation, strict=True))
    sides = [draw(st.integers(0, extent)) for extent in (rows, columns, rows, columns)]
    return Window(kernel, draw(PAIR), (sides[0], sides[1], sides[2], sides[3]), dilation)


def integers(seed: int, *shape: int, high: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(-high, high, shape)


def both(op: Op, inputs: list[np.ndarray], weights: np.ndarray | None) -> np.ndarray:
    """Return the exact sums, which every type has to agree on."""
    sums = op.accumulate(inputs, weights)
    assert sums.dtype == np.int64
    for dtype in (np.float32, np.float64):
        narrow = op.accumulate([values.astype(np.float32) for values in inputs], weights, dtype)
        assert narrow.dtype == dtype
        np.testing.assert_array_equal(narrow, sums)
    return sums


def tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).double() for array in arrays]


@settings(max_examples=150, deadline=None)
@given(windows(), PAIR, st.integers(1, 3), PAIR, st.integers(0, 99))
def test_convolution(window, channels, groups, size, seed) -> None:
    inputs, outputs = channels[0] * groups, channels[1] * groups
    op = Conv2d(inputs, outputs, window, bits=4, groups=groups)
    maps = integers(seed, 2, inputs, *(s + e for s, e in zip(size, window.extent, strict=True)))
    weights = integers(seed + 1, *op.weight_shape)
    top, left, bottom, right = window.padding
    x, w = tensors(maps, weights)
    expected = functional.conv2d(
        functional.pad(x, (left, right, top, bottom)),
        w,
        stride=window.stride,
        dilation=window.dilation,
        groups=groups,
    )
    np.testing.assert_array_equal(both(op, [maps], weights), expected)
    np.testing.assert_array_equal(op.real([maps.astype(float)], weights.astype(float)), expected)
    assert op.output_shape([maps.shape[1:]]) == expected.shape[1:]
    assert op.macs([maps.shape[1:]]) == expected[0].numel() * weights[0].size


@settings(max_examples=150, deadline=None)
@given(windows(), PAIR, st.integers(1, 3), PAIR, PAIR, st.integers(0, 99))
def test_transposed_convolution(window, channels, groups, size, extra, seed) -> None:
    extra = tuple(
        min(e, max(s, d)) - 1 for e, s, d in zip(extra, window.stride, window.dilation, strict=True)
    )
    inputs, outputs = channels[0] * groups, channels[1] * groups
    op = ConvTranspose2d(inputs, outputs, window, 4, groups, extra)
    maps = integers(seed, 2, inputs, *(s + k for s, k in zip(size, window.kernel, strict=True)))
    top, left, bottom, right = window.padding
    rows, columns = (
        (m - 1) * s + e + x
        for m, s, e, x in zip(maps.shape[2:], window.stride, window.extent, extra, strict=True)
    )
    if rows <= top + bottom or columns <= left + right:
        with pytest.raises(ValueError, match="leaves nothing"):
            op.output_shape([maps.shape[1:]])
        return
    weights = integers(seed + 1, *op.weight_shape)
    # torch has inputs first, and pads both sides alike
    turned = weights.reshape(groups, channels[1], channels[0], *window.kernel)
    x, w = tensors(
        maps, turned.transpose(0, 2, 1, 3, 4).reshape(inputs, channels[1], *window.kernel)
    )
    whole = functional.conv_transpose2d(
        x, w, stride=window.stride, dilation=window.dilation, groups=groups, output_padding=extra
    )
    expected = whole[:, :, top : rows - bottom, left : columns - right]
    np.testing.assert_array_equal(both(op, [maps], weights), expected)
    assert op.output_shape([maps.shape[1:]]) == expected.shape[1:]


@settings(max_examples=150, deadline=None)
@given(windows(), st.sampled_from(["max", "average"]), st.booleans(), PAIR, st.integers(0, 99))
def test_pooling(window, kind, counts_padding, size, seed) -> None:
    op = Pool2d(kind, window, counts_padding)
    maps = integers(seed, 2, 3, *(s + e for s, e in zip(size, window.extent, strict=True)))
    held = Pool2d("average", window).accumulate([np.ones_like(maps)], None)
    if kind == "max":
        held = np.ones_like(held)
    patches = window.patches(maps.astype(float), -np.inf if kind == "max" else 0.0)
    expected = patches.max(axis=(4, 5)) if kind == "max" else patches.sum(axis=(4, 5))
    if kind == "average":
        # a window that lies on padding alone holds nothing to average
        expected = expected / np.maximum(held if not op.counts_padding else window.positions, 1)
    if not held.all():
        return
    sums = both(op, [maps], None)
    np.testing.assert_allclose(sums * op.unit([1.0], None), expected, rtol=1e-12)
    np.testing.assert_allclose(op.real([maps.astype(float)], None), expected, rtol=1e-12)
    low, high = op.accumulator_range([Tensor(maps.shape[1:], 4, signed=True)], None)
    assert low <= sums.min() <= sums.max() <= high


def test_average_without_padding_is_that_of_torch() -> None:
    maps = integers(3, 2, 3, 7, 6)
    op = Pool2d("average", Window((3, 3), (2, 2), (1, 1, 1, 1)), counts_padding=False)
    expected = functional.avg_pool2d(*tensors(maps), 3, 2, 1, count_include_pad=False)
    np.testing.assert_allclose(both(op, [maps], None) / op.divisor, expected, rtol=1e-12)
    assert op.divisor == 36


def test_joins_and_views() -> None:
    a, b = integers(1, 2, 3, 4, 5), integers(2, 2, 2, 4, 5)
    joined = both(Concat(2, 4), [a, b], np.array([1, 2]))
    np.testing.assert_array_equal(joined, np.concatenate([a, 2 * b], axis=1))
    np.testing.assert_array_equal(both(Add(4), [a, a], np.array([3, 1])), 4 * a)
    np.testing.assert_array_equal(both(Slice(1, 3), [a], None), a[:, 1:3])
    grown = functional.interpolate(tensors(a)[0], scale_factor=(2, 3), mode="nearest")
    np.testing.assert_array_equal(both(Resize2d((2, 3)), [a], None), grown)
    padded = functional.pad(tensors(a)[0], (2, 4, 1, 3))
    np.testing.assert_array_equal(both(Pad2d((1, 2, 3, 4)), [a], None), padded)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 1), (3,)])
def test_products(shape) -> None:
    a, b = integers(1, 2, 3, 4, 5), integers(2, 2, *shape)
    expected = a * b.reshape(2, 3, *(shape[1:] or (1, 1)))
    np.testing.assert_array_equal(both(Multiply(), [a, b], None), expected)
    with pytest.raises(ValueError, match="was given"):
        Multiply().output_shape([(4,), (4, 1, 1)])  # every element by every other
    assert Multiply().accumulator_range(
        [Tensor((3, 4, 5), 4, signed=True), Tensor(shape, 3, signed=False)], None
    ) == (-56, 49)


TORCH = {
    "elu": functional.elu,
    "gelu": functional.gelu,
    "hard_sigmoid": functional.hardsigmoid,
    "hard_swish": functional.hardswish,
    "leaky_relu": functional.leaky_relu,
    "mish": functional.mish,
    "selu": functional.selu,
    "sigmoid": torch.sigmoid,
    "sign": lambda x: torch.where(x < 0, -1.0, 1.0),
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "tanh": torch.tanh,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_those_of_torch(name) -> None:
    x = torch.linspace(-9, 9, 1001, dtype=torch.float64).reshape(1, 1, -1)
    own = FUNCTIONS[name]
    parameters = (1 / 6, 0.5) if name == "hard_sigmoid" else own.defaults
    answers = own.compute(x.numpy(), *parameters)
    np.testing.assert_allclose(answers, TORCH[name](x), rtol=1e-7, atol=1e-12)
    assert answers.min() >= own.least


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("is_signed", [False, True])
def test_a_table_holds_every_answer(name, is_signed) -> None:
    source = Tensor((6,), 8, is_signed)
    output = Tensor((6,), 8, signed=True)
    bare = Table(name, FUNCTIONS[name].defaults, (0, 0), (0, 0))
    op = bare.typed([source], output)
    weights = op.answers(0.03, 0.02)
    assert weights.shape == op.weight_shape == (1, 256)
    inputs = np.arange(source.low, source.high + 1).reshape(-1, 1).repeat(6, axis=1)
    real = op.real([inputs * 0.03], None)
    np.testing.assert_array_equal(
        both(op, [inputs], weights), np.clip(np.rint(real / 0.02), -128, 127)
    )


def test_a_table_of_several_channels_is_prelu() -> None:
    slopes = (0.5, 0.25, 0.125)
    maps = integers(4, 2, 3, 4, 5)
    op = Table("leaky_relu", slopes, (-8, 7), (-8, 7), channels=3)
    x, w = tensors(maps, np.array(slopes))
    np.testing.assert_array_equal(op.real([maps.astype(float)], None), functional.prelu(x, w))
    expected = functional.prelu(x, w).round()
    np.testing.assert_array_equal(both(op, [maps], op.answers(1.0, 1.0)), expected)


@pytest.mark.parametrize("bounds", [None, (-3, 5), (2, 6), (-7, -2)])
def test_partial_sums_stay_in_their_range(bounds) -> None:
    tensor = Tensor((4,), 4, signed=True, bounds=bounds)
    weights = integers(7, 5, 4)
    low, high = dot_range(tensor, weights)
    extremes = np.array(np.meshgrid(*[[tensor.low, 0, tensor.high]] * 4)).reshape(4, -1)
    sums = weights @ extremes
    assert (low, high) == (sums.min(), sums.max())


@pytest.mark.parametrize(("bits", "dtype"), [(25, np.float32), (54, np.float64), (55, np.int64)])
def test_the_type_of_sums_holds_every_one(bits, dtype) -> None:
    assert exact_type(bits) is dtype
    extremes = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
    assert [int(value) for value in extremes.astype(dtype)] == extremes.tolist()
