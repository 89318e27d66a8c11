"""All objectives at once: the front, and of it the best in the first objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.search.formulation import Formulation
from codesign.search.trial import Objective, Trial


@dataclass(frozen=True)
class Pareto(Formulation):
    """Tell the strategy everything, as it is.

    Source: Deb et al., IEEE TEC 2002, section VI-A (constrained domination).
    """

    def sought(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return every objective."""
        return tuple(objectives)

    def seen(self, trial: Trial, objectives: Sequence[Objective]) -> Trial:
        """Return the trial itself."""
        return trial
