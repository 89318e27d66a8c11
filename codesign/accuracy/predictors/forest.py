"""A forest of random trees."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.accuracy.predictor import Predictor, Reals


@dataclass(frozen=True)
class Forest(Predictor):
    """The mean of trees, each grown on a draw of the points and a third of the columns a split.

    Source: Breiman, Machine Learning 2001.
    """

    trees: int = 100

    def __post_init__(self) -> None:
        if self.trees < 1:
            raise ValueError(f"trees are at least 1, got {self.trees}")

    def predicted(self, known: Reals, scores: Reals, wanted: Reals, seed: int) -> Reals:
        """Return the mean of the trees."""
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(self.trees, max_features=1 / 3, random_state=seed)
        answer: Reals = forest.fit(known, scores).predict(wanted)
        return answer
