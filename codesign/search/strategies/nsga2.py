"""NSGA-II, by Optuna's sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codesign.search.genetic import Genetic

if TYPE_CHECKING:
    import optuna


class Nsga2(Genetic):
    """Breed the next generation from the non-dominated and the lonely of the last two.

    Source: Deb et al., IEEE TEC 2002.
    """

    def sampler(self, population: int, seed: int) -> optuna.samplers.BaseSampler:
        """Return Optuna's NSGA-II."""
        import optuna

        return optuna.samplers.NSGAIISampler(population_size=population, seed=seed)
