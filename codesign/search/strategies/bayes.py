"""Bayesian optimisation, by Gaussian processes or the forests of scikit-optimize."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.search import pareto
from codesign.search.strategy import Strategy
from codesign.search.surrogate import Kernel, Surrogate, tuned
from codesign.search.trial import Objective, Trial
from codesign.search.variation import Indices, drawn, neighbours, new_near
from codesign.space import Space, Value

Reals = NDArray[np.float64]

SURROGATES = ("gp", "forest")

_GROWTH = 1.2
_MOST_GROWN = 64
"""Growth of the number of trials, as a factor and at the most, after which candidates are drawn,
and kernels tuned, anew."""
_MOST_TUNED = 250
"""Trials that a process is tuned to; all of them decide afterwards."""
_TREES = 100
_SPLIT = 1 / 3
"""Share of the columns that a tree looks at for each split, so that the trees differ."""
_LEAST_DEVIATION = 1e-6
"""Of a forest, whose trees may all agree."""
_PARENTS = 128
"""Trials, the best by rank, whose neighbours are candidates; so are those of a later front."""
_LOWEST = -4.0
"""About the smallest normal score of some thousand trials."""
_LEAST_SCORE = 0.1
"""Above the lowest one, where weights are made from scores."""
_SPREAD = 0.2
"""Of the logarithm of weights, around the direction of a member of the front."""
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)
_FAR = 4.0
"""Deviations below the mean where an integral of improvements begins."""


class Bayes(Strategy):
    """Predict every objective, and try what promises most in a random direction.

    A surrogate of each objective, a Gaussian process (`gp`) or a forest of random trees, predicts
    mean and deviation. For every point asked for, weights of the objectives are drawn, and the
    candidate of the largest expected improvement of the weighted Chebyshev norm is taken: with
    independent objectives that is an integral over products of normal probabilities.
    Candidates are drawn at random and from the neighbours of the best trials. With a chance of
    twice `local` the weights are those of the direction in which a member of the front lies, so
    that none is forgotten; in half of these cases it is the best of the member's neighbours.

    A choice is a category: its distance is the same between any two of its values. Costs become
    normal scores, so that no outlier and no unit decides. Once a trial was infeasible, violations
    are predicted, too, and an improvement counts by the probability that there is none.

    Sources: Paria et al., UAI 2020 (random scalarisations); Knowles, IEEE TEC 2006 (Chebyshev
    norm of a model's objectives); Hutter et al., LION 2011 (forests); Schonlau et al., IMS Lecture
    Notes 34, 1998 (improvement times the probability of feasibility).
    """

    defaults: ClassVar[Mapping[str, Value]] = {
        "surrogate": "gp",
        "start": 24,
        "candidates": 2000,
        "local": 0.3,
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
        surrogate = str(self.options["surrogate"])
        if surrogate not in SURROGATES:
            raise InputError(
                place, f"has no surrogate '{surrogate}'", nearest(surrogate, SURROGATES)
            )
        for name, least in (("start", 2), ("candidates", 1)):
            if int(self.options[name]) < least:
                problem = f"option {name} must be at least {least}, got {self.options[name]}"
                raise InputError(place, problem)
        if not 0 <= float(self.options["local"]) <= 1:
            problem = f"option local lies in 0 .. 1, got {self.options['local']}"
            raise InputError(place, problem)
        self._random = np.random.default_rng(seed)
        self._trials: dict[Indices, Trial] = {}
        self._asked: set[Indices] = set()
        self._front: list[Indices] = []
        self._pool: dict[Indices, int] = {}  # candidates and their places in the surrogates
        self._parents: set[Indices] = set()  # whose neighbours the pool has
        self._kernels: list[Kernel | None] = [None] * (len(self.objectives) + 1)
        self._surrogates: list[Surrogate] = []
        self._columns = 0  # that are predicted: objectives, and violations if there are any
        self._learnt = 0
        self._due = 0
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
        self._trials.update({self._indices(trial): trial for trial in trials})

    def _promising(self, count: int) -> list[Indices]:
        """Return new points, the best of many candidates in random directions."""
        known = list(self._trials.values())
        self._front = [self._indices(t) for t in pareto.front(known, self.objectives)]
        scores = self._scores()
        if len(known) >= self._due or scores.shape[1] != self._columns:
            self._renew(scores)
        else:
            self._grow()
        pool = list(self._pool)
        free = np.array([point not in self._asked for point in pool], bool)
        if not free.any():
            return []
        means, deviations = self._predicted(scores)
        likely = self._likely(scores, means, deviations)
        feasible = np.array([trial.feasible for trial in known])
        objectives = slice(len(self.objectives))
        scores, means, deviations = (own[:, objectives] for own in (scores, means, deviations))
        chosen: list[Indices] = []
        while len(chosen) < count and free.any():
            weights, eligible = self._direction(scores, free)
            best_norm = _norms(scores[feasible], weights).min()
            gain = likely * _improvement(means, deviations, weights, best_norm)
            gain[~eligible] = -1.0
            best = int(gain.argmax())
            free[best] = False
            chosen.append(pool[best])
        return chosen

    def _direction(self, scores: Reals, free: NDArray[np.bool_]) -> tuple[Reals, NDArray[np.bool_]]:
        """Return weights of the objectives, and which of the free candidates to choose from."""
        draw, local = self._random.random(), float(self.options["local"])
        if draw >= 2 * local:
            return self._random.dirichlet(np.ones(scores.shape[1])), free
        member = self._front[int(self._random.integers(len(self._front)))]
        weights = self._toward(scores[list(self._trials).index(member)])
        if draw >= local:
            return weights, free
        beside = [point for point in neighbours(self.space, member) if point in self._pool]
        near = np.zeros_like(free)
        near[[self._pool[point] for point in beside]] = True
        near &= free
        return weights, near if near.any() else free

    def _toward(self, scores: Reals) -> Reals:
        """Return weights about those that make some scores equal, `[objectives]`."""
        spread = np.exp(_SPREAD * self._random.standard_normal(len(scores)))
        weights: Reals = spread / np.maximum(scores - _LOWEST, _LEAST_SCORE)
        weights /= weights.sum()
        return weights

    def _scores(self) -> Reals:
        """Return what is to be small, `[trials, objectives]`: normal scores of ranks.

        What an infeasible trial does not tell counts as the median. Once there is such a trial, a
        last column has the violations.
        """
        trials = list(self._trials.values())
        values = np.array(
            [[_cost(objective, trial) for objective in self.objectives] for trial in trials]
        )
        values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
        violations = np.array([[trial.violation] for trial in trials])
        if violations.any():
            values = np.concatenate([values, violations], axis=1)
        return _normal(values)

    def _likely(self, scores: Reals, means: Reals, deviations: Reals) -> Reals:
        """Return the probability that nothing is violated, `[candidates]`."""
        from scipy.special import ndtr

        if scores.shape[1] == len(self.objectives):
            return np.ones(len(means))
        none, *others = np.unique(scores[:, -1])
        limit = (none + others[0]) / 2
        likely: Reals = ndtr((limit - means[:, -1]) / deviations[:, -1])
        return likely

    def _renew(self, scores: Reals) -> None:
        """Draw new candidates, and make new surrogates for them."""
        known = list(self._trials)
        self._due = min(ceil(len(known) * _GROWTH), len(known) + _MOST_GROWN)
        self._columns = scores.shape[1]
        ranks = pareto.trial_ranks(list(self._trials.values()), self.objectives)
        self._parents = {known[place] for place in ranks.argsort(kind="stable")[:_PARENTS]}
        found = {
            point: None
            for parent in known
            if parent in self._parents
            for point in neighbours(self.space, parent)
        }
        for _ in range(int(self.options["candidates"])):
            found[drawn(self.space, self._random)] = None
        self._pool = {}
        self._place(point for point in found if point not in self._asked)
        self._learnt = len(known)
        if not self._pool:
            self._due = 0
        elif self.options["surrogate"] == "gp":
            self._tune(scores)

    def _tune(self, scores: Reals) -> None:
        """Tune the kernels, and learn all that is known."""
        known = list(self._trials)
        points, room = np.array(known), self._due - len(known)
        self._surrogates = []
        for column in range(scores.shape[1]):
            part = self._random.permutation(len(known))[:_MOST_TUNED]
            kernel = tuned(points[part], scores[part, column], self._kernels[column])
            self._kernels[column] = kernel
            self._surrogates.append(Surrogate(kernel, points, np.array(list(self._pool)), room))

    def _grow(self) -> None:
        """Take the neighbours of what is new on the front for candidates; learn what is new."""
        told = list(self._trials)[self._learnt :]
        new = dict.fromkeys([*self._beside_front(), *told])
        added = self._place(point for point in new if point in told or point not in self._asked)
        for surrogate in self._surrogates:
            if added:
                surrogate.extend(np.array(added))
            for point in told:
                surrogate.learn(self._pool[point])
        self._learnt += len(told)

    def _place(self, points: Iterable[Indices]) -> list[Indices]:
        """Give new candidates a place behind the others, and return them."""
        added = [point for point in points if point not in self._pool]
        self._pool.update({point: len(self._pool) + i for i, point in enumerate(added)})
        return added

    def _beside_front(self) -> Iterator[Indices]:
        """Yield the neighbours of the front that were not yielded since the pool was drawn."""
        for parent in self._front:
            if parent not in self._parents:
                self._parents.add(parent)
                yield from neighbours(self.space, parent)

    def _predicted(self, scores: Reals) -> tuple[Reals, Reals]:
        """Return means and deviations of all candidates, `[candidates, columns]`."""
        columns = scores.T
        if self.options["surrogate"] == "gp":
            pairs = zip(self._surrogates, columns, strict=True)
            parts = [(model.means(column), model.deviations()) for model, column in pairs]
        else:
            where, seen = self._encoded(list(self._pool)), self._encoded(list(self._trials))
            parts = [self._by_forest(seen, column, where) for column in columns]
        return np.stack([p[0] for p in parts], axis=1), np.stack([p[1] for p in parts], axis=1)

    def _indices(self, trial: Trial) -> Indices:
        return self.space.encode(trial.point)

    def _by_forest(self, seen: Reals, scores: Reals, where: Reals) -> tuple[Reals, Reals]:
        """Return mean and deviation of one objective at the candidates."""
        from skopt.learning import ExtraTreesRegressor

        seed = int(self._random.integers(2**31))
        trees = ExtraTreesRegressor(_TREES, max_features=_SPLIT, random_state=seed)
        trees.fit(seen, scores)
        mean, deviation = trees.predict(where, return_std=True)
        return mean, np.maximum(deviation, _LEAST_DEVIATION)

    def _encoded(self, points: Sequence[Indices]) -> Reals:
        """Return one column per value of each choice, `[points, values]`."""
        places = np.array(points, np.int64) + self._offsets
        encoded = np.zeros((len(points), self._width))
        np.put_along_axis(encoded, places, 1.0, axis=1)
        return encoded


def _cost(objective: Objective, trial: Trial) -> float:
    """Return what is to be small, or NaN if the trial does not tell it."""
    return objective.cost(trial.values) if objective.name in trial.values else np.nan


def _normal(values: Reals) -> Reals:
    """Return the normal scores of the ranks in each column, `[trials, columns]`."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    ranks = np.apply_along_axis(rankdata, 0, values)
    scores: Reals = ndtri((ranks - 0.5) / len(values))
    return scores


def _norms(scores: Reals, weights: Reals) -> Reals:
    """Return the weighted Chebyshev norms of scores `[points, objectives]`, `[points]`."""
    norms: Reals = ((scores - _LOWEST) * weights).max(axis=-1)
    return norms


def _improvement(means: Reals, deviations: Reals, weights: Reals, best: float) -> Reals:
    """Return how far below `best` the norm of each candidate is to be expected, `[candidates]`.

    It is the integral, up to `best`, of the probability that every weighted objective is below.
    """
    from scipy.special import ndtr

    low = min(_norms(means - _FAR * deviations, weights).min(), best)
    below = np.ones((len(means), len(_NODES)))
    ends = low + (best - low) / 2 * (1 + _NODES)
    for mean, deviation, weight in zip(means.T, deviations.T, weights, strict=True):
        limits = ends / max(weight, 1e-12) + _LOWEST
        below *= ndtr((limits - mean[:, None]) / deviation[:, None])
    gain: Reals = below @ _NODE_WEIGHTS * (best - low) / 2
    return gain
