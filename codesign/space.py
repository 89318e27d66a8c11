"""Choices and points: what a search may vary.

A `Space` is a product of named, finite choices. A `Point` gives each choice one of its
values. Strategies see nothing else, so they work for networks, hardware knobs or both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Value = int | float | str | bool
Point = Mapping[str, Value]


def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of `number` in rising order."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))


@dataclass(frozen=True, slots=True)
class Choice:
    """One named decision and the values it may take, in a meaningful order."""

    name: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"choice '{self.name}' has no values")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"choice '{self.name}' repeats a value: {self.values}")


@dataclass(frozen=True, slots=True)
class Space:
    """The product of independent choices; a point is one value for each."""

    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        if len(set(names)) != len(names):
            raise ValueError(f"a space names a choice twice: {names}")

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(len(choice.values) for choice in self.choices)

    def decode(self, indices: Sequence[int]) -> dict[str, Value]:
        """Return the point whose value of choice `i` is number `indices[i]` of its values."""
        return {
            choice.name: choice.values[int(index)]
            for choice, index in zip(self.choices, indices, strict=True)
        }

    def encode(self, point: Point) -> tuple[int, ...]:
        """Return the index of each choice's value; the inverse of `decode`.

        Raises:
            ValueError: the point lacks a choice, has one too many, or a value is not offered.
        """
        names = {choice.name for choice in self.choices}
        if set(point) != names:
            raise ValueError(f"a point of this space has {sorted(names)}, not {sorted(point)}")
        return tuple(choice.values.index(point[choice.name]) for choice in self.choices)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each choice has."""
        return tuple(len(choice.values) for choice in self.choices)

    def axes(self) -> dict[str, NDArray[np.int64]]:
        """Return every point at once: the values of each (numeric) choice along its own axis.

        What depends on few choices is so computed for few values, and broadcasts to `shape`,
        over which the last choice varies fastest.
        """
        own = enumerate(self.choices)
        last = len(self.choices) - 1
        return {c.name: np.array(c.values).reshape(-1, *(1,) * (last - i)) for i, c in own}

    def at(self, number: int) -> dict[str, Value]:
        """Return point `number` of all, the last choice varying fastest."""
        return self.decode([int(index) for index in np.unravel_index(number, self.shape)])

    def sample(self, random: np.random.Generator) -> dict[str, Value]:
        """Draw one point uniformly."""
        return self.decode([int(random.integers(len(c.values))) for c in self.choices])
