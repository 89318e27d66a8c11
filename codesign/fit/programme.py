"""The integer programme: one option per layer, shared budgets.

Width conversions between neighbours are part of it: for each edge a flow from the producer's
widths to the consumer's, which is integral as soon as the options are, so that the programme
stays exact and only the options need integer variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

Costs = NDArray[np.float64]

COMFORT = 0.5
CROWDING = 10.0
"""Beyond this share of its budget a resource is crowded, and what is beyond counts so many times:
a design that fills one resource to the brim while others lie idle is hard to route."""
_EXCESS_COST = 1e4


@dataclass(frozen=True, slots=True)
class Layer:
    """The options of one layer: costs `[options, resources]`, widths in and out."""

    costs: Costs
    input_lanes: NDArray[np.int64]
    output_lanes: NDArray[np.int64]

    def at(self, numbers: NDArray[np.intp]) -> Layer:
        """Return the layer with some of its options."""
        return Layer(self.costs[numbers], self.input_lanes[numbers], self.output_lanes[numbers])


@dataclass(frozen=True, slots=True)
class Edge:
    """A stream from layer `source` to layer `sink` (indices; -1 is the world outside).

    `pairs` lists the (producer lanes, consumer lanes) that can be joined, `costs` what each
    takes `[pairs, resources]`.
    """

    source: int
    sink: int
    pairs: tuple[tuple[int, int], ...]
    costs: Costs


@dataclass(frozen=True, slots=True)
class Choice:
    """A solution: an option per layer, what it takes, and how far it exceeds the budget."""

    options: tuple[int, ...]
    usage: NDArray[np.float64]
    excess: NDArray[np.float64]
    objective: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What the resources are worth and how far they go; every array is `[resources]`."""

    budget: NDArray[np.float64]
    """More is not there."""
    comfort: NDArray[np.float64]
    """Beyond it a resource is crowded."""
    weights: NDArray[np.float64]
    """Cost of one unit; `CROWDING` times as much of what is crowded."""

    def objective(self, usage: NDArray[np.float64]) -> float:
        """Return what a usage costs."""
        crowded = np.maximum(usage - self.comfort, 0.0)
        return float(self.weights @ usage + (CROWDING - 1) * (self.weights @ crowded))


def solve(
    layers: Sequence[Layer],
    edges: Sequence[Edge],
    limits: Limits,
    relaxed: bool = False,
) -> Choice | None:
    """Choose the options of least objective within the budget, proven optimal.

    Args:
        layers: what to choose from.
        edges: how they are joined.
        limits: what layers and edges may use, and what it costs.
        relaxed: permit exceeding the budget, and minimise the relative excess first.

    Returns:
        None if nothing fits (never, if relaxed and every edge has a pair).
    """
    if any(len(layer.costs) == 0 for layer in layers):
        return None
    model = _Model(layers, edges)
    values = _optimum(model, limits, relaxed)
    if values is None:
        return None
    usage = model.costs.T @ np.round(values, 6)
    over = usage - limits.budget
    excess = np.where(over < 1e-6, 0.0, over) / np.maximum(limits.budget, 1.0)
    return Choice(model.chosen(values), usage, excess, limits.objective(usage))


def _optimum(model: _Model, limits: Limits, relaxed: bool) -> NDArray[np.float64] | None:
    """Return the model's columns at the optimum, or None where there is none.

    Behind the model's columns stand two for each resource: what is crowded, and what exceeds the
    budget, both in budgets. One budget of excess outweighs any choice of options.
    """
    resources = len(limits.budget)
    unit = np.maximum(limits.budget, 1.0)
    own = np.eye(resources)
    rows = sparse.hstack([sparse.csr_matrix(model.costs.T / unit[:, None]), -own, -own])
    slack = sparse.csr_matrix((model.equalities.shape[0], 2 * resources))
    room = (limits.budget - limits.comfort) / unit
    excess = np.full(resources, np.inf if relaxed else 0.0)
    columns = np.arange(model.count + 2 * resources)
    result = milp(
        c=np.concatenate(
            [
                model.costs @ limits.weights,
                (CROWDING - 1) * limits.weights * unit,
                np.full(resources, _EXCESS_COST),
            ]
        ),
        constraints=[
            LinearConstraint(rows, -np.inf, limits.comfort / unit),
            LinearConstraint(sparse.hstack([model.equalities, slack]), model.right, model.right),
        ],
        integrality=(columns < model.options).astype(int),
        bounds=Bounds(0.0, np.concatenate([np.ones(model.count), room, excess])),
        # with its presolve HiGHS may print to standard output, where only answers belong
        options={"mip_rel_gap": 0.0, "presolve": False},
    )
    if result.x is None:
        return None
    values: NDArray[np.float64] = result.x[: model.count]
    return values


class _Model:
    """Columns and rows: options first, then the pairs of every edge."""

    def __init__(self, layers: Sequence[Layer], edges: Sequence[Edge]) -> None:
        self.sizes = [len(layer.costs) for layer in layers]
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        self.options = int(self.offsets[-1])
        blocks = [layer.costs for layer in layers] + [edge.costs for edge in edges]
        self.costs = np.concatenate(blocks)
        self.count = len(self.costs)
        self._rows: list[tuple[list[int], list[float]]] = []
        self._right: list[float] = []
        for number, size in enumerate(self.sizes):
            start = int(self.offsets[number])
            self._row(range(start, start + size), [1.0] * size, 1.0)
        position = self.options
        for edge in edges:
            self._join(layers, edge, position)
            position += len(edge.pairs)
        self.right = np.array(self._right)
        self.equalities = self._matrix()

    def chosen(self, values: NDArray[np.float64]) -> tuple[int, ...]:
        """Return the option of every layer."""
        starts = self.offsets[:-1]
        return tuple(
            int(np.argmax(values[start : start + size]))
            for start, size in zip(starts, self.sizes, strict=True)
        )

    def _join(self, layers: Sequence[Layer], edge: Edge, position: int) -> None:
        """The flow over the pairs of an edge leaves the producer's width and enters the other's."""
        if edge.source < 0 and edge.sink < 0:
            return
        for end, layer, side in ((0, edge.source, "output_lanes"), (1, edge.sink, "input_lanes")):
            widths = sorted({pair[end] for pair in edge.pairs})
            for width in widths:
                pairs = [position + i for i, p in enumerate(edge.pairs) if p[end] == width]
                if layer < 0:
                    self._row(pairs, [1.0] * len(pairs), 1.0)
                    continue
                lanes = getattr(layers[layer], side)
                own = (np.flatnonzero(lanes == width) + self.offsets[layer]).tolist()
                self._row([*own, *pairs], [1.0] * len(own) + [-1.0] * len(pairs), 0.0)
        return

    def _row(self, columns: Sequence[int] | range, values: list[float], right: float) -> None:
        self._rows.append((list(columns), values))
        self._right.append(right)

    def _matrix(self) -> sparse.csr_matrix:
        data = np.concatenate([values for _, values in self._rows])
        columns = np.concatenate([columns for columns, _ in self._rows]).astype(int)
        rows = np.repeat(np.arange(len(self._rows)), [len(v) for _, v in self._rows])
        return sparse.csr_matrix((data, (rows, columns)), (len(self._rows), self.count))
