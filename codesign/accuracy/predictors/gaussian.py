"""A Gaussian process."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from codesign.accuracy.predictor import Predictor, Reals


@dataclass(frozen=True)
class Gaussian(Predictor):
    """The mean of a process with a Matern kernel (5/2) and noise, both fitted.

    Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, algorithm 2.1.
    """

    def predicted(self, known: Reals, scores: Reals, wanted: Reals, seed: int) -> Reals:
        """Return the posterior mean."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        kernel = ConstantKernel() * Matern(3.0, (0.3, 100.0), nu=2.5) + WhiteKernel(0.1)
        process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
        with warnings.catch_warnings():
            # a hyperparameter at its bound is an answer, too
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer: Reals = process.fit(known, scores).predict(wanted)
        return answer
