"""Why nothing fits, and the cheapest way out: both tried, not guessed.

A conflict is a set of resources and layers that cannot be reconciled, and of which nothing can be
left out: with the budget of one of its resources lifted, or one of its layers taking nothing, a
design can no longer be excluded. It is found by leaving out one after the other, and keeping only
what then lets go of the proof.

Source: Chinneck and Dravnieks, "Locating minimal infeasible constraint sets in linear programs",
ORSA Journal on Computing 1991 (the deletion filter).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.fit.problem import Problem
from codesign.fit.solver import Solver, Verdict
from codesign.hardware.board import RESOURCES, Board, boards
from codesign.network.graph import Graph

FEWEST_BITS = 2
NAMED = 4
"""So many layers of a conflict are named, those that take most; the others are counted."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """What cannot be reconciled; nothing of it can be left out."""

    interval: int
    """Cycles between images at the most."""
    resources: tuple[str, ...]
    layers: tuple[str, ...]
    """Layers, those that take most first; none if what surrounds any accelerator is too much."""
    needed: Mapping[str, int]
    """Of a single resource, what these layers and the shell take at the least."""
    available: Mapping[str, int]
    """What a design may use of each of the resources."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why nothing fits, and what would help; each way out was tried."""

    conflict: Conflict
    wished: bool
    """Whether the interval is a wish's, and not the longest that there is."""
    fps: float | None
    """The highest rate that fits, where only the wished one does not."""
    weight_bits: int | None
    """Weights of at most so many bits let a design fit."""
    board: str | None
    """Title of the smallest other board that holds a design."""
    ceilings: Mapping[str, float]
    """Shares of the board with which a design was found; empty if the device is too small."""

    def reason(self) -> str:
        """Return the conflict in words."""
        own = self.conflict
        names = " and ".join(name.upper() for name in own.resources)
        rate = f"at {own.interval:,} cycles per image" if self.wished else "at any rate"
        who, several = _listed(own.layers)
        if len(own.resources) == 1:
            (name,) = own.resources
            verb = "need" if several else "needs"
            needed = f"{own.needed[name]:,} at the least, {own.available[name]:,} may be used"
            return f"{names} alone is too scarce {rate}: {who} {verb} {needed}"
        they = "save of one, they take" if several else "saves of one, it takes"
        return f"{names} are too scarce together {rate}: what {who} {they} of another"

    def ways_out(self) -> tuple[str, ...]:
        """Return what helps, in words; each was tried."""
        found = []
        if self.fps:
            found.append(f"Slower: up to {self.fps:,.0f} frames per second fit.")
        if self.weight_bits:
            found.append(f"Fewer bits: it fits with weights of {self.weight_bits} bits.")
        if self.ceilings:
            shares = " and ".join(f"{name} {share:.2f}" for name, share in self.ceilings.items())
            found.append(
                f"Higher ceilings: it fits with hardware.ceilings of {shares}. "
                "Whether timing still closes, only implementation can tell."
            )
        if self.board:
            found.append(f"Another board: it fits the {self.board}.")
        nothing = "No slower rate, fewer weight bits, other board or higher ceiling lets it fit."
        return tuple(found) or (nothing,)


def diagnose(
    graph: Graph,
    board: Board,
    clock_hz: float,
    longest_interval: int | None = None,
    budget: Mapping[str, int] | None = None,
) -> Diagnosis:
    """Say why no design of a graph fits, and what would help.

    Args:
        graph: the network.
        board: the board.
        clock_hz: the clock.
        longest_interval: cycles between images that the wish permits at the most.
        budget: resources to use instead of the board's, per name.

    Raises:
        ValueError: a design does fit.
    """
    case = _Case(graph, board, clock_hz, longest_interval, {**board.budget, **(budget or {})})
    if case.fits:
        raise ValueError(f"{graph.name} fits {board.name}; there is nothing to explain")
    return Diagnosis(
        conflict=case.conflict(),
        wished=case.wished,
        fps=case.highest_rate(),
        weight_bits=_fewer_bits(case),
        board=_other_board(case),
        ceilings=_ceilings(case),
    )


class _Case:
    """One graph on one board, at the longest interval that the wish permits."""

    def __init__(
        self,
        graph: Graph,
        board: Board,
        clock_hz: float,
        longest: int | None,
        budget: Mapping[str, int],
    ) -> None:
        self.graph, self.board, self.clock_hz = graph, board, clock_hz
        self.longest, self.budget = longest, budget
        self.problem = Problem(graph, board, clock_hz, budget)
        self.solver = Solver(self.problem)
        intervals = self.solver.intervals
        limit = intervals[-1] if longest is None else longest
        within = [cycles for cycles in intervals if cycles <= limit]
        self.interval = (within or intervals)[-1 if within else 0]
        self.wished = self.interval < intervals[-1]

    @property
    def fits(self) -> bool:
        """Whether there is a design."""
        return self.solver.verdict(self.interval) is Verdict.FITS

    def on(self, graph: Graph, board: Board, budget: Mapping[str, int]) -> _Case:
        """Return the same wish elsewhere."""
        return _Case(graph, board, self.clock_hz, self.longest, budget)

    def highest_rate(self) -> float | None:
        """Return the most frames per second that fit, if any do."""
        intervals = self.solver.intervals
        if not self.wished or self.solver.verdict(intervals[-1]) is not Verdict.FITS:
            return None
        longer = [cycles for cycles in intervals if cycles >= self.interval]
        return self.clock_hz / self.solver.shortest(longer)[0]

    def conflict(self) -> Conflict:
        """Return resources and layers of which nothing can be left out."""
        every = self._layer_names()
        kept = _filtered(self._by_scarcity(), lambda some: self.stuck(some, every))
        layers = _filtered(self._by_need(kept), lambda some: self.stuck(kept, some))
        available = dict(zip(RESOURCES, self.problem.available, strict=True))
        return Conflict(
            interval=self.interval,
            resources=tuple(kept),
            layers=tuple(reversed(layers)),
            needed={kept[0]: self._least(kept[0], layers)} if len(kept) == 1 else {},
            available={name: int(available[name]) for name in kept},
        )

    def _layer_names(self) -> list[str]:
        return [node.name for node in self.graph]

    def _by_scarcity(self) -> list[str]:
        """Return the resources, those first of which the least need takes the smallest share."""
        costs = self._costs(RESOURCES, self._layer_names())
        kept = (self.problem.cycles <= self.interval)[:, None]
        least = np.minimum.reduceat(np.where(kept, costs, np.inf), self.problem.starts[:-1])
        shares = least.sum(axis=0) / np.maximum(self.solver.budget, 1.0)
        return [RESOURCES[n] for n in np.argsort(shares, kind="stable")]

    def _by_need(self, resources: Sequence[str]) -> list[str]:
        """Return the layers, those that need least of the resources first."""
        costs, starts = self._costs(resources, self._layer_names()), self.problem.starts
        open_items = self.problem.cycles <= self.interval
        shares = (costs / np.maximum(self.solver.budget, 1.0)).sum(axis=1)
        least = np.minimum.reduceat(np.where(open_items, shares, np.inf), starts[:-1])
        names = self._layer_names()
        return [names[n] for n in np.argsort(least[: len(names)], kind="stable")]

    def _costs(self, resources: Sequence[str], layers: Sequence[str]) -> NDArray[np.float64]:
        """Return what items take of some resources, if only some layers take anything."""
        problem = self.problem
        costs = problem.costs + problem.fifo_costs(self.interval)
        costs[:, [name not in resources for name in RESOURCES]] = 0.0
        chosen = [name in layers for name in self._layer_names()]
        # ports surround any accelerator; an edge takes part of the layer behind it, if there is one
        chosen += [True] * len(problem.ports)
        layers_end = len(problem.layers)
        owners = [e.sink if e.sink < layers_end else e.source for e in problem.edges]
        taking = np.array([*chosen, *(chosen[owner] for owner in owners)])
        own: NDArray[np.float64] = costs * taking[problem.table][:, None]
        return own

    def stuck(self, resources: Sequence[str], layers: Sequence[str]) -> bool:
        """Return whether prices prove that no design exists for some resources and layers."""
        lifted = np.array([name not in resources for name in RESOURCES])
        available = np.where(lifted, self.problem.taken + 1.0, self.problem.available)
        solver = Solver(self.problem, available)
        return solver.excluded(self._costs(resources, layers), self.interval)

    def _least(self, resource: str, layers: Sequence[str]) -> int:
        """Return the least of one resource that some layers and the shell take."""
        own = self._costs([resource], layers)[:, RESOURCES.index(resource)]
        prices = np.where(self.problem.cycles <= self.interval, own, np.inf)
        least, _ = self.problem.cheapest(prices)
        return int(np.ceil(least + self.problem.taken[RESOURCES.index(resource)]))


def _filtered(names: Sequence[str], stuck: Callable[[Sequence[str]], bool]) -> list[str]:
    """Return some of the names of which none can be left out without losing the proof.

    The first ones go first: as many at once as can go, then one by one. Where prices alone cannot
    prove that anything is stuck, all names stay.
    """
    low, high = 0, len(names)
    while low < high:
        middle = (low + high + 1) // 2
        if stuck(names[middle:]):
            low = middle
        else:
            high = middle - 1
    kept = list(names[low:])
    for name in list(kept):
        rest = [other for other in kept if other != name]
        if stuck(rest):
            kept = rest
    return kept


def _fewer_bits(case: _Case) -> int | None:
    """Return the most bits, fewer than now, at which weights let a design fit."""
    widest = max((node.op.weight_bits for node in case.graph if node.op.has_bias), default=0)
    low, high = FEWEST_BITS - 1, widest - 1
    while low < high:
        middle = (low + high + 1) // 2
        if case.on(_narrowed(case.graph, middle), case.board, case.budget).fits:
            low = middle
        else:
            high = middle - 1
    return low if low >= FEWEST_BITS else None


def _narrowed(graph: Graph, bits: int) -> Graph:
    """Return the graph with weights of at most so many bits, and sums as wide as they may be."""
    nodes = []
    for node in graph:
        op: Any = node.op
        wide = op.has_bias and op.weight_bits > bits
        narrow = {"op": replace(op, bits=bits), "accumulator_bits": 0} if wide else {}
        nodes.append(replace(node, **narrow))
    return Graph(graph.name, graph.input, tuple(nodes), graph.outputs)


def _other_board(case: _Case) -> str | None:
    """Return the title of the smallest other board that holds a design at the same interval."""
    others = [board for board in boards() if board.name != case.board.name]
    for board in sorted(others, key=lambda other: other.resources.lut):
        if case.on(case.graph, board, board.budget).fits:
            return board.title
    return None


def _ceilings(case: _Case) -> dict[str, float]:
    """Return the shares of the board that the closest design takes beyond what it may."""
    if any(case.budget[name] < case.board.budget[name] for name in RESOURCES):
        return {}  # the wish forbids it, not the ceiling
    items = case.solver.closest(case.interval).items
    if items is None:
        return {}
    usage = case.solver.costs(case.interval)[items].sum(axis=0) + case.problem.taken
    shares = {
        name: float(np.ceil(100 * used / max(getattr(case.board.resources, name), 1)) / 100)
        for name, used in zip(RESOURCES, usage, strict=True)
        if used > case.budget[name]
    }
    return shares if all(share <= 1 for share in shares.values()) else {}


def _listed(names: Sequence[str]) -> tuple[str, bool]:
    """Return layers as a subject, and whether it is a plural."""
    if not names:
        return "what surrounds any accelerator", False
    if len(names) == 1:
        return f"layer {names[0]}", False
    shown = list(names[:NAMED])
    more = len(names) - len(shown)
    rest = f"{more} more" if more else shown.pop()
    return f"layers {', '.join(shown)} and {rest}", True
