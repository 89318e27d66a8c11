"""What a network takes at the least, layer by layer: no proof of fit, but one of none.

Every layer gets the cheapest of its engines that keeps an interval, whatever its neighbours do.
What is cheap is said by weights: of one resource alone, or of several. No design costs less by any
weights, and one that fits costs 1 at the most, if resources count in shares of their budgets and
the weights sum up to 1. So a floor above 1 proves that nothing fits (Lagrangian duality with prices
from a fixed list), in a fraction of the time that `fit` takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from codesign.cost import resources
from codesign.fit.options import Options, layer_options
from codesign.hardware.board import RESOURCES, Board
from codesign.hardware.pace import Pace
from codesign.network.graph import Graph

Floors = NDArray[np.float64]
"""`[intervals, weights]`: shares of the budget, by the mean of all resources, each alone, mixes."""

_SPARSE = ("lut", "dsp", "bram18")
"""Resources that can stand for each other: multipliers of LUT or DSP, memory of LUT or BRAM."""


def _weights() -> NDArray[np.float64]:
    """Return `[weights, resources]`; rows sum up to 1."""
    alone = np.eye(len(RESOURCES))
    one = [alone[RESOURCES.index(name)] for name in _SPARSE]
    pairs = [
        share * a + (1 - share) * b for a, b in combinations(one, 2) for share in (0.25, 0.5, 0.75)
    ]
    return np.array([alone.mean(axis=0), *alone, *pairs, np.mean(one, axis=0)])


_WEIGHTS = _weights()


@dataclass(slots=True)
class Floor:
    """Prices graphs on one board at one clock; a layer that is priced once is known."""

    board: Board
    clock_hz: float
    budget: Mapping[str, int]
    _known: dict[object, Options] = field(init=False, repr=False, default_factory=dict)
    _floors: dict[tuple[int, tuple[int, ...]], Floors] = field(
        init=False, repr=False, default_factory=dict
    )

    def shortest(self, graph: Graph) -> int:
        """Return the interval [cycles] that no design of a graph can beat."""
        return max(int(layer.cycles.min()) for layer in self._layers(graph))

    def longest(self, graph: Graph) -> int:
        """Return an interval [cycles] that every sensible design keeps."""
        return max(int(layer.cycles.max()) for layer in self._layers(graph))

    def of(self, graph: Graph, intervals: Sequence[int]) -> Floors:
        """Return what a graph takes at the least to keep each interval [cycles].

        It is infinite where some layer cannot keep it.
        """
        shell = np.array([resources.SHELL[name][1] for name in RESOURCES])
        layers = [self._of_layer(layer, tuple(intervals)) for layer in self._layers(graph)]
        return np.asarray(_WEIGHTS @ self._shares(shell) + np.sum(layers, axis=0))

    def excess(self, floors: Floors) -> NDArray[np.float64]:
        """Return `[intervals]`: how many times the budget is taken at least; above 1 none fits."""
        return np.asarray(floors.max(axis=1))

    def _shares(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(amounts / [max(self.budget[name], 1) for name in RESOURCES])

    def _layers(self, graph: Graph) -> list[Options]:
        pace = Pace(self.board.family, self.clock_hz)
        return layer_options(graph, self.board, pace, self._known)

    def _of_layer(self, layer: Options, intervals: tuple[int, ...]) -> Floors:
        # equal layers share their arrays, which `_known` keeps
        key = id(layer.costs), intervals
        if key not in self._floors:
            columns = self._shares(layer.costs) @ _WEIGHTS.T
            rows = np.full((len(intervals), columns.shape[1]), np.inf)
            for row, interval in zip(rows, intervals, strict=True):
                kept = columns[layer.cycles <= interval]
                if len(kept):
                    row[:] = kept.min(axis=0)
            self._floors[key] = rows
        return self._floors[key]
