"""What values of choices multiply a figure by, and distributions to draw from."""

import csv
import io
from collections import Counter

import numpy as np
import pytest

from codesign.search.distribution import Distribution, from_text, to_text
from codesign.search.effects import Effects
from codesign.search.variation import drawn
from codesign.space import Choice, Condition, Space

SPACE = Space(
    (
        Choice("layers", (1, 2, 3)),
        Choice("kernel1", (3, 5), Condition("layers", (2, 3))),
        Choice("kernel2", (3, 5), Condition("layers", (3,))),
        Choice("wide2", (False, True), Condition("kernel2", (5,))),
        Choice("width", (8, 16, 32)),
    )
)
FACTORS = ((1, 2, 4), (1, 3), (1, 5), (1, 2), (1, 2, 8))


def figure(point):
    counts = SPACE.counts(point)
    parts = [own[i] for own, i, count in zip(FACTORS, point, counts, strict=True) if count]
    return 1e-6 * float(np.prod(parts))


def sampled(count, seed=0):
    random = np.random.default_rng(seed)
    return [drawn(SPACE, random) for _ in range(count)]


def fitted(count=2000):
    points = sampled(count)
    return Effects.fitted(SPACE, "latency_s", points, [figure(point) for point in points])


def some_distribution(seed=0):
    random = np.random.default_rng(seed)
    return Distribution(SPACE, tuple(random.dirichlet(np.ones(n)) for n in SPACE.shape))


def test_products_are_found_again():
    effects = fitted()
    assert effects.explained > 0.999
    for point in sampled(50, seed=1):
        assert effects.figure(point) == pytest.approx(figure(point), rel=0.05)


def test_what_is_no_product_is_not_explained():
    points = sampled(400)
    noise = np.random.default_rng(0).lognormal(size=400)
    assert Effects.fitted(SPACE, "latency_s", points, noise).explained < 0.1


def test_the_expectation_is_that_of_the_draws():
    effects, distribution = fitted(), some_distribution()
    random = np.random.default_rng(0)
    logs = np.log([effects.figure(distribution.drawn(random)) for _ in range(20_000)])
    error = logs.std() / len(logs) ** 0.5
    assert effects.expected(distribution.shares) == pytest.approx(logs.mean(), abs=4 * error)


def test_the_table_says_base_and_factors():
    effects = fitted()
    rows = list(csv.reader(io.StringIO(effects.csv())))
    assert rows[0] == ["choice", "value", "latency_s"]
    assert rows[1][:2] == ["base", ""]
    found = {(choice, value): float(factor) for choice, value, factor in rows[2:]}
    assert len(found) == sum(SPACE.shape)
    assert found["width", "32"] / found["width", "8"] == pytest.approx(8, rel=0.05)
    point = SPACE.encode({"layers": 1, "kernel1": 3, "kernel2": 3, "wide2": False, "width": 16})
    product = float(rows[1][2]) * found["layers", "1"] * found["width", "16"]
    assert effects.figure(point) == pytest.approx(product)


def test_what_has_no_logarithm_is_refused():
    with pytest.raises(ValueError, match="bram18: needs 10 points with positive figures"):
        Effects.fitted(SPACE, "bram18", sampled(20), [0.0] * 20)
    with pytest.raises(ValueError, match="needs 10 points"):
        Effects.fitted(SPACE, "latency_s", sampled(6), [1.0] * 6)


def test_draws_have_the_shares_and_are_settled():
    distribution, random = some_distribution(), np.random.default_rng(1)
    points = [distribution.drawn(random) for _ in range(20_000)]
    for place in (0, 4):
        counted = Counter(point[place] for point in points)
        shares = [counted[i] / len(points) for i in range(SPACE.shape[place])]
        assert shares == pytest.approx(distribution.shares[place], abs=0.02)
    assert all(SPACE.settled(point) == point for point in points)


def test_distributions_survive_as_text():
    several = [some_distribution(seed) for seed in range(3)]
    again = from_text(to_text(several), SPACE)
    for one, other in zip(several, again, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.shares, other.shares, strict=True))


def test_wrong_distributions_are_refused():
    other = Space((Choice("width", (1, 2)),))
    with pytest.raises(ValueError, match="other choices"):
        from_text(to_text([Distribution.uniform(other)]), SPACE)
    with pytest.raises(ValueError, match="no list"):
        from_text("{}", SPACE)
    with pytest.raises(ValueError, match="sum up to 1"):
        Distribution(other, (np.array([0.5, 0.6]),))
    with pytest.raises(ValueError, match="for every value"):
        Distribution(other, (np.array([1.0]),))
