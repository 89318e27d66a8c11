"""Hardware knobs in a search space: one gene per layer, which ranks what the layer can be built as.

Layers of different networks differ in what they can be built as, and in how many ways. So a gene
names no engine. It is a rank: 0 for the first of a layer's options in an order that all layers
share (the fastest), the highest for the last (the slowest), and evenly between. A gene so keeps its
meaning while the network around it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codesign.space import Choice, Point, Space, Value

LEVELS = 16
"""Values of a gene."""
_NAME = "engine_rank"


@dataclass(frozen=True, slots=True)
class Ranks:
    """Genes for so many layers; further layers share them in turn."""

    genes: int

    def __post_init__(self) -> None:
        if self.genes < 1:
            raise ValueError(f"there is at least one gene, got {self.genes}")

    def joint(self, space: Space) -> Space:
        """Return a space of networks with the genes of their engines."""
        levels = tuple(range(LEVELS))
        return Space((*space.choices, *(Choice(name, levels) for name in self._names())))

    def of(self, point: Point) -> tuple[float, ...]:
        """Return the rank, 0 to 1, that each gene of a point of the joint space holds."""
        return tuple(int(point[name]) / (LEVELS - 1) for name in self._names())

    def network(self, point: Point) -> Mapping[str, Value]:
        """Return what a point of the joint space says of the network."""
        return {name: value for name, value in point.items() if not name.startswith(_NAME)}

    def _names(self) -> tuple[str, ...]:
        return tuple(f"{_NAME}{number}" for number in range(self.genes))
