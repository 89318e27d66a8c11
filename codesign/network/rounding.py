"""Steps of least squared error for rows of weights."""

from __future__ import annotations

import numpy as np

from codesign.network.floats import Floats

_BLOCK = 1 << 16
"""Weights at a time: they and their rounded values stay in the cache."""


def best_steps(rows: Floats, low: int, high: int, base: float | None) -> Floats:
    """Return the step of least squared rounding and clipping error of each row, `[rows]`.

    Args:
        rows: `[rows, weights]`.
        low: the smallest integer.
        high: the largest integer.
        base: a step is a power of two times that; None permits any step.

    Returns:
        the steps; 0 for a row of zeros.
    """
    reach = np.maximum(rows.max(axis=1) / high, rows.min(axis=1) / low)
    largest = np.where(reach > 0, reach, 1.0)
    if base is None:
        candidates = largest * np.linspace(1.0, 0.2, 33)[:, None]
    else:
        exponents = np.ceil(np.log2(largest / base)) - np.arange(5)[:, None]
        candidates = np.ldexp(base, exponents.astype(np.int64))
    errors = np.zeros(candidates.shape)
    width = rows.shape[1]
    at_once = max(1, _BLOCK // width)
    for first in range(0, len(rows), at_once):
        some = slice(first, first + at_once)
        for start in range(0, width, _BLOCK):
            block = rows[some, start : start + _BLOCK]
            errors[:, some] += _errors(block, candidates[:, some], largest[some], (low, high))
    best = candidates[np.argmin(errors, axis=0), np.arange(len(rows))]
    return np.where(reach > 0, best, 0.0)


def _errors(rows: Floats, candidates: Floats, largest: Floats, limits: tuple[int, int]) -> Floats:
    """Return the squared errors of every candidate and row, by the largest weights' squares."""
    # beside its largest weight a row is neither huge nor tiny: single precision does
    scaled = (rows / largest[:, None]).astype(np.float32)
    errors = np.empty(candidates.shape)
    for number, steps in enumerate((candidates / largest).astype(np.float32)):
        rounded = scaled / steps[:, None]
        np.clip(np.rint(rounded, out=rounded), *limits, out=rounded)
        rounded *= steps[:, None]
        rounded -= scaled
        errors[number] = np.einsum("rw,rw->r", rounded, rounded)
    return errors
