"""Good designs from others: one layer's engine exchanged at a time, whatever its stream widths.

An engine of other widths changes the width conversions around it, whose prices are known for
every pair of widths. So what an exchange changes is a sum of table entries, and all exchanges of
all layers are judged in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.fit.problem import Items, Problem

Values = NDArray[np.float64]

SLIGHT = 1e-9
"""Relative gain that is none."""
_INPUT, _OUTPUT = 0, 1


@dataclass(frozen=True, slots=True)
class _Around:
    """The edges around options: each takes the item `base + stride * width` at its far end.

    One entry per option and edge of its layer, the options in order.
    """

    rows: NDArray[np.intp]
    """The option, by its place among the candidates."""
    edges: NDArray[np.intp]
    """The edge's table."""
    bases: NDArray[np.intp]
    strides: NDArray[np.intp]
    ends: NDArray[np.intp]
    """The far end: twice its layer, and 1 more for the output's side."""


class Exchange:
    """The exchanges of some options of one problem."""

    def __init__(self, problem: Problem, columns: Values, candidates: NDArray[np.bool_]) -> None:
        """Prepare the exchanges.

        Args:
            problem: the tables.
            columns: `[items, columns]`, what is summed over a design's items.
            candidates: `[items]`, the options and pairs of widths to choose from.
        """
        self.problem, self.columns, self.candidates = problem, columns, candidates
        self.others = np.flatnonzero(candidates[: problem.options])
        self.table = problem.table[self.others]
        self.around = self._around()
        self.first = np.searchsorted(self.around.rows, np.arange(len(self.others) + 1))

    def improved(self, items: Items, value_of: Callable[[Values], Values]) -> Items:
        """Return a design that no single exchange makes better, the best exchange each time.

        Args:
            items: a design.
            value_of: returns what sums `[..., columns]` are worth; less is better.
        """
        items, around, first = items.copy(), self.around, self.first
        total = self.columns[items].sum(axis=0)
        value = float(value_of(total))
        while len(self.others):
            pairs = around.bases + around.strides * self._widths(items)[around.ends]
            possible = np.logical_and.reduceat(self.candidates[pairs], first[:-1])
            conversions = self.columns[pairs] - self.columns[items[around.edges]]
            own = self.columns[self.others] - self.columns[items[self.table]]
            totals = total + own + np.add.reduceat(conversions, first[:-1])
            values = np.where(possible, value_of(totals), np.inf)
            number = int(values.argmin())
            if not values[number] < value - SLIGHT * abs(value):
                break
            mine = slice(first[number], first[number + 1])
            items[self.table[number]] = self.others[number]
            items[around.edges[mine]] = pairs[mine]
            total, value = totals[number], float(values[number])
        return items

    def _widths(self, items: Items) -> NDArray[np.intp]:
        """Return the widths at both ends of every layer, by number: inputs at even places."""
        return self.problem.widths[:, items[: len(self.problem.units)]].T.ravel()

    def _around(self) -> _Around:
        sides = list(self._sides())
        rows, edges, bases, strides, ends = (np.concatenate(p) for p in zip(*sides, strict=True))
        order = np.argsort(rows, kind="stable")
        return _Around(rows[order], edges[order], bases[order], strides[order], ends[order])

    def _sides(self) -> Iterator[tuple[NDArray[np.intp], ...]]:
        """Yield, for either end of every edge, the fields of `_Around` for its layer's options."""
        problem = self.problem
        units = len(problem.units)
        first = np.searchsorted(self.table, np.arange(units + 1))
        for number, edge in enumerate(problem.edges, units):
            # an edge's items count the width at its sink fastest
            apart = {edge.sink: 1, edge.source: len(edge.sink_lanes)}
            for near, side, far, end in (
                (edge.source, _OUTPUT, edge.sink, _INPUT),
                (edge.sink, _INPUT, edge.source, _OUTPUT),
            ):
                rows = np.arange(first[near], first[near + 1])
                own = problem.widths[side, self.others[rows]]
                bases = problem.starts[number] + apart[near] * own
                counts = (np.full(len(rows), value) for value in (apart[far], 2 * far + end))
                yield rows, np.full(len(rows), number), bases, *counts
