"""A Gaussian process over points whose choices are categories; it learns point by point.

What it is told is conditioned on at the cost of a matrix-vector product, as the candidates keep
their row of the Cholesky factor. A search that asks after every trial so takes seconds.

Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1 and
equations 4.17 (Matern kernel), 5.8 and 5.9 (likelihood and its gradient).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Rows = NDArray[np.int64]
"""Points as indices of values, `[points, choices]`."""

_JITTER = 1e-6
"""Of the variance, so that factors of repeated points exist."""
_FIRST_WEIGHT = 0.3
_PRIOR = 0.1
"""Inverse variance of the logarithm of a weight: choices that tell nothing stay near the first."""
_BOUNDS = {"weight": (-6.0, 4.0), "variance": (-3.0, 5.0), "noise": (-9.0, 1.0)}
"""Of the logarithms."""
_STEPS = 25


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """What two points have in common: a Matern kernel (5/2) of a weighted count of differences.

    Two values of a choice are the same or they are not; the squared distance of two points is the
    sum of the weights of those choices in which they differ.
    """

    weights: Reals  # of every choice
    variance: float
    noise: float  # variance of what a point's neighbours do not tell

    def __call__(self, left: Rows, right: Rows) -> Reals:
        """Return the covariance of what is not noise, `[left, right]`."""
        distance = np.zeros((len(left), len(right)))
        for choice, weight in enumerate(self.weights):
            distance += weight * (left[:, choice, None] != right[None, :, choice])
        common: Reals = self.variance * _matern(distance)[0]
        return common

    def factor(self, points: Rows) -> Reals:
        """Return the lower Cholesky factor of the covariance of what is seen at some points."""
        covariance = self(points, points)
        covariance[np.diag_indices(len(points))] += self.noise + _JITTER * self.variance
        factor: Reals = np.asarray(np.linalg.cholesky(covariance), np.float64)
        return factor


def tuned(points: Rows, scores: Reals, start: Kernel | None = None) -> Kernel:
    """Return the kernel that makes the scores of some points likeliest.

    Args:
        points: what was tried, `[points, choices]`.
        scores: of these, `[points]`, of about unit variance.
        start: where to begin, e.g. the kernel of fewer points.
    """
    from scipy.optimize import minimize

    choices = points.shape[1]
    different = points[:, None, :] != points[None, :, :]
    apart = np.moveaxis(different, -1, 0).reshape(choices, -1).astype(np.float64)
    centred = scores - scores.mean()
    first = np.log([*[_FIRST_WEIGHT] * choices, 1.0, 0.05])
    if start is not None:
        first = np.log([*start.weights, start.variance, start.noise])
    answer = minimize(
        _unlikeliness,
        first,
        (apart, centred),
        jac=True,
        method="L-BFGS-B",
        bounds=[_BOUNDS["weight"]] * choices + [_BOUNDS["variance"], _BOUNDS["noise"]],
        options={"maxiter": _STEPS},
    )
    values = np.exp(answer.x)
    return Kernel(values[:choices], float(values[-2]), float(values[-1]))


class Surrogate:
    """What some points told, and what it says of candidates; both may grow.

    Attributes:
        candidates: what can be asked about, `[candidates, choices]`.
    """

    def __init__(self, kernel: Kernel, points: Rows, candidates: Rows, room: int) -> None:
        """Learn some points.

        Args:
            kernel: see `tuned`.
            points: what was tried, `[points, choices]`.
            candidates: what will be asked about, `[candidates, choices]`.
            room: further points that will be learnt.
        """
        self._kernel = kernel
        self._count = len(points)
        self._points = np.concatenate([points, np.zeros((room, points.shape[1]), np.int64)])
        self._factor = np.zeros((len(self._points), len(self._points)))
        self._factor[: self._count, : self._count] = kernel.factor(points)
        self.candidates = candidates[:0]
        self._reduced = np.zeros((len(self._points), 0))
        self._explained = np.zeros(0)
        self.extend(candidates)

    def extend(self, candidates: Rows) -> None:
        """Take further candidates, `[candidates, choices]`."""
        from scipy.linalg import solve_triangular

        count = self._count
        covariance = self._kernel(self._points[:count], candidates)
        factor = self._factor[:count, :count]
        added = np.zeros((len(self._points), len(candidates)))
        added[:count] = solve_triangular(factor, covariance, lower=True, check_finite=False)
        self.candidates = np.concatenate([self.candidates, candidates])
        self._reduced = np.concatenate([self._reduced, added], axis=1)
        explained = np.einsum("ij,ij->j", added[:count], added[:count])
        self._explained = np.concatenate([self._explained, explained])

    def learn(self, place: int) -> None:
        """Learn that a candidate has been tried; what it told stands in the scores of `means`."""
        count, kernel = self._count, self._kernel
        own = self._reduced[:count, place].copy()
        rest = kernel.variance * (1 + _JITTER) + kernel.noise - own @ own
        depth = sqrt(max(float(rest), _JITTER * kernel.variance))
        point = self.candidates[place]
        row = (kernel(point[None], self.candidates)[0] - own @ self._reduced[:count]) / depth
        self._points[count] = point
        self._factor[count, :count], self._factor[count, count] = own, depth
        self._reduced[count] = row
        self._explained += row**2
        self._count += 1

    def means(self, scores: Reals) -> Reals:
        """Return what is expected of the candidates, given the scores of all points learnt."""
        from scipy.linalg import solve_triangular

        factor = self._factor[: self._count, : self._count]
        centre = scores.mean()
        told = solve_triangular(factor, scores - centre, lower=True, check_finite=False)
        means: Reals = centre + told @ self._reduced[: self._count]
        return means

    def deviations(self) -> Reals:
        """Return the standard deviations of what will be seen at the candidates, with noise."""
        rest = np.maximum(self._kernel.variance - self._explained, 0.0)
        deviations: Reals = np.sqrt(rest + self._kernel.noise)
        return deviations


def _matern(distance: Reals) -> tuple[Reals, Reals]:
    """Return the correlation at squared distances, and its derivative by these."""
    scaled = np.sqrt(5 * distance)
    decay = np.exp(-scaled)
    return (1 + scaled + scaled**2 / 3) * decay, -5 / 6 * (1 + scaled) * decay


def _unlikeliness(values: Reals, apart: Reals, scores: Reals) -> tuple[float, Reals]:
    """Return the negative logarithm of likelihood times prior, and its gradient.

    Args:
        values: logarithms of the weights, the variance and the noise.
        apart: whether two points differ, `[choices, points * points]`.
        scores: of the points, without their mean.
    """
    from scipy.linalg import cho_solve

    weights, variance, noise = np.exp(values[:-2]), np.exp(values[-2]), np.exp(values[-1])
    count = len(scores)
    correlation, slope = _matern(weights @ apart)
    common = variance * correlation.reshape(count, count)
    factor = np.linalg.cholesky(common + np.eye(count) * (noise + _JITTER * variance))
    inverse = cho_solve((factor, True), np.eye(count), check_finite=False)
    explained = inverse @ scores
    # derivative of the likelihood by the covariance
    pull = 0.5 * (inverse - np.outer(explained, explained))
    excess = values[:-2] - np.log(_FIRST_WEIGHT)
    loss = 0.5 * scores @ explained + np.log(np.diag(factor)).sum() + _PRIOR / 2 * excess @ excess
    by_weight = variance * weights * (apart @ (pull.ravel() * slope)) + _PRIOR * excess
    by_variance = (pull * common).sum() + _JITTER * variance * np.trace(pull)
    return float(loss), np.array([*by_weight, by_variance, noise * np.trace(pull)])
