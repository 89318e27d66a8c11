"""The best of one quantity, say accuracy, under bounds on others, say of the hardware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codesign.search.formulation import Formulation, base
from codesign.search.trial import Objective, Trial


@dataclass(frozen=True)
class Constrained(Formulation):
    """Optimise the first objective alone; the wish and the board are the bounds.

    The other objectives only break ties between answers. Until a point keeps all bounds, the
    strategy follows the violation.

    Source: Deb, "An efficient constraint handling method for genetic algorithms", CMAME 2000.
    """

    def sought(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return the first objective (of several boards: on each of them)."""
        first = base(objectives[0].name)
        return tuple(objective for objective in objectives if base(objective.name) == first)

    def seen(self, trial: Trial, objectives: Sequence[Objective]) -> Trial:
        """Return the trial itself."""
        return trial
