"""The first objective first, as if hardware were free; then hardware for the best few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

from codesign.search import pareto
from codesign.search.formulation import Formulation, base, evaluated
from codesign.search.trial import Objective, Trial


@dataclass(frozen=True)
class TwoStage(Formulation):
    """Search for the first objective alone and without bounds, then settle the rest.

    Once the search is over, the `finalists` best in the first objective are looked at again. Of
    those that keep every bound, the answer is the one that is best in the other objectives, in
    their order. It is what tools do that take the network from one program and the accelerator
    from another; here it is the baseline of a joint search.
    """

    finalists: int = 8

    def __post_init__(self) -> None:
        if self.finalists < 1:
            raise ValueError(f"finalists are at least 1, got {self.finalists}")

    @property
    def tolerance(self) -> float:
        """Nothing is refused: in the first stage there is no hardware."""
        return inf

    def sought(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return the first objective (of several boards: on each of them)."""
        first = base(objectives[0].name)
        return tuple(objective for objective in objectives if base(objective.name) == first)

    def seen(self, trial: Trial, objectives: Sequence[Objective]) -> Trial:
        """Return the trial without what it violates."""
        return replace(trial, violations={}) if evaluated(trial, objectives) else trial

    def candidates(
        self, trials: Iterable[Trial], objectives: Sequence[Objective]
    ) -> tuple[Trial, ...]:
        """Return the finalists that keep every bound."""
        sought = self.sought(objectives)
        complete = [trial for trial in trials if evaluated(trial, objectives)]
        complete.sort(key=lambda trial: (*_costs(trial, sought), trial.number))
        order = pareto.ranks([_costs(trial, sought) for trial in complete]).argsort(kind="stable")
        finalists = [complete[int(place)] for place in order[: self.finalists]]
        return tuple(trial for trial in finalists if trial.feasible)

    def choose(self, trials: Iterable[Trial], objectives: Sequence[Objective]) -> Trial | None:
        """Return the finalist that is best in the other objectives."""
        sought = self.sought(objectives)
        others = tuple(objective for objective in objectives if objective not in sought)
        return min(
            self.candidates(trials, objectives),
            key=lambda trial: (*_costs(trial, (*others, *sought)), trial.number),
            default=None,
        )


def _costs(trial: Trial, objectives: Iterable[Objective]) -> list[float]:
    return [objective.cost(trial.values) for objective in objectives]
