"""Which interval is the shortest, where verdicts and proofs for spans are given."""

from collections.abc import Sequence

import numpy as np
import pytest

from codesign.fit.optimum import ANY, Effort
from codesign.fit.solver import Solver, Verdict

FITS, NONE, UNKNOWN = Verdict.FITS, Verdict.NONE, Verdict.UNKNOWN


class Told(Solver):
    """A solver whose verdicts are given; a span is ruled out where it is short and has none."""

    def __init__(self, told: Sequence[Verdict], reach: int) -> None:
        self.told, self.reach, self.effort = told, reach, ANY

    def verdict(self, interval: int, effort: Effort | None = None) -> Verdict:
        return self.told[interval]

    def _none_of(self, among: Sequence[int]) -> bool:
        return len(among) <= self.reach and all(self.told[n] is NONE for n in among)


@pytest.mark.parametrize("seed", range(20))
def test_the_shortest_interval_is_found_though_longer_ones_do_not_fit(seed: int) -> None:
    random = np.random.default_rng(seed)
    for reach in (1, 3, 8, 100):
        told = [*random.choice([FITS, NONE, NONE, NONE, UNKNOWN], random.integers(0, 60)), FITS]
        found, bound = Told(told, reach).shortest(range(len(told)))
        assert found == told.index(FITS)
        assert bound == min(n for n, verdict in enumerate(told) if verdict is not NONE)
