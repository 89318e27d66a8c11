"""Uniform search, the control that every other strategy must beat."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.space import Space, Value


class Random(Strategy):
    """Draw points uniformly, each once; when the space is exhausted, begin again.

    Source: Bergstra and Bengio, JMLR 2012 (why random is the baseline to beat).
    """

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        # Python's own generator, as a space may have more points than a 64-bit integer counts.
        self._random = random.Random(seed)  # noqa: S311
        self._drawn = 0
        self._moved: dict[int, int] = {}

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        return [self._point(self._draw()) for _ in range(count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn nothing."""

    def _draw(self) -> int:
        """Take one step of a Fisher-Yates shuffle of `range(size)`, kept only where it differs."""
        if self._drawn == self.space.size:
            self._drawn, self._moved = 0, {}
        pick = self._random.randrange(self._drawn, self.space.size)
        number = self._moved.get(pick, pick)
        self._moved[pick] = self._moved.get(self._drawn, self._drawn)
        self._drawn += 1
        return number

    def _point(self, number: int) -> dict[str, Value]:
        indices = []
        for choice in self.space.choices:
            number, index = divmod(number, len(choice.values))
            indices.append(index)
        return self.space.decode(indices)
