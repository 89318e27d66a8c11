"""NSGA-III, by Optuna's sampler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from codesign.search.genetic import Genetic
from codesign.space import Value

if TYPE_CHECKING:
    import optuna


class Nsga3(Genetic):
    """Breed the next generation from the non-dominated, spread along fixed directions.

    Made for three objectives and more, where almost everything is non-dominated. `directions`
    divide each axis; with two objectives NSGA-II does as well.

    Source: Deb and Jain, IEEE TEC 2014.
    """

    defaults: ClassVar[Mapping[str, Value]] = {"population": 16, "directions": 5}

    def sampler(self, population: int, seed: int) -> optuna.samplers.BaseSampler:
        """Return Optuna's NSGA-III."""
        import optuna

        parts = max(1, int(self.options["directions"]))
        with warnings.catch_warnings():  # that its interface may change
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.NSGAIIISampler(
                population_size=population, dividing_parameter=parts, seed=seed
            )
