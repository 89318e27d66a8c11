"""Points near other points, and points that were not tried before.

Points are the indices of their choices' values (`Space.encode`), so that they can be compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from codesign.space import Space

Indices = tuple[int, ...]

_LONGEST_WALK = 100
"""Steps after which a point that was tried before will do."""


def drawn(space: Space, random: np.random.Generator) -> Indices:
    """Draw one point uniformly."""
    return tuple(int(random.integers(len(choice.values))) for choice in space.choices)


def mutated(space: Space, parent: Indices, random: np.random.Generator) -> Indices:
    """Return a point that differs from its parent in one choice, if there is any to make."""
    free = [place for place, choice in enumerate(space.choices) if len(choice.values) > 1]
    if not free:
        return parent
    place = free[int(random.integers(len(free)))]
    other = int(random.integers(len(space.choices[place].values) - 1))
    child = list(parent)
    child[place] = other + (other >= parent[place])
    return tuple(child)


def crossed(left: Indices, right: Indices, random: np.random.Generator) -> Indices:
    """Return a point that takes every choice from one of two others, either being as likely."""
    taken = random.random(len(left)) < 0.5
    return tuple(a if first else b for a, b, first in zip(left, right, taken, strict=True))


def new_near(
    space: Space, parent: Indices, tried: Collection[Indices], random: np.random.Generator
) -> Indices:
    """Return a point that was not tried before, few mutations away from its parent.

    Where the walk meets none, the answer is where it ended.
    """
    point = mutated(space, parent, random)
    for _ in range(_LONGEST_WALK):
        if point not in tried:
            break
        point = mutated(space, point, random)
    return point


def neighbours(space: Space, point: Indices) -> Iterator[Indices]:
    """Yield all points that differ in one choice."""
    for place, choice in enumerate(space.choices):
        for index in range(len(choice.values)):
            if index != point[place]:
                yield (*point[:place], index, *point[place + 1 :])
