"""One graph on one board as arrays: what can be chosen, and what it takes.

Layers choose options, the accelerator's ports their widths, edges pairs of stream widths. All are
*items*: the options of all layers one after the other, then those of the ports, then the pairs of
all edges. A design takes one item of each table, and the widths of neighbours agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codesign.cost import resources
from codesign.cost.energy import FABRIC_FACTOR
from codesign.design import Design
from codesign.fit.depths import held_elements, input_depth
from codesign.fit.elimination import Elimination
from codesign.fit.options import Options, layer_options
from codesign.fit.wiring import Edge, Port, edges, ports
from codesign.hardware.board import RESOURCES, Board
from codesign.hardware.fifo import SHIFT_REGISTER_BITS, SHIFT_REGISTER_DEPTH
from codesign.hardware.pace import Pace
from codesign.network.graph import Graph

Items = NDArray[np.intp]
"""A design: the item of every layer, then of every port, then of every edge."""


@dataclass(frozen=True, slots=True)
class Meetings:
    """For every end of every edge and every width: layers with it and pairs with it are as many.

    One entry per item that takes part; the signs of the items of a design sum to 0 in every row.
    """

    items: NDArray[np.intp]
    rows: NDArray[np.intp]
    signs: NDArray[np.int64]
    count: int


@dataclass(frozen=True, slots=True)
class Known:
    """Layers and edges that were priced before: networks of one space have most in common."""

    options: dict[object, Options] = field(default_factory=dict)
    edges: dict[object, Edge] = field(default_factory=dict)


class Problem:
    """Options, edges and budget of one graph on one board at one clock."""

    def __init__(
        self,
        graph: Graph,
        board: Board,
        clock_hz: float,
        budget: Mapping[str, int],
        known: Known | None = None,
    ) -> None:
        """Price everything.

        Args:
            graph: the network.
            board: the board.
            clock_hz: the clock, on which the depth of pipelines depends.
            budget: what a design may use, per resource, the shell included.
            known: what problems before this one have priced.
        """
        known = known or Known()
        self.graph, self.board, self.clock_hz = graph, board, clock_hz
        pace = Pace(board.family, clock_hz)
        self.layers = layer_options(graph, board, pace, known.options)
        self.ports = ports(graph, board, pace)
        self.edges = edges(graph, self.layers, self.ports, pace, known.edges)
        self.units: list[Options | Port] = [*self.layers, *self.ports]
        """What has stream widths; edges name them by number."""
        self.available = np.array([budget[name] for name in RESOURCES], np.float64)
        self.taken = np.array([resources.SHELL[name][1] for name in RESOURCES], np.float64)
        """What any design takes: the shell."""
        tables: list[Options | Port | Edge] = [*self.units, *self.edges]
        self.tables = len(tables)
        counts = [len(table.cycles) for table in tables]
        self.starts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        self.options = int(self.starts[len(self.units)])
        """Items of layers and ports; those of edges follow from them."""
        self.table = np.repeat(np.arange(len(tables)), counts)
        """Whose item it is: a layer's number, or that of a port or an edge behind them."""
        self.cycles = np.concatenate([table.cycles for table in tables])
        self.costs = np.concatenate([table.costs for table in tables])
        """`[items, resources]`, without the FIFOs at the engines' inputs."""
        self.energy_j = FABRIC_FACTOR.value * np.concatenate([t.energy_j for t in tables])
        """Per image, but for what the board draws whatever it does."""
        own = slice(self.starts[len(self.layers)], self.options)
        self.energy_j[own] += np.concatenate([port.off_chip_j for port in self.ports])
        self._fifos = _Fifos(graph, self.layers, self.starts)
        self._join()

    def _join(self) -> None:
        """Lay out the widths' tables: which entry an item belongs to."""
        domains = []
        scopes: list[tuple[int, ...]] = []
        places = []
        offset = 0
        width_of: dict[int, NDArray[np.intp]] = {}
        told: dict[int, tuple[NDArray[np.int64], NDArray[np.intp]]] = {}
        same: dict[int, int] = {}  # where one width is both of a layer's, one variable is enough
        for number, layer in enumerate(self.units):
            for side, lanes in enumerate((layer.input_lanes, layer.output_lanes)):
                if id(lanes) not in told:  # equal layers have the same arrays
                    told[id(lanes)] = np.unique(lanes, return_inverse=True)
                widths, width_of[2 * number + side] = told[id(lanes)]
                domains.append(len(widths))
            rows, columns = width_of[2 * number], width_of[2 * number + 1]
            if np.array_equal(layer.input_lanes, layer.output_lanes):
                same[2 * number + 1] = 2 * number
                places.append(offset + rows)
                offset += domains[-1]
                scopes.append((2 * number,))
                continue
            places.append(offset + rows * domains[-1] + columns)
            offset += domains[-2] * domains[-1]
            scopes.append((2 * number, 2 * number + 1))
        for edge in self.edges:
            source = 2 * edge.source + 1
            scopes.append((same.get(source, source), 2 * edge.sink))
            places.append(offset + np.arange(len(edge.cycles)))
            offset += len(edge.cycles)
        self.widths = np.stack(
            [
                np.concatenate([width_of[2 * n + side] for n in range(len(self.units))])
                for side in (0, 1)
            ]
        )
        """By option, which of its layer's input and output widths it has, `[2, options]`."""
        self.place = np.concatenate(places)
        """The entry of the elimination's tables that an item belongs to; those of one stand
        together."""
        self.entries = offset
        self.elimination = Elimination(domains, scopes)
        self.first = np.flatnonzero(np.diff(self.place, prepend=-1))
        """The first item of every entry that has any."""
        self.meetings = self._meetings(domains, width_of)

    def _meetings(
        self, domains: Sequence[int], width_of: Mapping[int, NDArray[np.intp]]
    ) -> Meetings:
        """Return where the widths of layers and edges have to agree."""
        items, rows, signs = [], [], []
        row = 0
        for number, edge in enumerate(self.edges, len(self.units)):
            grid = np.indices((len(edge.source_lanes), len(edge.sink_lanes))).reshape(2, -1)
            for end, variable in ((0, 2 * edge.source + 1), (1, 2 * edge.sink)):
                layer = variable // 2
                for table, widths, sign in (
                    (layer, width_of[variable], 1),
                    (number, grid[end], -1),
                ):
                    items.append(np.arange(self.starts[table], self.starts[table + 1]))
                    rows.append(row + widths)
                    signs.append(np.full(len(widths), sign))
                row += domains[variable]
        return Meetings(np.concatenate(items), np.concatenate(rows), np.concatenate(signs), row)

    def fifo_costs(self, interval: int, deepest: int | None = None) -> NDArray[np.float64]:
        """Return what the FIFOs at the engines' inputs take, `[items, resources]`.

        Args:
            interval: cycles between images that they are laid out for.
            deepest: a shorter interval; given that, the least of each resource that they take
                for any interval between the two.
        """
        found = np.zeros_like(self.costs)
        self._fifos.add(found, interval, deepest)
        return found

    def cheapest(self, prices: NDArray[np.float64]) -> tuple[float, Items | None]:
        """Return the least sum of prices of one item per table with agreeing widths.

        Args:
            prices: `[items]`; infinite for what may not be chosen.
        """
        table = np.full(self.entries, np.inf)
        table[self.place[self.first]] = np.minimum.reduceat(prices, self.first)
        total, entries = self.elimination.cheapest(table)
        if entries is None:
            return total, None
        starts = np.searchsorted(self.place, entries, side="left")
        stops = np.searchsorted(self.place, entries, side="right")
        spans = zip(starts.tolist(), stops.tolist(), strict=True)
        return total, np.array([start + int(prices[start:stop].argmin()) for start, stop in spans])

    def least(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for every item the least sum of any choice that contains it."""
        table = np.full(self.entries, np.inf)
        best = np.minimum.reduceat(prices, self.first)
        table[self.place[self.first]] = best
        least = self.elimination.least(table)
        counts = np.diff(np.append(self.first, len(prices)))
        with np.errstate(invalid="ignore"):
            more = prices - np.repeat(best, counts)
        return np.where(np.isfinite(prices), least[self.place] + more, np.inf)

    def design(self, items: Items, interval: int) -> Design:
        """Return a choice as a design, with the FIFO depths that an interval asks for."""
        engines, depths = {}, {}
        for own, start, item in zip(self.layers, self.starts, items, strict=False):
            name = own.node.name
            engines[name] = own.engine(int(item - start))
            for port, depth in enumerate(self._fifos.depths(int(item), interval)):
                label = f"{name}_in{port}" if len(own.inputs) > 1 else f"{name}_in"
                depths[label] = depth
        first = len(self.layers)
        places = items[first:] - self.starts[first:-1]
        lanes = {
            port.tensor: int(port.lanes[place])
            for port, place in zip(self.ports, places, strict=False)
        }
        return Design(self.graph, self.board, self.clock_hz, engines, depths, lanes)


class _Fifos:
    """The FIFO at every input port of every option."""

    def __init__(self, graph: Graph, layers: Sequence[Options], starts: NDArray[np.int_]) -> None:
        held = held_elements(graph)
        items, rows, elements, bits, lanes, silence, waiting = [], [], [], [], [], [], []
        known: dict[object, int] = {}
        different = 0
        for own, start in zip(layers, starts, strict=False):
            count = len(own.cycles)
            for tensor, kept in zip(own.inputs, held[own.node.name], strict=True):
                # equal layers have the same arrays, and mostly equal FIFOs
                key = (id(own.input_lanes), id(own.silence), tensor, kept)
                if key not in known:
                    known[key], different = different, different + count
                    elements.append(np.full(count, tensor.elements))
                    bits.append(np.full(count, tensor.bits))
                    waiting.append(np.full(count, kept))
                    lanes.append(own.input_lanes)
                    silence.append(own.silence)
                items.append(start + np.arange(count))
                rows.append(known[key] + np.arange(count))
        self.items, self.rows = np.concatenate(items), np.concatenate(rows)
        """Whose FIFO it is, and where it stands among the different ones."""
        self.elements, self.bits = np.concatenate(elements), np.concatenate(bits)
        self.lanes, self.silence = np.concatenate(lanes), np.concatenate(silence)
        self.waiting = np.concatenate(waiting)

    def depth(self, interval: int) -> NDArray[np.int64]:
        """Return the depth of every different FIFO [words] that an interval asks for."""
        return np.asarray(
            input_depth(self.elements, self.lanes, self.silence, interval, self.waiting)
        )

    def depths(self, item: int, interval: int) -> list[int]:
        """Return the depths of one option's FIFOs, by port."""
        return [int(depth) for depth in self.depth(interval)[self.rows[self.items == item]]]

    def add(self, costs: NDArray[np.float64], interval: int, deepest: int | None) -> None:
        """Add what every FIFO takes to its option's costs."""
        depth, width = self.depth(interval), self.lanes * self.bits
        own = _fifo_costs(depth, width)
        if deepest is not None:
            # only where a deeper FIFO moves to block RAM may it take less of anything: of LUTs
            moved = np.maximum(SHIFT_REGISTER_DEPTH, SHIFT_REGISTER_BITS // width) + 1
            reached = (moved > depth) & (moved <= self.depth(deepest))
            own = np.where(reached[:, None], np.minimum(own, _fifo_costs(moved, width)), own)
        for number, taken in enumerate(own.T):
            costs[:, number] += np.bincount(self.items, taken[self.rows], len(costs))


def _fifo_costs(depth: NDArray[np.int64], width: NDArray[np.int64]) -> NDArray[np.float64]:
    usage = resources.fifo_usage(depth, width)
    return np.stack([np.broadcast_to(usage[n], depth.shape) for n in RESOURCES], axis=1) * 1.0
