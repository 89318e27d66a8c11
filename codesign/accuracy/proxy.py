"""The form of a zero-cost proxy: what a network promises before it has learned anything.

Members live in `codesign.accuracy.proxies`, one file each: frozen dataclasses of options.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from codesign.accuracy.dataset import Labelled
from codesign.network.graph import Graph


@dataclass(frozen=True)
class Proxy(ABC):
    """Scores a graph with random weights; only the order of scores means something."""

    @classmethod
    def name(cls) -> str:
        """The name in the file tree, which is the name in a flow."""
        return cls.__module__.rpartition(".")[2]

    @abstractmethod
    def score(self, graph: Graph, split: Labelled, seed: int) -> float:
        """Return a finite number; a larger one promises more.

        The answer depends on the arguments and options alone.

        Args:
            graph: what would be trained, with real numbers in place of its integers.
            split: training images, of which a proxy takes few or none.
            seed: of the weights.
        """
