"""ONNX enlargement of maps by their nearest neighbours, where that repeats every pixel."""

from __future__ import annotations

import math

import numpy as np

from codesign.network.onnx.reader import Step
from codesign.network.onnx.values import Value
from codesign.network.op import Reals
from codesign.network.ops.resize2d import Resize2d

_MOST_PIXELS = 1 << 20
"""Pixels of the longest row or column that are looked at one by one."""

_REMEDY = "enlarge by whole factors with mode nearest"


def resize(step: Step) -> Value:
    """Read a Resize, or its forerunner Upsample."""
    maps = step.maps(step.value(0))
    if step.attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        step.refuse("that keeps the aspect ratio", _REMEDY)
    scales, sizes = _wanted(step, maps)
    if sizes == list(maps.shape) and all(scale == 1 for scale in scales):
        return step.same(maps)
    mode = step.attributes.get("mode", "nearest")
    if mode != "nearest":
        step.refuse(f"by mode {mode}", _REMEDY)
    factors = [1] * (4 - len(maps.shape))
    for axis, (extent, size) in enumerate(zip(maps.shape, sizes, strict=True)):
        factor = size // extent
        if factor < 1 or size % extent or (axis < 2 and factor > 1):
            step.refuse(f"from {maps.shape} to {tuple(sizes)}", _REMEDY)
        if axis >= 2:
            if not _repeats(step, extent, factor, scales[axis]):
                step.refuse("that does not repeat every pixel equally often", _REMEDY)
            factors.append(factor)
    return step.append("resize", Resize2d((factors[0], factors[1])), (maps,))


def _wanted(step: Step, maps: Value) -> tuple[list[float], list[int]]:
    """Return the scale and the size of every axis, batch included."""
    rank = len(maps.shape)
    axes = list(step.attributes.get("axes", range(rank)))
    if sorted(axis % rank for axis in axes) != sorted({axis % rank for axis in axes}):
        raise ValueError(f"axes {axes}")
    scales, sizes = [1.0] * rank, list(maps.shape)
    # the second input of the first Resize and of Upsample are the scales
    index = 1 if len(step.node.input) == 2 else 2
    if step.has(3) and step.constant(3).size:
        given = step.integers(3)
        if len(given) != len(axes):
            raise ValueError(f"sizes {given} for axes {axes}")
        for axis, size in zip(axes, given, strict=True):
            scales[axis], sizes[axis] = size / maps.shape[axis], size
        return scales, sizes
    factors = step.reals(index).reshape(-1).tolist() if step.has(index) else None
    factors = list(step.attributes.get("scales", ())) if factors is None else factors
    if len(factors) != len(axes) or not all(math.isfinite(f) and f > 0 for f in factors):
        raise ValueError(f"scales {factors} for axes {axes}")
    for axis, factor in zip(axes, factors, strict=True):
        scales[axis], sizes[axis] = factor, math.floor(maps.shape[axis] * factor)
    return scales, sizes


def _repeats(step: Step, extent: int, factor: int, scale: float) -> bool:
    """Whether every pixel of an axis is taken `factor` times in a row.

    Source: ONNX operator specification of Resize.
    """
    size = extent * factor
    if size > _MOST_PIXELS:
        raise ValueError(f"{size} pixels in a row")
    places = _coordinates(step, extent, size, scale)
    rule = step.attributes.get("nearest_mode", "round_prefer_floor")
    if _is_early(step):
        rule = "floor"
    match rule:
        case "round_prefer_floor":
            nearest = np.ceil(places - 0.5)
        case "round_prefer_ceil":
            nearest = np.floor(places + 0.5)
        case "floor":
            nearest = np.floor(places)
        case "ceil":
            nearest = np.ceil(places)
        case _:
            step.refuse(f"by nearest_mode {rule}", _REMEDY)
    taken = np.clip(nearest, 0, extent - 1)
    return bool((taken == np.arange(size) // factor).all())


def _coordinates(step: Step, extent: int, size: int, scale: float) -> Reals:
    """Return where in the map each pixel of the answer lies."""
    pixels = np.arange(size, dtype=np.float64)
    rule = step.attributes.get("coordinate_transformation_mode", "half_pixel")
    if _is_early(step) or rule == "asymmetric":
        return pixels / scale
    if rule == "tf_half_pixel_for_nn":
        return (pixels + 0.5) / scale
    if rule in ("pytorch_half_pixel", "align_corners") and size == 1:
        return np.zeros(1)
    if rule == "align_corners":
        return pixels * (extent - 1) / (size - 1)
    if rule not in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"):
        step.refuse(f"by coordinate_transformation_mode {rule}", _REMEDY)
    middle = extent * (1 - size / (extent * scale)) / 2 if rule == "half_pixel_symmetric" else 0.0
    return middle + (pixels + 0.5) / scale - 0.5


def _is_early(step: Step) -> bool:
    """Whether the operator is of a set that knew one rule only."""
    return step.node.op_type == "Upsample" or len(step.node.input) == 2
