"""The surrogate learns point by point what it would know of all points at once."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from codesign.search import surrogate
from codesign.search.surrogate import Kernel, Surrogate, tuned

VALUES = 4
RANDOM = np.random.default_rng(5)
POINTS = RANDOM.integers(0, VALUES, (60, 3))
SCORES = POINTS[:, 0] * 0.9 - np.abs(POINTS[:, 1] - 2.0) + 0.05 * RANDOM.standard_normal(60)
KERNEL = Kernel(np.array([0.5, 0.8, 0.1]), 2.0, 0.05)
SEEN, LATER, ASKED = POINTS[:20], POINTS[20:30], POINTS[30:]


def expected(points, scores):
    """Return means and deviations at `ASKED`, by equations 2.25 and 2.26 of the source."""
    inverse = np.linalg.inv(KERNEL(points, points) + KERNEL.noise * np.eye(len(points)))
    common = KERNEL(ASKED, points)
    variance = KERNEL.variance - np.einsum("ij,jk,ik->i", common, inverse, common)
    means = scores.mean() + common @ inverse @ (scores - scores.mean())
    return means, np.sqrt(variance + KERNEL.noise)


def test_it_learns_one_by_one_what_the_textbook_says_of_all():
    model = Surrogate(KERNEL, SEEN, LATER, room=len(LATER))
    model.extend(ASKED[:7])
    for place in range(len(LATER)):
        model.learn(place)
    model.extend(ASKED[7:])
    means, deviations = expected(POINTS[:30], SCORES[:30])
    asked = slice(len(LATER), None)
    assert model.means(SCORES[:30])[asked] == pytest.approx(means, abs=1e-3)
    assert model.deviations()[asked] == pytest.approx(deviations, abs=1e-3)


def test_a_point_may_be_learnt_twice():
    model = Surrogate(KERNEL, SEEN, SEEN[:1], room=2)
    before = model.deviations()[0]
    model.learn(0)
    model.learn(0)
    assert KERNEL.noise**0.5 < model.deviations()[0] < before


def test_the_gradient_is_that_of_the_likelihood():
    choices = POINTS.shape[1]
    apart = (POINTS[:, None] != POINTS[None]).transpose(2, 0, 1).reshape(choices, -1) * 1.0
    values = np.log([0.4, 1.3, 0.2, 0.9, 0.07])
    centred = SCORES - SCORES.mean()
    told = surrogate._unlikeliness(values, apart, centred)[1]
    measured = approx_fprime(values, lambda v: surrogate._unlikeliness(v, apart, centred)[0], 1e-6)
    assert told == pytest.approx(measured, rel=1e-3, abs=1e-3)


def test_tuning_tells_choices_that_matter_from_those_that_do_not():
    kernel = tuned(POINTS, SCORES)
    assert kernel.weights[:2].min() > 3 * kernel.weights[2]
    assert kernel.noise < 0.1
    model = Surrogate(kernel, POINTS[:40], POINTS[40:], room=0)
    error = model.means(SCORES[:40]) - SCORES[40:]
    assert np.abs(error).mean() < 0.3 * SCORES.std()
