"""A small multilayer perceptron."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from codesign.accuracy.predictor import Predictor, Reals


@dataclass(frozen=True)
class Mlp(Predictor):
    """Two hidden layers of ReLU, learned with weight decay by a quasi-Newton method.

    Source: Liu and Nocedal, Mathematical Programming 1989 (L-BFGS).
    """

    width: int = 32
    decay: float = 1.0
    """Weight of the squared weights in the loss."""

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is at least 1, got {self.width}")
        if self.decay < 0:
            raise ValueError(f"decay is at least 0, got {self.decay}")

    def predicted(self, known: Reals, scores: Reals, wanted: Reals, seed: int) -> Reals:
        """Return the perceptron's answers."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        mean, spread = scores.mean(), scores.std() or 1.0
        perceptron = MLPRegressor(
            hidden_layer_sizes=(self.width, self.width),
            solver="lbfgs",
            alpha=self.decay,
            max_iter=500,
            random_state=seed,
        )
        with warnings.catch_warnings():
            # steps are bounded on purpose
            warnings.simplefilter("ignore", ConvergenceWarning)
            perceptron.fit(known, (scores - mean) / spread)
        answer: Reals = perceptron.predict(wanted) * spread + mean
        return answer
