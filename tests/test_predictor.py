"""The contract of accuracy predictors, for every member of the folder."""

import numpy as np
import pytest

from codesign import load
from codesign.accuracy.predictor import Predictor, ceilings, features
from codesign.errors import InputError
from codesign.space import Choice, Condition, Space

NAMES = load.names("accuracy.predictors")
SPACE = Space(tuple(Choice(f"c{i}", (1, 2, 4)) for i in range(6)))


def member(name, **options):
    return load.build(load.member("accuracy.predictors", Predictor, name), options, "predictor")


def task(count=60, noise=0.002):
    """Return features of random points, and accuracies that hang on them."""
    random = np.random.default_rng(0)
    points = [SPACE.sample(random) for _ in range(count)]
    wide = np.array([[np.log2(value) for value in point.values()] for point in points])
    accuracies = 0.9 + 0.02 * wide[:, 0] + 0.01 * wide[:, 1] - 0.005 * wide[:, 2]
    return features(SPACE, points), accuracies + noise * random.standard_normal(count)


def test_the_issue_predictors_are_there():
    assert {"forest", "gaussian", "mlp"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_prediction_depends_on_its_arguments_alone(name):
    known, accuracies = task()
    first, again = (member(name).predicted(known, accuracies, known[:5], 3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (5,)


@pytest.mark.parametrize("name", NAMES)
def test_what_was_not_seen_is_predicted_better_than_by_the_mean(name):
    known, accuracies = task()
    found = member(name).predicted(known[:45], accuracies[:45], known[45:], 0)
    error = np.abs(found - accuracies[45:]).mean()
    assert error < 0.6 * np.abs(accuracies[:45].mean() - accuracies[45:]).mean()


@pytest.mark.parametrize("name", NAMES)
def test_few_accuracies_are_above_their_ceiling(name):
    known, accuracies = task()
    limits = ceilings(member(name), known[:40], accuracies[:40], known[40:], 0)
    assert (accuracies[40:] <= limits).mean() >= 0.7
    assert limits.std() > 0.003


class FirstFeature(Predictor):
    """Predicts what stands in the first column."""

    def predicted(self, known, scores, wanted, seed):
        return wanted[:, 0]


def test_margins_are_shares_of_the_error():
    random = np.random.default_rng(0)
    known = random.uniform(1, 5, (50, 1))
    noise = random.uniform(-0.3, 0.3, 50)
    accuracies = 1 - np.exp(-known[:, 0] - noise)
    wanted = np.array([[1.0], [4.0]])
    limits = ceilings(FirstFeature(), known, accuracies, wanted, 0)
    saved = 1 - (1 - limits) / np.exp(-wanted[:, 0])
    assert np.all((saved > 0.1) & (saved < 1 - np.exp(-0.4)))


@pytest.mark.parametrize("name", NAMES)
def test_equal_accuracies_are_predicted_as_such(name):
    known, _ = task(count=12)
    found = member(name).predicted(known, np.full(12, 0.5), known[:3], 0)
    np.testing.assert_allclose(found, 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options"), [("forest", {"trees": 0}), ("mlp", {"width": 0}), ("mlp", {"decay": -1})]
)
def test_wrong_options_are_refused(name, options):
    with pytest.raises(InputError, match="at least"):
        member(name, **options)


def test_features_tell_values_apart_and_leave_idle_choices_out():
    hangs = Condition("layers", (2,))
    space = Space((Choice("layers", (1, 2)), Choice("width", (4, 8, 16), when=hangs)))
    points = [{"layers": layers, "width": width} for layers in (1, 2) for width in (4, 16)]
    found = features(space, points)
    assert found.tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0, 0],
        [0, 1, 1, 0, 0, 1, 1],
    ]
