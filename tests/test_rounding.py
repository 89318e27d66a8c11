"""Weight scales: near the best of a fine search, for rows of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest

from codesign.network.rounding import best_steps
from codesign.network.scales import weight_range


def error(row, step, low, high):
    return ((np.clip(np.rint(row / step), low, high) * step - row) ** 2).sum()


@pytest.mark.parametrize("gain", [1e-200, 1.0, 1e200])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_steps_are_near_the_best_of_a_fine_search(bits, gain):
    rows = np.random.default_rng(bits).laplace(size=(12, 300)) * gain
    low, high = weight_range(bits)
    for row, step in zip(rows, best_steps(rows, low, high, None), strict=True):
        largest = max(row.max() / high, row.min() / low)
        unit = row / gain
        fine = [error(unit, s / gain, low, high) for s in largest * np.linspace(1.01, 0.18, 400)]
        assert error(unit, step / gain, low, high) <= 1.12 * min(fine)


@pytest.mark.parametrize("base", [1.0, 0.7])
def test_powers_of_two_are_the_best_ones(base):
    rows = np.random.default_rng(0).normal(size=(12, 300))
    low, high = weight_range(4)
    powers = base * 2.0 ** np.arange(-8, 4)
    for row, step in zip(rows, best_steps(rows, low, high, base), strict=True):
        assert math.log2(step / base) == round(math.log2(step / base))
        assert error(row, step, low, high) == min(error(row, s, low, high) for s in powers)


def test_long_rows_are_looked_at_in_blocks():
    row = np.random.default_rng(0).normal(size=(1, 200_000)) * 0.01
    row[0, 77_777] = 1.0
    (step,) = best_steps(row, -127, 127, None)
    fine = [error(row[0], s, -127, 127) for s in np.linspace(1.0, 0.2, 33) / 127]
    assert error(row[0], step, -127, 127) == pytest.approx(min(fine), rel=1e-3)


def test_rows_of_zeros_have_no_step():
    assert best_steps(np.zeros((2, 5)), -7, 7, None).tolist() == [0.0, 0.0]
