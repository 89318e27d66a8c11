"""A space of networks without the values that a board makes no use of.

A value of a choice (a kernel in the third layer, a width, a number of blocks) is dropped where

- no network with it was found that the board can hold within the wish, or
- another value of the choice is never worse: wherever one takes the place of the other, the network
  has no less capacity and costs no more, at any interval that the wish allows.

Both are judged at contexts, points that differ in everything else: all of them in a small space, a
sample in a large one. Capacity stands in for accuracy (`codesign.network.capacity`), the floor of
`codesign.fit.floor` for the cost of the best design.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InfeasibleError
from codesign.fit.floor import Floor
from codesign.hardware.board import RESOURCES
from codesign.network.capacity import Capacity, capacity
from codesign.network.graph import Graph
from codesign.space import Choice, Point, Space, Value

Refuse = Callable[[Graph], float]
"""How far a graph is beyond wishes that no hardware has a part in: the sum, relative."""

Reason = Literal["unfit", "same", "dominated"]

EVERY = 400
"""Points up to which every one is a context."""

_INTERVALS = 12
_DRAWN = 50
_TRIES = 4
"""Points that are drawn for each context: the board must be able to hold it."""
_NEVER = 1 << 60
"""An interval [cycles] that every design keeps."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A network as it is seen from afar."""

    capacity: Capacity
    costs: NDArray[np.float64]
    """`[intervals, 1 + resources asked for]`, shares; infinite where the board holds no design."""
    excess: float
    """How many times the budget is taken at least at the longest interval."""
    refused: float
    """Sum of the relative violations of wishes that no hardware has a part in."""

    @property
    def possible(self) -> bool:
        """Whether a design may exist that keeps the wish."""
        return self.refused == 0 and bool(np.isfinite(self.costs[:, 0]).any())

    def no_worse(self, other: Sight) -> bool:
        """Whether it has all the capacity of the other, and costs no more."""
        more = all(a >= b for a, b in zip(self.capacity, other.capacity, strict=True))
        return more and self.refused == 0 and bool((self.costs <= other.costs * (1 + 1e-9)).all())


@dataclass(frozen=True, slots=True)
class Dropped:
    """A value that is not needed, and why."""

    choice: str
    value: Value
    reason: Reason
    by: Value | None
    """The value that is never worse."""
    own: Sight
    """The network with it where the difference shows best, or the one that comes closest."""
    other: Sight | None
    """The same network with the other value."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Networks drawn from a space: how many may fit, and what those can do.

    Source: Lin et al. (see `codesign.network.capacity`), figure 3: spaces are judged by the
    distribution of operations over their networks that keep the limits.
    """

    drawn: int
    possible: int
    macs: tuple[int, int]
    """Median and 90 % quantile of those that may fit; 0 without any."""


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A space, what is left of it, and what was dropped."""

    space: Space
    kept: Mapping[str, tuple[Value, ...]]
    """By choice, where something was dropped."""
    dropped: tuple[Dropped, ...]
    intervals: tuple[int, ...]
    """At which costs were compared [cycles]."""
    contexts: int
    before: Spread
    after: Spread

    @property
    def left(self) -> Space:
        """The space that is left."""
        return self.space.only(self.kept)


@dataclass(slots=True)
class Narrower:
    """Looks at networks of a space on a board, and says which values are not needed."""

    space: Space
    decode: Callable[[Point], Graph]
    floor: Floor
    longest: int | None = None
    """Interval that the wish allows [cycles]."""
    asked: tuple[str, ...] = ()
    """Resources that count for themselves, beside the sum of all shares."""
    refuse: Refuse | None = None
    samples: int = 12
    seed: int = 0
    _seen: dict[tuple[int, ...], Sight] = field(init=False, repr=False, default_factory=dict)
    _intervals: tuple[int, ...] = field(init=False, default=())

    def narrow(self) -> Narrowing:
        """Return the space without what is not needed.

        Raises:
            InfeasibleError: no network was found that the board can hold within the wish.
        """
        self._intervals = (self.longest or _NEVER,)
        cheapest = self._cheapest(self.space.decode([0] * len(self.space.choices)), frozenset())
        closest = self.look(cheapest)
        if not closest.possible:
            raise InfeasibleError(
                f"no network of this space was found that fits: the closest {lack(closest)}; "
                "ask for less, or for a larger board"
            )
        contexts = self._contexts(cheapest)
        self._intervals = self._ladder(contexts)
        self._seen.clear()
        kept: dict[str, tuple[Value, ...]] = {}
        dropped: list[Dropped] = []
        for choice in self.space.choices:
            mine = list(self._dropped(choice, contexts, cheapest))
            gone = {one.value for one in mine}
            if gone:
                kept[choice.name] = tuple(v for v in choice.values if v not in gone)
            dropped += mine
        left = self.space.only(kept)
        return Narrowing(
            space=self.space,
            kept=kept,
            dropped=tuple(dropped),
            intervals=self._intervals,
            contexts=len(contexts),
            before=self._spread(self.space),
            after=self._spread(left),
        )

    def _spread(self, space: Space) -> Spread:
        random = np.random.default_rng(self.seed)
        sights = [self.look(space.sample(random)) for _ in range(_DRAWN)]
        macs = [sight.capacity.macs for sight in sights if sight.possible]
        middle, high = np.quantile(macs, (0.5, 0.9)).round() if macs else (0, 0)
        return Spread(_DRAWN, len(macs), (int(middle), int(high)))

    def look(self, point: Point) -> Sight:
        """Return what the network of a point has and costs."""
        key = self.space.settled(self.space.encode(point))
        if key not in self._seen:
            self._seen[key] = self._look(self.decode(point))
        return self._seen[key]

    def _look(self, graph: Graph) -> Sight:
        floors = self.floor.of(graph, self._intervals)
        excess = self.floor.excess(floors)
        columns = [0, *(1 + RESOURCES.index(name) for name in self.asked)]
        costs = np.where(excess[:, None] > 1, np.inf, floors[:, columns])
        return Sight(
            capacity(graph), costs, float(excess[-1]), self.refuse(graph) if self.refuse else 0.0
        )

    def _contexts(self, cheapest: Point) -> list[dict[str, Value]]:
        """Return points at which values are compared: from the cheapest one to anywhere."""
        if self.space.size <= EVERY:
            return [self.space.at(number) for number in range(self.space.size)]
        random = np.random.default_rng(self.seed)
        contexts = [dict(cheapest)]
        for number in range(_TRIES * self.samples):
            share, other = (1 + number % self.samples) / self.samples, self.space.sample(random)
            mixed = {k: other[k] if random.random() < share else v for k, v in cheapest.items()}
            if len(contexts) <= self.samples and self.look(mixed).possible:
                contexts.append(mixed)
        return contexts

    def _ladder(self, contexts: Sequence[Point]) -> tuple[int, ...]:
        """Return rising intervals, from the shortest of any to the longest that is allowed."""
        graphs = [self.decode(point) for point in contexts]
        least = min(self.floor.shortest(graph) for graph in graphs)
        most = self.longest or max(self.floor.longest(graph) for graph in graphs)
        steps = np.geomspace(least, max(most, least), _INTERVALS).round().astype(int)
        last = self.longest or _NEVER
        return (*sorted({int(step) for step in steps if step < last}), last)

    def _dropped(
        self, choice: Choice, contexts: Sequence[Point], cheapest: Point
    ) -> Iterator[Dropped]:
        """Yield the values of one choice that are not needed, and why."""
        rows = {
            value: [self.look(self._set(point, choice, value)) for point in contexts]
            for value in choice.values
        }
        left: list[Value] = []
        for value, sights in rows.items():
            if any(sight.possible for sight in sights):
                left.append(value)
                continue
            nearest = self.look(self._nearest(choice, value, cheapest))
            if nearest.possible:
                left.append(value)
            else:
                yield Dropped(choice.name, value, "unfit", None, nearest, None)
        for value in tuple(left):
            found = self._dominated(value, {other: rows[other] for other in left})
            if found is not None:
                left.remove(value)
                by, own, other = found
                reason: Reason = "same" if own is other else "dominated"
                yield Dropped(choice.name, value, reason, by, own, other)

    def _dominated(
        self, value: Value, rows: Mapping[Value, Sequence[Sight]]
    ) -> tuple[Value, Sight, Sight] | None:
        """Return the value that is never worse than `value`, and where that shows best.

        In a large space at least half of the contexts have to say so: where the board can hold
        the value at fewer, they may be too much alike.
        """
        places, every = list(rows), self.space.size <= EVERY
        enough = 1 if every else (self.samples + 1) // 2
        for other, sights in rows.items():
            pairs = [(a, b) for a, b in zip(rows[value], sights, strict=True) if a.possible]
            if other == value or len(pairs) < enough:
                continue
            if not all(b.no_worse(a) for a, b in pairs):
                continue
            equal = all(a.no_worse(b) for a, b in pairs)
            if equal and places.index(other) > places.index(value):
                continue  # of equals the first one stays
            own, better = max(pairs, key=lambda pair: _difference(*pair))
            return other, own, own if _difference(own, better) == 0 and equal else better
        return None

    def _nearest(self, choice: Choice, value: Value, cheapest: Point) -> dict[str, Value]:
        """Return the cheapest point that was found with one value of a choice."""
        start = self._set(cheapest, choice, value)
        if self.look(start).possible:
            return start
        parents = self._parents(choice)
        return self._cheapest(start, frozenset([choice.name, *(c.name for c in parents)]))

    def _cheapest(self, start: Point, fixed: frozenset[str]) -> dict[str, Value]:
        """Descend from a point, one choice at a time, to where none makes it cheaper."""
        best = dict(start)
        for _ in range(2):
            before = dict(best)
            for choice in self.space.choices:
                if choice.name not in fixed:
                    options = [{**best, choice.name: value} for value in choice.values]
                    best = min(options, key=self._dearness)
            if best == before:
                break
        return best

    def _dearness(self, point: Point) -> tuple[float, float, int]:
        sight = self.look(point)
        return sight.refused, sight.excess, sight.capacity.macs

    def _parents(self, choice: Choice) -> list[Choice]:
        """Return the choices that one hangs on, the nearest first."""
        known = {c.name: c for c in self.space.choices}
        found: list[Choice] = []
        while choice.when is not None:
            choice = known[choice.when.name]
            found.append(choice)
        return found

    def _set(self, point: Point, choice: Choice, value: Value) -> dict[str, Value]:
        """Return a point with a choice set to a value, and so that the choice counts."""
        changed = {**point, choice.name: value}
        for parent in self._parents(choice):
            condition = choice.when
            if condition is not None and changed[parent.name] not in condition.values:
                changed[parent.name] = condition.values[0]
            choice = parent
        return changed


def lack(sight: Sight) -> str:
    """Say why a network is not possible."""
    if sight.refused:
        return f"breaks the wish by {sight.refused:.0%}"
    if np.isinf(sight.excess):
        return "has a layer that no engine makes as fast as wished"
    return f"takes at least {sight.excess:.2f} times what the board allows"


def _difference(own: Sight, other: Sight) -> float:
    """Return how clearly one network is worse than another: what it costs more, or has less."""
    finite = np.isfinite(own.costs[:, 0])
    cost = float((own.costs[finite, 0] / other.costs[finite, 0]).max()) - 1
    less = [1 - a / b for a, b in zip(own.capacity, other.capacity, strict=True) if b]
    return max(cost, *less)
