"""Bayesian optimisation, by the surrogates of scikit-optimize."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.search import pareto
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.search.variation import Indices, drawn, neighbours, new_near
from codesign.space import Space, Value

Reals = NDArray[np.float64]

SURROGATES = ("gp", "forest")

_TUNED = 1.3
"""Growth of the number of trials after which the process is fitted anew."""
_MOST_TUNED = 200
"""Trials that it is fitted to; all of them decide afterwards."""
_SAMPLES = 64
_TREES = 100
_SPLIT = 1 / 3
"""Share of the columns that a tree looks at for each split, so that the trees differ."""
_AUGMENTED = 0.05
_FRONT_PARENTS = 64


class Bayes(Strategy):
    """Predict every objective, and try what promises most in a random direction.

    A surrogate of each objective, a Gaussian process (`gp`) or a forest of random trees, predicts
    mean and deviation. For every point asked for, weights of the objectives are drawn, and the
    candidate of the largest expected improvement of the augmented Chebyshev sum is taken.
    Candidates are drawn at random and from the neighbours of the front.

    A choice is a category: its distance is the same between any two of its values. Costs become
    normal scores, so that no outlier and no unit decides.

    Sources: Paria et al., UAI 2020 (random scalarisations); Knowles, IEEE TEC 2006 (augmented
    Chebyshev sum); Hutter et al., LION 2011 (forests).
    """

    defaults: ClassVar[Mapping[str, Value]] = {"surrogate": "gp", "start": 24, "candidates": 4000}

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        place = f"strategy {self.name()}"
        surrogate = str(self.options["surrogate"])
        if surrogate not in SURROGATES:
            raise InputError(
                place, f"has no surrogate '{surrogate}'", nearest(surrogate, SURROGATES)
            )
        for name, least in (("start", 2), ("candidates", 1)):
            if int(self.options[name]) < least:
                problem = f"option {name} must be at least {least}, got {self.options[name]}"
                raise InputError(place, problem)
        self._random = np.random.default_rng(seed)
        self._trials: dict[Indices, Trial] = {}
        self._asked: set[Indices] = set()
        self._kernels: list[Any] = [None] * len(self.objectives)
        self._tuned = 0.0
        sizes = [len(choice.values) for choice in space.choices]
        self._offsets = np.concatenate([[0], np.cumsum(sizes)])[:-1]
        self._width = sum(sizes)

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        started = len(self._asked) >= int(self.options["start"])
        feasible = sum(trial.feasible for trial in self._trials.values())
        chosen = self._promising(count) if started and feasible > 1 else []
        while len(chosen) < count:
            point = drawn(self.space, self._random)
            chosen.append(new_near(self.space, point, self._asked | {*chosen}, self._random))
        self._asked.update(chosen)
        return [self.space.decode(point) for point in chosen]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Remember the trials."""
        self._trials.update({self.space.encode(trial.point): trial for trial in trials})

    def _promising(self, count: int) -> list[Indices]:
        """Return new points, the best of many candidates in random directions."""
        known = list(self._trials)
        scores = self._scores()
        candidates = self._candidates()
        if not candidates:
            return []
        where, seen = self._encoded(candidates), self._encoded(known)
        tune = len(known) >= self._tuned
        self._tuned = len(known) * _TUNED if tune else self._tuned
        columns = range(scores.shape[1])
        parts = [self._predicted(seen, scores[:, j], where, j, tune) for j in columns]
        chosen: list[int] = []
        for _ in range(min(count, len(candidates))):
            weights = self._random.dirichlet(np.ones(scores.shape[1]))
            gain = self._improvement(parts, weights, _joined(scores, weights).min())
            gain[chosen] = -1.0
            chosen.append(int(gain.argmax()))
        return [candidates[index] for index in chosen]

    def _improvement(
        self, parts: Sequence[tuple[Reals, Reals]], weights: Reals, best: float
    ) -> Reals:
        """Return the expected improvement of a weighted sum by candidate, from samples."""
        mean = np.stack([part[0] for part in parts], axis=-1)
        spread = np.stack([part[1] for part in parts], axis=-1)
        noise = self._random.standard_normal((_SAMPLES, 1, mean.shape[-1]))
        values = _joined(mean + spread * noise, weights)
        gain: Reals = np.maximum(best - values, 0.0).mean(axis=0)
        return gain

    def _scores(self) -> Reals:
        """Return what is to be small, `[trials, objectives]`: normal scores of ranks.

        Infeasible trials are worse than all others in everything, by their violation.
        """
        from scipy.special import ndtri
        from scipy.stats import rankdata

        trials = list(self._trials.values())
        values = np.array(
            [[o.cost(t.values) if t.feasible else np.nan for o in self.objectives] for t in trials]
        )
        violation = np.array([trial.violation for trial in trials])
        worst = np.nanmax(values, axis=0) + np.nanstd(values, axis=0) + 1e-12
        filled = np.where(np.isnan(values), worst, values)
        filled += violation[:, None] * (np.nanstd(values, axis=0) + 1e-12)
        ranks = np.apply_along_axis(rankdata, 0, filled)
        scores: Reals = ndtri((ranks - 0.5) / len(trials))
        return scores

    def _candidates(self) -> list[Indices]:
        """Return new points: random ones, and those beside the front."""
        found: dict[Indices, None] = {}
        front = pareto.front(list(self._trials.values()), self.objectives)
        parents = [self.space.encode(trial.point) for trial in front]
        for index in self._random.permutation(len(parents))[:_FRONT_PARENTS]:
            found.update(dict.fromkeys(neighbours(self.space, parents[int(index)])))
        for _ in range(int(self.options["candidates"])):
            found[drawn(self.space, self._random)] = None
        return [point for point in found if point not in self._asked]

    def _encoded(self, points: Sequence[Indices]) -> Reals:
        """Return one column per value of each choice, `[points, values]`."""
        places = np.array(points, np.int64) + self._offsets
        encoded = np.zeros((len(points), self._width))
        np.put_along_axis(encoded, places, 1.0, axis=1)
        return encoded

    def _predicted(
        self, seen: Reals, scores: Reals, where: Reals, column: int, tune: bool
    ) -> tuple[Reals, Reals]:
        """Return mean and deviation of one objective at the candidates."""
        seed = int(self._random.integers(2**31))
        if self.options["surrogate"] == "forest":
            from skopt.learning import ExtraTreesRegressor

            trees = ExtraTreesRegressor(_TREES, max_features=_SPLIT, random_state=seed)
            trees.fit(seen, scores)
            mean, deviation = trees.predict(where, return_std=True)
            return mean, deviation
        if tune:
            part = self._random.permutation(len(seen))[:_MOST_TUNED]
            process = _process(None, seed)
            with warnings.catch_warnings():  # of lengths at their bounds, which is no harm
                warnings.simplefilter("ignore")
                process.fit(seen[part], scores[part])
            self._kernels[column] = process.kernel_
        process = _process(self._kernels[column], seed)
        process.fit(seen, scores)
        mean, deviation = process.predict(where, return_std=True)
        return mean, deviation


def _joined(scores: Reals, weights: Reals) -> Reals:
    """Return the augmented Chebyshev sum over the last axis."""
    weighted = (scores - _LOWEST) * weights
    joined: Reals = weighted.max(axis=-1) + _AUGMENTED * weighted.sum(axis=-1)
    return joined


_LOWEST = -4.0
"""About the smallest normal score of some thousand trials."""


def _process(kernel: Any, seed: int) -> Any:
    """Return a Gaussian process: a new one to be fitted, or one with a kernel that was."""
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    if kernel is not None:
        return GaussianProcessRegressor(kernel, optimizer=None, random_state=seed)
    fresh = ConstantKernel(1.0, (0.01, 1000.0)) * Matern(2.0, (0.3, 30.0), nu=2.5)
    return GaussianProcessRegressor(
        fresh + WhiteKernel(0.01, (1e-6, 1.0)), normalize_y=False, random_state=seed
    )
