"""The form of a formulation: what a search is for, in terms that a strategy can work with.

Members live in `codesign.search.formulations`, one file each: frozen dataclasses of options. A
formulation stands between the study and the strategy. The journal keeps what was measured; the
strategy is told what the formulation makes of it; the formulation decides what is chosen.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codesign.search.trial import Objective, Trial


@dataclass(frozen=True)
class Formulation(ABC):
    """How objectives and constraints become one problem.

    Every method is a function of its arguments and the options alone, so that a search can be
    resumed by asking again.
    """

    @classmethod
    def name(cls) -> str:
        """The name in the file tree, which is the name in a flow."""
        return cls.__module__.rpartition(".")[2]

    @property
    def tolerance(self) -> float:
        """Sum of relative violations up to which a point is still evaluated in full.

        What is beyond is cheap to refuse, and the strategy will be told only how far off it is.
        """
        return 0.0

    @abstractmethod
    def sought(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return what the strategy is asked to optimise, for the objectives of the study.

        Raises:
            InputError: the options do not fit the objectives.
        """

    @abstractmethod
    def seen(self, trial: Trial, objectives: Sequence[Objective]) -> Trial:
        """Return a trial as the strategy is told of it: with a value for all that is `sought`.

        A trial that was not evaluated in full lacks objectives; it stays infeasible.
        """

    def candidates(
        self, trials: Iterable[Trial], objectives: Sequence[Objective]
    ) -> tuple[Trial, ...]:
        """Return the trials that may be chosen, and that a front is made of."""
        return tuple(trial for trial in trials if trial.feasible)

    def choose(self, trials: Iterable[Trial], objectives: Sequence[Objective]) -> Trial | None:
        """Return the answer of a search, or None where nothing keeps the constraints.

        It is the candidate that is best in the first objective; the next ones break ties, then
        the trial's number.
        """
        return min(
            self.candidates(trials, objectives),
            key=lambda trial: (*(o.cost(trial.values) for o in objectives), trial.number),
            default=None,
        )

    def definition(self) -> Mapping[str, Any]:
        """Return, as JSON values, all that decides what a strategy is told."""
        return {"name": self.name(), **asdict(self)}


def base(name: str) -> str:
    """Return the quantity behind a name: "latency_s@zcu104" is the "latency_s" of one board."""
    return name.partition("@")[0]


def evaluated(trial: Trial, objectives: Iterable[Objective]) -> bool:
    """Tell whether a trial has a value for every objective."""
    return all(objective.name in trial.values for objective in objectives)
