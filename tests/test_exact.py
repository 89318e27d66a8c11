"""A sample of `benchmarks/exact.py`: random networks on random legal engines, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from random_designs import any_operators

pytestmark = pytest.mark.needs_gxx

SAMPLE = 25
FIRST = 100_000
"""Designs that the benchmark does not run."""


@pytest.mark.parametrize("number", range(SAMPLE))
def test_random_designs_are_bit_exact(number: int, tmp_path: Path) -> None:
    assert any_operators(FIRST + number).difference(tmp_path / "hls") == ""
