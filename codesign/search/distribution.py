"""Shares of the values of each choice: what a search may be given to draw from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.space import Space

Reals = NDArray[np.float64]

_SUM_ERROR = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Every choice is drawn for itself, by the shares of its values."""

    space: Space
    shares: tuple[Reals, ...]

    def __post_init__(self) -> None:
        if tuple(len(own) for own in self.shares) != self.space.shape:
            raise ValueError(f"a share for every value is needed: {self.space.shape}")
        for choice, own in zip(self.space.choices, self.shares, strict=True):
            if not (np.all(own >= 0) and abs(own.sum() - 1) < _SUM_ERROR):
                raise ValueError(f"shares of '{choice.name}' are not negative and sum up to 1")

    @staticmethod
    def uniform(space: Space) -> Distribution:
        """Return the one in which all values are equally likely."""
        return Distribution(space, tuple(np.full(n, 1 / n) for n in space.shape))

    def drawn(self, random: np.random.Generator) -> tuple[int, ...]:
        """Draw a point, as settled indices."""
        levels = random.random(len(self.shares))
        pairs = zip(self.shares, levels, strict=True)
        return self.space.settled([int(np.cumsum(p)[:-1].searchsorted(u)) for p, u in pairs])

    def likeliest(self) -> tuple[int, ...]:
        """Return the point of the likeliest values, as settled indices."""
        return self.space.settled([int(own.argmax()) for own in self.shares])


def to_text(distributions: Sequence[Distribution]) -> str:
    """Return distributions as JSON: a list of them, each with a list of shares by choice."""
    return json.dumps(
        [
            {
                choice.name: [float(share) for share in own]
                for choice, own in zip(one.space.choices, one.shares, strict=True)
            }
            for one in distributions
        ]
    )


def from_text(text: str, space: Space) -> list[Distribution]:
    """Return the distributions that `to_text` wrote.

    Raises:
        ValueError: the text is none, or of another space.
    """
    found = json.loads(text)
    if not (isinstance(found, list) and found and all(isinstance(one, dict) for one in found)):
        raise ValueError("is no list of distributions")
    names = [choice.name for choice in space.choices]
    if any(sorted(one) != sorted(names) for one in found):
        raise ValueError("has other choices than the space")
    return [
        Distribution(space, tuple(np.array(one[n], np.float64) for n in names)) for one in found
    ]
