"""The form of a network family: a space of networks for one kind of input.

Members live in `codesign.network.families`, one file each: frozen dataclasses of options.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.network.tensor import Tensor
from codesign.space import Point, Space


@dataclass(frozen=True)
class Family(ABC):
    """Networks that turn an `input` into one score for each of `classes`."""

    input: Tensor
    classes: int

    def __post_init__(self) -> None:
        if self.classes < 2:
            raise ValueError(f"classes are at least two, got {self.classes}")

    @abstractmethod
    def space(self) -> Space:
        """Return what a search may vary; every point of it is a legal network."""

    @abstractmethod
    def decode(self, point: Point) -> Graph:
        """Return the network of a point; widths of sums are left to the graph."""

    def label(self, point: Point) -> tuple[int, str]:
        """Return the index and the name of a point: one-to-one, and known outside if possible.

        By default the index counts the points of the space, its last choice fastest.
        """
        space = self.space()
        index = int(np.ravel_multi_index(space.encode(point), space.shape))
        return index, " ".join(f"{choice.name}={point[choice.name]}" for choice in space.choices)

    def start(self, point: Point) -> Network | FloatNetwork | None:
        """Return what is already learned: nothing to train, weights to start from, or None."""
        return None

    def canonical(self, point: Point) -> str:
        """Return a key that is equal for points of equal networks, so that none is trained twice.

        It does not depend on the process, the machine or the order of the point's choices.
        """
        return hashlib.sha256(repr(self.decode(point)).encode()).hexdigest()
