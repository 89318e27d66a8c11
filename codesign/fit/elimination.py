"""The cheapest choice when nothing is scarce: exact, by eliminating one variable at a time.

Without budgets, what a layer costs depends on its own option, and what joins two layers on the
stream widths at both ends. So the widths are the variables of a sum of small tables, which is
minimised exactly by min-plus variable elimination; networks are nearly chains, so no table grows.

Source: Dechter, "Bucket elimination", Artificial Intelligence 1999.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.fit.programme import Edge, Layer

Variable = tuple[int, str]
"""A layer's index, and "in" or "out": the width of its input or output stream."""


Picked = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Table:
    """Costs by the values of some variables, one axis each."""

    variables: tuple[Variable, ...]
    costs: NDArray[np.float64]


class Elimination:
    """The layers and edges of one problem, ready to be minimised for any weights."""

    def __init__(self, layers: Sequence[Layer], edges: Sequence[Edge]) -> None:
        self.layers, self.edges = layers, edges
        self.domains: dict[Variable, NDArray[np.int64]] = {}
        for number, layer in enumerate(layers):
            self.domains[number, "in"] = np.unique(layer.input_lanes)
            self.domains[number, "out"] = np.unique(layer.output_lanes)
        self.cells = [
            (
                np.searchsorted(self.domains[number, "in"], layer.input_lanes),
                np.searchsorted(self.domains[number, "out"], layer.output_lanes),
            )
            for number, layer in enumerate(layers)
        ]

    def cheapest(self, weights: NDArray[np.float64]) -> Picked | None:
        """Return the options and the edges' pairs of least weighted cost.

        Args:
            weights: `[resources]`, none negative.

        Returns:
            the number of an option for every layer, and of a pair for every edge; None if the
            widths of two neighbours cannot be joined.
        """
        scalar = [layer.costs @ weights for layer in self.layers]
        tables = [self._layer_table(number, cost) for number, cost in enumerate(scalar)]
        tables += [self._edge_table(edge, weights) for edge in self.edges]
        values = _minimise(tables, self.domains)
        if values is None:
            return None
        options = []
        for number, cost in enumerate(scalar):
            rows, columns = self.cells[number]
            here = (rows == values[number, "in"]) & (columns == values[number, "out"])
            options.append(int(np.argmin(np.where(here, cost, np.inf))))
        return tuple(options), tuple(self._pair(edge, values) for edge in self.edges)

    def usage(self, options: Sequence[int], pairs: Sequence[int]) -> NDArray[np.float64]:
        """Return what a choice takes, `[resources]`."""
        taken = [layer.costs[option] for layer, option in zip(self.layers, options, strict=True)]
        taken += [edge.costs[pair] for edge, pair in zip(self.edges, pairs, strict=True)]
        total: NDArray[np.float64] = np.sum(taken, axis=0)
        return total

    def _layer_table(self, number: int, cost: NDArray[np.float64]) -> _Table:
        """Return the least cost of a layer for every pair of widths."""
        variables: tuple[Variable, Variable] = ((number, "in"), (number, "out"))
        table = np.full([len(self.domains[v]) for v in variables], np.inf)
        np.minimum.at(table, self.cells[number], cost)
        return _Table(variables, table)

    def _edge_table(self, edge: Edge, weights: NDArray[np.float64]) -> _Table:
        """Return the cost of an edge for every pair of widths; what cannot be joined costs inf."""
        variables = _ends(edge)
        table = np.full([len(self.domains[v]) for v in variables], np.inf)
        for pair, cost in zip(edge.pairs, (edge.costs @ weights).tolist(), strict=True):
            cell = self._cell(edge, pair)
            if cell is not None:
                table[cell] = cost
        return _Table(variables, table)

    def _cell(self, edge: Edge, pair: tuple[int, int]) -> tuple[int, ...] | None:
        """Return the place of a pair in its edge's table, or None if no option has its widths."""
        cell = []
        for variable, lanes in zip(("out", "in"), pair, strict=True):
            layer = edge.source if variable == "out" else edge.sink
            if layer < 0:
                continue
            domain = self.domains[layer, variable]
            place = int(np.searchsorted(domain, lanes))
            if place == len(domain) or domain[place] != lanes:
                return None
            cell.append(place)
        return tuple(cell)

    def _pair(self, edge: Edge, values: dict[Variable, int]) -> int:
        """Return the number of the pair that the chosen widths stand for."""
        wanted = tuple(values[variable] for variable in _ends(edge))
        return next(n for n, pair in enumerate(edge.pairs) if self._cell(edge, pair) == wanted)


def _ends(edge: Edge) -> tuple[Variable, ...]:
    """Return the variables at the ends of an edge that lie inside the network."""
    ends: list[Variable] = []
    if edge.source >= 0:
        ends.append((edge.source, "out"))
    if edge.sink >= 0:
        ends.append((edge.sink, "in"))
    return tuple(ends)


def _minimise(
    tables: list[_Table], domains: dict[Variable, NDArray[np.int64]]
) -> dict[Variable, int] | None:
    """Return the value (its index in the domain) of every variable at the least sum.

    None if every sum is infinite.
    """
    remaining = set(domains)
    decisions: list[tuple[Variable, tuple[Variable, ...], NDArray[np.intp]]] = []
    while remaining:
        variable = min(remaining, key=lambda v: (_joint_size(v, tables, domains), v))
        own = [table for table in tables if variable in table.variables]
        tables = [table for table in tables if variable not in table.variables]
        others = tuple(sorted({v for table in own for v in table.variables} - {variable}))
        axes = (*others, variable)
        joint = np.zeros([len(domains[v]) for v in axes])
        for table in own:
            joint = joint + _aligned(table, axes)
        decisions.append((variable, others, joint.argmin(axis=-1)))
        tables.append(_Table(others, joint.min(axis=-1)))
        remaining.remove(variable)
    if not all(np.isfinite(table.costs) for table in tables):
        return None
    values: dict[Variable, int] = {}
    for variable, others, choice in reversed(decisions):
        values[variable] = int(choice[tuple(values[v] for v in others)])
    return values


def _joint_size(
    variable: Variable, tables: list[_Table], domains: dict[Variable, NDArray[np.int64]]
) -> int:
    """Return the entries of the table that eliminating a variable makes."""
    joined = {v for table in tables if variable in table.variables for v in table.variables}
    size = 1
    for other in joined:
        size *= len(domains[other])
    return size


def _aligned(table: _Table, axes: tuple[Variable, ...]) -> NDArray[np.float64]:
    """Return a table with its axes in the order of `axes`, ready to broadcast."""
    order = sorted(range(len(table.variables)), key=lambda i: axes.index(table.variables[i]))
    extents = {table.variables[i]: table.costs.shape[i] for i in order}
    return table.costs.transpose(order).reshape([extents.get(v, 1) for v in axes])
