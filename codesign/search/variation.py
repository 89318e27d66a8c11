"""Points near other points, and points that were not tried before.

Points are the indices of their choices' values (`Space.encode`), so that they can be compared.
They are settled: idle choices have their first value, so equal points are equal tuples, and no
mutation is spent on a choice that does not count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from codesign.space import Space

Indices = tuple[int, ...]

_LONGEST_WALK = 100
"""Steps after which a point that was tried before will do."""


def drawn(space: Space, random: np.random.Generator) -> Indices:
    """Draw every choice uniformly."""
    return space.settled([int(random.integers(len(c.values))) for c in space.choices])


def mutated(space: Space, parent: Indices, random: np.random.Generator) -> Indices:
    """Return a point that differs from its parent in one choice, if there is any to make.

    Choices that begin to count with it are drawn anew.
    """
    before = space.counts(parent)
    free = [i for i, choice in enumerate(space.choices) if before[i] and len(choice.values) > 1]
    if not free:
        return parent
    place = free[int(random.integers(len(free)))]
    other = int(random.integers(len(space.choices[place].values) - 1))
    child = list(parent)
    child[place] = other + (other >= parent[place])
    for later in range(place + 1, len(child)):
        # one that this draw wakes may wake others, so the answer is asked for each
        if not before[later] and space.counts(child)[later]:
            child[later] = int(random.integers(len(space.choices[later].values)))
    return space.settled(child)


def crossed(space: Space, left: Indices, right: Indices, random: np.random.Generator) -> Indices:
    """Return a point that takes every choice from one of two others, either being as likely.

    Where it counts in one of them alone, it comes from that one.
    """
    firsts = random.random(len(left)) < 0.5
    known = zip(firsts, space.counts(left), space.counts(right), strict=True)
    taken = [first if of_left == of_right else of_left for first, of_left, of_right in known]
    child = [a if first else b for a, b, first in zip(left, right, taken, strict=True)]
    return space.settled(child)


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
    """Yield all points that differ in one choice that counts."""
    counts = space.counts(point)
    for place, choice in enumerate(space.choices):
        for index in range(len(choice.values)):
            if counts[place] and index != point[place]:
                yield space.settled((*point[:place], index, *point[place + 1 :]))
