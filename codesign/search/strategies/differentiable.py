"""Differentiable search: draw from distributions that a supernet's gradients have found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import ClassVar

import numpy as np

from codesign.errors import InputError
from codesign.search.distribution import Distribution, from_text
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.search.variation import Indices, new_near
from codesign.space import Space, Value

_REDRAWN = 20
"""Draws for one point, before a neighbour of the last one is taken."""
_LEAST = {
    "weight": 0.0,
    "steps": 1,
    "priced": 20,
    "epochs": 1,
    "paths": 1,
    "updates": 1,
    "temperature": 1e-3,
    "step_size": 1e-6,
}


class Differentiable(Strategy):
    """Draw from what was learned before the search; never try a point twice.

    Learning needs images and a board, of which a strategy knows nothing: the run does it before
    it asks (`codesign.flow.learned`), and hands over the distributions as text. They take turns,
    one for each weight of the hardware. Without any, every value is as likely as the others.
    """

    defaults: ClassVar[Mapping[str, Value]] = {
        "quantity": "latency_s",
        "weight": 0.4,
        "steps": 5,
        "priced": 256,
        "epochs": 60,
        "paths": 4,
        "updates": 200,
        "temperature": 1.0,
        "step_size": 0.05,
        "distribution": "",
    }

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        place = f"strategy {self.name()}"
        for name, least in _LEAST.items():
            if not float(self.options[name]) >= least:
                problem = f"option {name} must be at least {least:g}, got {self.options[name]}"
                raise InputError(place, problem)
        text = str(self.options["distribution"])
        try:
            learned = from_text(text, space) if text else [Distribution.uniform(space)]
        except ValueError as error:
            raise InputError(place, f"option distribution {error}") from error
        self._random = np.random.default_rng(seed)
        self._turns = cycle(learned)
        self._tried: set[Indices] = set()

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        return [self.space.decode(self._next()) for _ in range(count)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the answers, which change nothing."""

    def _next(self) -> Indices:
        own = next(self._turns)
        point = own.drawn(self._random)
        for _ in range(_REDRAWN):
            if point not in self._tried:
                break
            point = own.drawn(self._random)
        else:
            point = new_near(self.space, point, self._tried, self._random)
        self._tried.add(point)
        return point
