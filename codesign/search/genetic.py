"""What the strategies that Optuna's genetic samplers make have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from codesign.errors import InputError
from codesign.search.strategy import Strategy
from codesign.search.trial import Objective, Trial
from codesign.space import Space, Value

if TYPE_CHECKING:
    import optuna


class Genetic(Strategy):
    """Breed generation after generation.

    Every choice is an integer, the index of its value. Optuna's crossover (uniform) and mutation
    (draw anew) make no use of an order, so this says nothing about unordered values, and costs
    less time than its categories. Its polynomial mutation, which does use order, was tried and
    runs dry on small spaces.

    The default population is small because the study remembers every trial: the population
    has to breed a front, not to hold one, and few generations fit into a small budget.
    """

    defaults: ClassVar[Mapping[str, Value]] = {"population": 12}

    def __init__(
        self,
        space: Space,
        objectives: Sequence[Objective],
        seed: int,
        options: Mapping[str, Value],
    ) -> None:
        super().__init__(space, objectives, seed, options)
        population = int(self.options["population"])
        if population < 2:
            problem = f"option population must be at least 2, got {population}"
            raise InputError(f"strategy {self.name()}", problem)
        self._study = _study(self.objectives, self.sampler(population, seed))
        self._indices = _indices(space)
        self._asked: list[optuna.Trial] = []

    @abstractmethod
    def sampler(self, population: int, seed: int) -> optuna.samplers.BaseSampler:
        """Return what breeds."""

    def ask(self, count: int) -> list[dict[str, Value]]:
        """Return `count` points."""
        self._asked = [self._study.ask(self._indices) for _ in range(count)]
        return [self._point(trial.params) for trial in self._asked]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Hand the answers to Optuna."""
        for asked, trial in zip(self._asked, trials, strict=True):
            asked.set_constraint("violation", trial.violation)
            # An infeasible trial is ranked by its violation alone, so any number will do for
            # an objective that it lacks.
            self._study.tell(asked, [trial.values.get(o.name, 0.0) for o in self.objectives])

    def _point(self, indices: Mapping[str, int]) -> dict[str, Value]:
        return self.space.decode([indices[choice.name] for choice in self.space.choices])


def _study(objectives: Sequence[Objective], sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """Return an empty Optuna study in memory, without its message on the screen."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(
            directions=["maximize" if o.maximize else "minimize" for o in objectives],
            sampler=sampler,
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def _indices(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    from optuna.distributions import IntDistribution

    return {c.name: IntDistribution(0, len(c.values) - 1) for c in space.choices}
