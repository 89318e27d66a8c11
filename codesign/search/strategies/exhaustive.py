"""Every point, in order: the proof for small spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from codesign.errors import InputError
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.space import Space, Value

MOST_POINTS = 1 << 31


class Exhaustive(Strategy):
    """Walk through the whole space; the last choice varies fastest."""

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        if space.size > MOST_POINTS:
            problem = f"the space has {space.size:,} points, too many to try all"
            raise InputError(f"strategy {self.name()}", problem, "take another strategy")
        self._next = 0

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return the next `count` points; after the last comes the first."""
        numbers = [(self._next + index) % self.space.size for index in range(count)]
        self._next += count
        return [self.space.at(number) for number in numbers]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""
