"""Regularised evolution: the oldest die, not the worst."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from codesign.errors import InputError
from codesign.search import pareto
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.search.variation import Indices, drawn, new_near
from codesign.space import Space, Value


class Evolution(Strategy):
    """Mutate the best of a random sample of the youngest; never try a point twice.

    The best is one that nothing in the sample dominates; among several of these, any. Infeasible
    trials follow all others, by their violation.

    Source: Real et al., AAAI 2019, algorithm 1; domination in place of accuracy as Deb et al.,
    IEEE TEC 2002, section VI-A.
    """

    defaults: ClassVar[Mapping[str, Value]] = {"population": 30, "sample": 30}

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        for name in self.defaults:
            if int(self.options[name]) < 1:
                problem = f"option {name} must be at least 1, got {self.options[name]}"
                raise InputError(f"strategy {self.name()}", problem)
        self._random = np.random.default_rng(seed)
        self._population: deque[Trial] = deque(maxlen=int(self.options["population"]))
        self._tried: set[Indices] = set()

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        return [self.space.decode(self._next()) for _ in range(count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Let the trials take the places of the oldest."""
        self._population.extend(trials)

    def _next(self) -> Indices:
        if len(self._tried) < int(self.options["population"]) or not self._population:
            point = drawn(self.space, self._random)
            point = new_near(self.space, point, self._tried, self._random)
        else:
            parent = self.space.encode(self._parent().point)
            point = new_near(self.space, parent, self._tried, self._random)
        self._tried.add(point)
        return point

    def _parent(self) -> Trial:
        """Return one of the best of a random sample."""
        count = min(int(self.options["sample"]), len(self._population))
        chosen = self._random.choice(len(self._population), count, replace=False)
        sample = [self._population[int(index)] for index in chosen]
        rank = pareto.trial_ranks(sample, self.objectives)
        best = np.flatnonzero(rank == rank.min())
        return sample[int(self._random.choice(best))]
