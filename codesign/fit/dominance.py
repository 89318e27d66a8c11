"""Options that no optimum needs: those that another one beats in everything that counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 1 << 21
"""Comparisons at a time: as much as a processor's cache holds."""


def pareto(keys: NDArray[np.int64], columns: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the rows that no other row of the same key beats, ordered by key.

    Args:
        keys: `[rows, parts]`; only rows of equal keys are compared.
        columns: `[rows, columns]`; less is better in each. Of equal rows the first one stays.
    """
    order = np.lexsort((np.arange(len(keys)), *keys.T[::-1]))
    keys, columns = keys[order], columns[order]
    fresh = np.any(keys[1:] != keys[:-1], axis=1)
    starts = np.concatenate([[0], np.flatnonzero(fresh) + 1])
    sizes = np.diff(np.concatenate([starts, [len(keys)]]))
    kept = np.zeros(len(keys), bool)
    for size in np.unique(sizes):
        rows = starts[sizes == size][:, None] + np.arange(size)
        step = max(1, _CHUNK // int(size * size * columns.shape[1]))
        for first in range(0, len(rows), step):
            some = rows[first : first + step]
            kept[some] = _unbeaten(columns[some])
    return order[kept]


def _unbeaten(own: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return `[groups, members]`: whether no other member of `own` beats one."""
    # no_worse[g, a, b]: b is no worse than a anywhere
    slack = 1e-9 * np.abs(own)
    no_worse = np.all(own[:, None, :, :] <= (own + slack)[:, :, None, :], axis=3)
    mutual = no_worse & no_worse.transpose(0, 2, 1)
    earlier = np.tri(own.shape[1], k=-1, dtype=bool)
    beaten: NDArray[np.bool_] = np.any((no_worse & ~mutual) | (mutual & earlier), axis=2)
    return ~beaten
