"""ONNX operators that are layers with weights: convolutions and matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from codesign.network.network import FloatParameters
from codesign.network.onnx.reader import ANY_BITS, Step
from codesign.network.onnx.values import Value, ordered, positions
from codesign.network.onnx.windows import Frame, Pair, Sides, frame, pair, shared
from codesign.network.op import Reals
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.windows import Window


def _conv(step: Step) -> Value:
    maps = step.maps(step.unpadded(0))
    if maps.padding is not None and maps.padding.lowest:
        maps = step.value(0)
    weights = _kernels(step, maps)
    found = frame(step, maps, (weights.shape[2], weights.shape[3]))
    around = maps.padding.sides if maps.padding else (0, 0, 0, 0)
    padding = _sum(around, found.padding)
    source = replace(maps, padding=None)
    if not found.fits(padding):
        source, padding = step.padded(maps, padding), (0, 0, 0, 0)
    groups = step.attributes.get("group", 1)
    inputs = weights.shape[1] * groups
    op = Conv2d(inputs, len(weights), found.window(padding), ANY_BITS, groups)
    own = FloatParameters(weights, _bias(step, len(weights)))
    return step.append("conv", op, (source,), own)


def _conv_transpose(step: Step) -> Value:
    """Turn weights `[inputs, outputs / groups, ...]` round."""
    maps = step.maps(step.value(0))
    stored, groups = _kernels(step, maps), step.attributes.get("group", 1)
    if groups < 1 or len(stored) % groups:
        raise ValueError(f"{groups} groups do not divide {len(stored)} inputs")
    kernel = (stored.shape[2], stored.shape[3])
    grouped = stored.reshape(groups, -1, *stored.shape[1:])
    weights = grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *kernel)
    found = frame(step, maps, kernel)
    padding, extra = _crop(step, maps, found)
    outputs = len(weights)
    op = ConvTranspose2d(len(stored), outputs, found.window(padding), ANY_BITS, groups, extra)
    return step.append("deconv", op, (maps,), FloatParameters(weights, _bias(step, outputs)))


def _crop(step: Step, maps: Value, found: Frame) -> tuple[Sides, Pair]:
    """Return what a transposed convolution cuts off its answer, and what it appends."""
    axes = len(maps.shape) - 2
    extra = pair(step.attributes.get("output_padding", [0] * axes), axes, "output_padding", 0)
    wanted = step.attributes.get("output_shape")
    size = pair(maps.shape[2:], axes, "maps")
    if wanted is not None:
        target = pair(wanted[-axes:], axes, "output_shape")
    elif found.automatic.startswith("SAME"):
        target = (size[0] * found.stride[0], size[1] * found.stride[1])
    else:
        return found.padding, extra
    whole = zip(size, found.stride, found.extent, extra, target, strict=True)
    total = [(n - 1) * s + width + e - t for n, s, width, e, t in whole]
    if min(total) < 0:
        step.refuse(f"to a size of {target}", "it is larger than what the kernel reaches")
    return shared(total, found.automatic), extra


def _kernels(step: Step, maps: Value) -> Reals:
    """Return weights with rows and columns; those of one axis have one row."""
    weights = step.reals(1)
    if weights.ndim != len(maps.shape) or not weights.size:
        raise ValueError(f"weights of shape {weights.shape} for maps of shape {maps.shape}")
    return weights if weights.ndim == 4 else weights[:, :, None, :]


def _bias(step: Step, outputs: int) -> Reals:
    bias = step.reals(2) if step.has(2) else np.zeros(outputs)
    if bias.shape != (outputs,):
        raise ValueError(f"a bias of shape {bias.shape} for {outputs} channels")
    return bias


def _sum(left: Sides, right: Sides) -> Sides:
    return (left[0] + right[0], left[1] + right[1], left[2] + right[2], left[3] + right[3])


def _gemm(step: Step) -> Value:
    if step.attributes.get("transA", 0):
        step.refuse("with transA", "images stand in rows")
    alpha, beta = (float(step.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    if not math.isfinite(alpha) or not math.isfinite(beta):
        raise ValueError(f"factors of {alpha} and {beta}")
    weights = step.reals(1) if step.attributes.get("transB", 0) else step.reals(1).T
    bias = step.reals(2) if step.has(2) else np.zeros(())
    return _dense(step, alpha * weights, beta * bias)


def _matmul(step: Step) -> Value:
    if step.is_constant(0):
        return _pointwise(step, step.value(1), step.reals(0), -2)
    value, weights = step.value(0), step.reals(1).T
    if len(value.shape) > 2:
        return _pointwise(step, value, weights, -1)
    return _dense(step, weights, np.zeros(()))


def _dense(step: Step, weights: Reals, bias: Reals) -> Value:
    """Append a matrix product; its columns follow the order of the layer before."""
    vectors = step.value(0)
    if weights.ndim != 2 or len(vectors.shape) != 2 or not weights.size:
        form = f"of tensors of shape {vectors.shape} and {weights.T.shape}"
        step.refuse(form, "a dense layer reads N x features")
    if vectors.places is not None and weights.shape[1] == vectors.places.size:
        ordered_weights = np.empty_like(weights)
        ordered_weights[:, vectors.places] = weights
        weights = ordered_weights
    own = FloatParameters(weights, np.broadcast_to(bias, (1, len(weights)))[0])
    op = Dense(weights.shape[1], weights.shape[0], ANY_BITS)
    return step.append("dense", op, (vectors,), own)


def _pointwise(step: Step, value: Value, weights: Reals, axis: int) -> Value:
    """Append a matrix product along the channels at every pixel: a 1 x 1 convolution.

    Args:
        step: the node.
        value: at least three dimensions.
        weights: `[outputs, channels]`.
        axis: where the value has its channels.
    """
    own = step.reader.own(value)
    remedy = "a matrix product reads N x features, or the channels at every pixel"
    if weights.ndim != 2 or len(value.shape) < 3 or value.shape[axis] != own[0]:
        step.refuse(f"of a tensor of shape {value.shape} by {weights.T.shape}", remedy)
    places = np.moveaxis(positions(value), axis, -1)
    pixels = math.prod(own[1:])
    rows = places.reshape(-1, own[0])
    expected = rows[:, :1] % pixels + pixels * np.arange(own[0])
    if weights.shape[1] != own[0] or not np.array_equal(rows, expected):
        step.refuse(f"along other than the channels of {value.shape}", remedy)
    outputs = len(weights)
    op = Conv2d(own[0], outputs, Window((1, 1)), ANY_BITS)
    parameters = FloatParameters(weights[:, :, None, None], np.zeros(outputs))
    made = step.append("conv", op, (value,), parameters)
    spread = rows[:, :1] % pixels + pixels * np.arange(outputs)
    moved = np.moveaxis(spread.reshape(*places.shape[:-1], outputs), -1, axis)
    shape = (value.shape[0], *moved.shape)
    return replace(made, shape=shape, places=ordered(moved.astype(np.int32)))


LAYERS: Mapping[str, Callable[[Step], Value]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
