"""Handwritten digits that come with scikit-learn: 1,797 grey images of 8 x 8 pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.datasets import load_digits

from codesign.accuracy.dataset import Dataset, DatasetSource, Split, divide


@dataclass(frozen=True, slots=True)
class Digits(DatasetSource):
    """60 % training, 20 % validation, 20 % test, stratified.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI repository, 1998.
    """

    def load(self) -> Dataset:
        """Read the images; 16 levels of grey become 0..1."""
        pixels, labels = load_digits(return_X_y=True)
        images = (pixels / 16.0).astype(np.float32).reshape(-1, 1, 8, 8)
        rest, test = divide(Split(images, labels.astype(np.int64)), 0.2)
        train, validation = divide(rest, 0.25)
        return Dataset("digits", 10, train, validation, test)
