"""Steps of least squared error for rows of weights."""

from __future__ import annotations

import numpy as np

from codesign.network.floats import Floats

_ROW = 4096
_BLOCK = 1 << 16


def best_steps(rows: Floats, low: int, high: int, base: float | None) -> Floats:
    """Return the step of least squared rounding and clipping error of each row, `[rows]`.

    Args:
        rows: `[rows, weights]`; of very long rows a part is looked at, but for the extremes.
        low: the smallest integer.
        high: the largest integer.
        base: a step is a power of two times that; None permits any step.

    Returns:
        the steps; 0 for a row of zeros.
    """
    largest = np.maximum(rows.max(axis=1) / high, rows.min(axis=1) / low if low else 0.0)
    stride = max(1, rows.shape[1] // _ROW) | 1
    sample, found = rows[:, ::stride], np.zeros(len(rows))
    filled = np.flatnonzero(largest > 0)
    # some rows at a time, which stay in the cache
    for chosen in np.array_split(filled, max(1, filled.size * sample.shape[1] // _BLOCK)):
        found[chosen] = _best(sample[chosen], largest[chosen], (low, high), base)
    return found


def _best(rows: Floats, largest: Floats, limits: tuple[int, int], base: float | None) -> Floats:
    if base is None:
        candidates = largest * np.linspace(1.0, 0.2, 33)[:, None]
    else:
        exponents = np.ceil(np.log2(largest / base)) - np.arange(5)[:, None]
        candidates = np.ldexp(base, exponents.astype(np.int64))
    # relative to its largest weight a row is neither huge nor tiny: single precision does
    scaled = (rows / largest[:, None]).astype(np.float32)
    errors = np.empty(candidates.shape)
    for number, steps in enumerate((candidates / largest).astype(np.float32)):
        rounded = scaled / steps[:, None]
        np.clip(np.rint(rounded, out=rounded), *limits, out=rounded)
        rounded *= steps[:, None]
        rounded -= scaled
        errors[number] = np.einsum("rw,rw->r", rounded, rounded)
    best: Floats = candidates[np.argmin(errors, axis=0), np.arange(len(rows))]
    return best
