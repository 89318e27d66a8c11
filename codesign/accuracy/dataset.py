"""Images with classes, split once and for all into training, validation and test."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 20240229
"""Seed of every split that a source does not bring along."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images `float32 [N, ...]` and their classes `int64 [N]`."""

    images: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.images.ndim < 2 or self.images.dtype != np.float32:
            raise ValueError(
                f"images are float32 [N, ...], not {self.images.dtype} {self.images.shape}"
            )
        if self.labels.shape != (len(self.images),) or self.labels.dtype != np.int64:
            raise ValueError(
                f"{len(self.images)} images need as many int64 labels, "
                f"not {self.labels.dtype} {self.labels.shape}"
            )
        if not len(self.images):
            raise ValueError("a split has at least one image")

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels)

    def digest(self) -> str:
        """Return the SHA-256 of the shape, the images and the labels, in order."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        digest.update(self.images.astype("<f4").tobytes())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def take(self, indices: NDArray[np.integer]) -> Self:
        """Return the images at `indices`, in that order."""
        return type(self)(self.images[indices], self.labels[indices])


@dataclass(frozen=True, slots=True, eq=False)
class Split(Labelled):
    """Images `float32 [N, C, H, W]` within 0..1 and their classes `int64 [N]`.

    A vector of features is an image of one pixel, `[N, features, 1, 1]`.
    """

    def __post_init__(self) -> None:
        if self.images.ndim != 4:
            raise ValueError(f"images are float32 [N, C, H, W], not {self.images.shape}")
        Labelled.__post_init__(self)
        if not 0.0 <= float(self.images.min()) <= float(self.images.max()) <= 1.0:
            raise ValueError("images leave 0..1")


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A named task: the search sees validation, the final number is test."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    split_seed: int = SPLIT_SEED

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"{self.name}: needs at least two classes, not {self.classes}")
        for name, split in self._splits().items():
            if split.images.shape[1:] != self.shape:
                raise ValueError(
                    f"{self.name}: {name} images are {split.images.shape[1:]}, not {self.shape}"
                )
            if not 0 <= int(split.labels.min()) <= int(split.labels.max()) < self.classes:
                raise ValueError(f"{self.name}: {name} labels leave 0..{self.classes - 1}")

    @property
    def shape(self) -> tuple[int, ...]:
        """`C x H x W` of one image."""
        return self.train.images.shape[1:]

    def record(self) -> dict[str, Any]:
        """Return what identifies the data: sizes, the split's seed and digests."""
        return {
            "name": self.name,
            "classes": self.classes,
            "shape": list(self.shape),
            "split_seed": self.split_seed,
            "splits": {
                name: {"images": len(split), "sha256": split.digest()}
                for name, split in self._splits().items()
            },
        }

    def _splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


class DatasetSource(ABC):
    """Where a data set comes from; a member is a frozen dataclass of options."""

    __slots__ = ()

    @abstractmethod
    def load(self) -> Dataset:
        """Read the data set.

        Raises:
            InputError: the data are missing or broken; names the option to set.
            ToolMissing: a package that reads them is not installed.
        """


def divide(split: Split, share: float, seed: int = SPLIT_SEED) -> tuple[Split, Split]:
    """Draw `share` of every class (rounded, at least one if it has two) at random.

    Returns:
        what is left, and what was drawn; both in random order, equal for an equal seed.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(split))
    drawn = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.labels):
        members = order[split.labels[order] == label]
        count = round(share * len(members))
        if len(members) > 1:
            count = min(max(count, 1), len(members) - 1)
        drawn[members[:count]] = True
    return split.take(order[~drawn[order]]), split.take(order[drawn[order]])
