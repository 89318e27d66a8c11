"""Choices and points: what a search may vary.

A `Space` is a product of named, finite choices. A `Point` gives each choice one of its
values. Strategies see nothing else, so they work for networks, hardware knobs or both.

A choice may hang on another one: the kernel of a fourth layer means nothing to a network of
three. It is idle where its condition does not hold; a point gives it a value all the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Value = int | float | str | bool
Point = Mapping[str, Value]


def divisors(number: int) -> tuple[int, ...]:
    """Return the divisors of `number` in rising order."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return tuple(sorted({*small, *(number // d for d in small)}))


@dataclass(frozen=True, slots=True)
class Condition:
    """What makes a choice count: the choice called `name` has one of `values`, and counts."""

    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One named decision and the values it may take, in a meaningful order."""

    name: str
    values: tuple[Value, ...]
    when: Condition | None = None
    """Where the choice counts; everywhere if there is no condition."""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"choice '{self.name}' has no values")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"choice '{self.name}' repeats a value: {self.values}")


@dataclass(frozen=True, slots=True)
class Space:
    """The product of independent choices; a point is one value for each."""

    choices: tuple[Choice, ...]
    _parents: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Where the choice stands that each one hangs on, or itself; empty where there is none."""

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        if len(set(names)) != len(names):
            raise ValueError(f"a space names a choice twice: {names}")
        for place, choice in enumerate(self.choices):
            if choice.when is not None and choice.when.name not in names[:place]:
                problem = f"hangs on '{choice.when.name}', which is no choice before it"
                raise ValueError(f"choice '{choice.name}' {problem}")
        parents = [names.index(c.when.name) if c.when else i for i, c in enumerate(self.choices)]
        hangs = parents != list(range(len(parents)))
        object.__setattr__(self, "_parents", tuple(parents) if hangs else ())

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(len(choice.values) for choice in self.choices)

    @property
    def distinct(self) -> int:
        """Number of points that differ in more than idle choices."""
        if not self._parents:
            return self.size
        ways = [[1] * len(choice.values) for choice in self.choices]
        total = 1
        for choice, place in zip(reversed(self.choices), reversed(self._parents), strict=True):
            own = sum(ways.pop())
            if choice.when is None:
                total *= own
                continue
            for index, value in enumerate(self.choices[place].values):
                ways[place][index] *= own if value in choice.when.values else 1
        return total

    def counts(self, indices: Sequence[int]) -> tuple[bool, ...]:
        """Return which choices of a point, given as indices, are not idle."""
        if not self._parents:
            return (True,) * len(self.choices)
        found: list[bool] = []
        for choice, place in zip(self.choices, self._parents, strict=True):
            value = self.choices[place].values[int(indices[place])]
            found.append(choice.when is None or (found[place] and value in choice.when.values))
        return tuple(found)

    def settled(self, indices: Sequence[int]) -> tuple[int, ...]:
        """Return a point with every idle choice at its first value: one form for equal points."""
        return tuple(i if own else 0 for i, own in zip(indices, self.counts(indices), strict=True))

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
        """Return point `number` of all, the last choice varying fastest.

        Raises:
            ValueError: there is no such point.
        """
        if not 0 <= number < self.size:
            raise ValueError(f"a space of {self.size} points has no point {number}")
        indices = []
        for extent in reversed(self.shape):
            number, index = divmod(int(number), extent)
            indices.append(index)
        return self.decode(indices[::-1])

    def only(self, kept: Mapping[str, Sequence[Value]]) -> Space:
        """Return the space in which some choices have no other values than those of `kept`.

        Raises:
            ValueError: there is no such choice, or it does not have such a value.
        """
        known = {choice.name: choice for choice in self.choices}
        for name, values in kept.items():
            if name not in known:
                raise ValueError(f"there is no choice '{name}'")
            wrong = [value for value in values if value not in known[name].values]
            if wrong:
                offered = ", ".join(map(str, known[name].values))
                raise ValueError(f"choice '{name}' has no value {wrong[0]!r} but {offered}")
        return Space(
            tuple(
                replace(c, values=tuple(v for v in c.values if v in kept.get(c.name, c.values)))
                for c in self.choices
            )
        )

    def sample(self, random: np.random.Generator) -> dict[str, Value]:
        """Draw one point uniformly."""
        return self.decode([int(random.integers(len(c.values))) for c in self.choices])
