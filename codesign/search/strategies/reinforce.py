"""Reinforcement learning: a policy that draws points, and learns from what they were worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.search.variation import Indices, drawn, new_near
from codesign.space import Space, Value

Reals = NDArray[np.float64]

_REDRAWN = 20
"""Draws of the policy for one point, before a neighbour of the last one is taken."""
_AUGMENTED = 0.05
_LOWEST = -4.0
"""About the smallest normal score of some thousand trials."""


class Reinforce(Strategy):
    """Draw every choice from a softmax; raise the logits of what was worth more than usual.

    For every point weights of the objectives are drawn. The policy is conditioned on them: each
    objective has logits of its own, and those of a choice are their weighted sum. So one policy
    learns the whole front, and each trial teaches it along its own weights. The reward is the
    negated augmented Chebyshev sum of the objectives, as normal scores among all trials so far;
    infeasible trials are worse than all others, by their violation. A moving average is the
    baseline, and a bonus on the entropy keeps the policy from settling too soon. A choice that
    does not count at a point learns nothing from it. What was tried before is drawn again.

    Sources: Williams, Machine Learning 1992 (REINFORCE); Zoph and Le, ICLR 2017, section 3.2
    (networks, moving baseline); Paria et al., UAI 2020 (random scalarisations); Yang et al.,
    NeurIPS 2019 (one policy for all weights); Knowles, IEEE TEC 2006 (augmented Chebyshev sum).
    """

    defaults: ClassVar[Mapping[str, Value]] = {
        "start": 24,
        "learning_rate": 0.3,
        "entropy": 0.03,
        "decay": 0.9,
    }

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        self._check("start", 1, np.inf)
        self._check("learning_rate", 1e-6, 100.0)
        self._check("entropy", 0.0, 100.0)
        self._check("decay", 0.0, 1.0)
        self._random = np.random.default_rng(seed)
        self._logits = [np.zeros((len(self.objectives), len(c.values))) for c in space.choices]
        self._baseline: float | None = None
        self._asked: list[tuple[Indices, Reals]] = []
        self._tried: set[Indices] = set()
        self._known: dict[Indices, Trial] = {}

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        self._asked = [self._next() for _ in range(count)]
        return [self.space.decode(point) for point, _ in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from each trial along the weights that it was drawn for."""
        answered = dict(zip((point for point, _ in self._asked), trials, strict=True))
        self._known |= answered
        places = {point: place for place, point in enumerate(self._known)}
        scores = self._scores()
        for point, weights in self._asked:
            reward = -_joined(scores[places[point]], weights)
            self._learn(point, weights, reward)

    def _next(self) -> tuple[Indices, Reals]:
        """Return a point to try, and the weights that it is drawn for."""
        weights = self._random.dirichlet(np.ones(len(self.objectives)))
        shares = [_softmax(weights @ logits) for logits in self._logits]
        point = self._drawn(shares)
        for _ in range(_REDRAWN):
            if point not in self._tried:
                break
            point = self._drawn(shares)
        else:
            point = new_near(self.space, point, self._tried, self._random)
        self._tried.add(point)
        return point, weights

    def _drawn(self, shares: Sequence[Reals]) -> Indices:
        """Draw every choice by the shares of its values."""
        if len(self._tried) < int(self.options["start"]):
            return drawn(self.space, self._random)
        levels = self._random.random(len(shares))
        places = [np.cumsum(p)[:-1].searchsorted(u) for p, u in zip(shares, levels, strict=True)]
        return self.space.settled([int(place) for place in places])

    def _learn(self, point: Indices, weights: Reals, reward: float) -> None:
        """Follow the gradient of the expected reward and of the entropy by one step."""
        before = reward if self._baseline is None else self._baseline
        decay, rate = float(self.options["decay"]), float(self.options["learning_rate"])
        self._baseline = decay * before + (1 - decay) * reward
        gain, bonus = reward - before, float(self.options["entropy"])
        for place in np.flatnonzero(self.space.counts(point)):
            logits = self._logits[place]
            shares = _softmax(weights @ logits)
            surprise = np.log(shares) - shares @ np.log(shares)
            step = -shares * (gain + bonus * surprise)
            step[point[place]] += gain
            logits += rate * np.outer(weights, step)

    def _scores(self) -> Reals:
        """Return what is to be small, `[trials, objectives]`: normal scores of ranks.

        Infeasible trials are worse than all others in everything, by their violation.
        """
        from scipy.special import ndtri
        from scipy.stats import rankdata

        trials = list(self._known.values())
        shape = (len(trials), len(self.objectives))
        ranks = np.empty(shape)
        feasible = np.array([trial.feasible for trial in trials])
        violation = np.array([trial.violation for trial in trials])
        ranks[~feasible] = (feasible.sum() + rankdata(violation[~feasible]))[:, None]
        for column, objective in enumerate(self.objectives):
            costs = [objective.cost(trial.values) for trial in trials if trial.feasible]
            ranks[feasible, column] = rankdata(costs)
        scores: Reals = ndtri((ranks - 0.5) / len(trials))
        return scores

    def _check(self, name: str, least: float, most: float) -> None:
        value = float(self.options[name])
        if not least <= value <= most:
            problem = f"option {name} lies in {least:g} .. {most:g}, got {value:g}"
            raise InputError(f"strategy {self.name()}", problem)


def _joined(scores: Reals, weights: Reals) -> float:
    """Return the augmented Chebyshev sum."""
    weighted = (scores - _LOWEST) * weights
    return float(weighted.max() + _AUGMENTED * weighted.sum())


def _softmax(logits: Reals) -> Reals:
    raised = np.exp(logits - logits.max())
    shares: Reals = raised / raised.sum()
    return shares
