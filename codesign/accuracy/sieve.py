"""Which of several candidates to go on with, when cost counts beside what they promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Row = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Sieve:
    """Lets through what few earlier candidates beat.

    A row tells what one candidate costs, each entry in the direction in which smaller is better:
    its objectives, with a promise in place of the accuracy. One row beats another if it is nowhere
    worse and somewhere better. With a promise alone, that is a plain ranking; with costs beside
    it, a small network is not measured by large ones.
    """

    rows: tuple[Row, ...]
    """Of earlier candidates."""
    keep: float
    """Share of candidates like the earlier ones to let through."""

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep is a share above 0, at most 1, got {self.keep}")

    def excess(self, row: Row) -> float:
        """Return by what share of the earlier candidates `row` is beaten too often; 0 if it passes.

        Until there are enough candidates for one of them to fall behind, everything passes.
        """
        if len(self.rows) * self.keep < 1:
            return 0.0
        earlier = np.array(self.rows)
        allowed = np.quantile(beaten(earlier, earlier), self.keep, method="lower")
        own = beaten(earlier, np.array([row]))[0]
        return max(float(own - allowed), 0.0) / len(self.rows)


def beaten(by: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return by how many rows of `by` `[n, costs]` each of `rows` `[m, costs]` is beaten."""
    no_worse = (by[None] <= rows[:, None]).all(axis=2)
    better = (by[None] < rows[:, None]).any(axis=2)
    counts: NDArray[np.int64] = (no_worse & better).sum(axis=1)
    return counts


def row_of(costs: Sequence[float], promise: float) -> Row:
    """Return a row from costs and a promise of which more is better."""
    return (*costs, -promise)
