"""A family whose choices have fewer values: its networks are some of that family's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.space import Point, Space, Value


@dataclass(frozen=True)
class Narrowed(Family):
    """The networks of `family` at which every choice has one of its values in `kept`."""

    family: Family
    kept: Mapping[str, tuple[Value, ...]]
    """By choice; one that is not named keeps all."""

    @classmethod
    def of(cls, family: Family, kept: Mapping[str, tuple[Value, ...]]) -> Self:
        """Return a family with fewer values.

        Raises:
            ValueError: the family has no such choice or value.
        """
        family.space().only(kept)
        return cls(family.input, family.classes, family, kept)

    def space(self) -> Space:
        """Return the family's choices with the values that are left."""
        return self.family.space().only(self.kept)

    def decode(self, point: Point) -> Graph:
        """Return the network of a point."""
        return self.family.decode(point)

    def label(self, point: Point) -> tuple[int, str]:
        """Return the index and the name that the point has in the whole family."""
        return self.family.label(point)

    def start(self, point: Point) -> Network | FloatNetwork | None:
        """Return what is already learned of a network."""
        return self.family.start(point)

    def canonical(self, point: Point) -> str:
        """Return the key that the point has in the whole family."""
        return self.family.canonical(point)
