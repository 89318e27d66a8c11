"""What a search is told: objectives, constraints, and what one evaluation found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from codesign.errors import InputError, nearest
from codesign.space import Point, Value

Operator = Literal["<=", ">="]

_LARGER_IS_BETTER = ("accuracy", "fps")
_OBJECTIVE = re.compile(r"\s*(?:(min|max)\s+)?([A-Za-z_]\w*)\s*")
_CONSTRAINT = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=)\s*(\S+)\s*")


@dataclass(frozen=True, slots=True)
class Objective:
    """One quantity to make as large, or as small, as possible."""

    name: str
    maximize: bool

    @classmethod
    def parse(cls, text: str, place: str = "objective", known: Collection[str] = ()) -> Objective:
        """Read "max accuracy" or "min latency_s"; "accuracy" and "fps" may stand alone.

        Args:
            text: what the user wrote.
            place: where he wrote it, for the error.
            known: the quantities there are; any name will do where this is empty.

        Raises:
            InputError: the text is no objective, names no known quantity, or no direction.
        """
        match = _OBJECTIVE.fullmatch(text)
        if match is None:
            problem = f"'{text}' is no objective"
            raise InputError(place, problem, "write e.g. 'max accuracy' or 'min latency_s'")
        direction, name = match.groups()
        _check_known(name, place, known)
        if direction is None and name not in _LARGER_IS_BETTER:
            problem = f"'{name}' does not say which way is better"
            raise InputError(place, problem, f"write 'min {name}' or 'max {name}'")
        return cls(name, maximize=direction != "min")

    @property
    def text(self) -> str:
        """The objective as `parse` reads it."""
        return f"{'max' if self.maximize else 'min'} {self.name}"

    def cost(self, values: Mapping[str, float]) -> float:
        """Return the value in the direction in which smaller is better."""
        return -values[self.name] if self.maximize else values[self.name]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One quantity that must not pass a bound."""

    name: str
    operator: Operator
    bound: float

    @classmethod
    def parse(cls, text: str, place: str = "constraint", known: Collection[str] = ()) -> Constraint:
        """Read "fps>=1000" or "latency_s <= 1e-3"; the arguments are those of an objective.

        Raises:
            InputError: the text is no constraint, or names no known quantity.
        """
        match = _CONSTRAINT.fullmatch(text)
        bound = _finite(match[3]) if match else None
        if match is None or bound is None:
            problem = f"'{text}' is no constraint"
            raise InputError(place, problem, "write e.g. 'fps>=1000' or 'latency_s<=1e-3'")
        _check_known(match[1], place, known)
        return cls(match[1], "<=" if match[2] == "<=" else ">=", bound)

    @property
    def text(self) -> str:
        """The constraint as `parse` reads it, in one spelling."""
        return f"{self.name}{self.operator}{repr(self.bound).removesuffix('.0')}"

    def violation(self, values: Mapping[str, float]) -> float:
        """Return how far the value lies beyond the bound, relative to it; 0 where it is met.

        A bound of 0 has no scale of its own: there the distance is absolute.
        """
        excess = values[self.name] - self.bound
        if self.operator == ">=":
            excess = -excess
        return max(excess, 0.0) / (abs(self.bound) or 1.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What evaluating one point gives.

    Whoever evaluates may stop early at a point that cannot be built: then it states the
    violation and leaves out the values it did not take the trouble to find.
    """

    values: Mapping[str, float]  # measured quantities, SI units in their names
    violations: Mapping[str, float] = field(default_factory=dict)  # beside the constraints'
    artifact: bytes | None = None  # what is too dear to make again, e.g. a trained network


Evaluate = Callable[..., Outcome]
"""Evaluates a point, given the trial's number and its seed, and a hint where there is a guide."""


class Guide(Protocol):
    """Tells the evaluations of a batch what they may know of the trials before it."""

    def __call__(
        self,
        trials: Sequence[Trial],
        points: Sequence[Point],
        artifact: Callable[[int], bytes | None],
    ) -> Sequence[Any]:
        """Return a hint for each of `points`, which its evaluation is given.

        It depends on the arguments alone, so that a search does, too.

        Args:
            trials: all trials before the batch, in the order of their numbers.
            points: those of the batch that are new, in the order of the numbers they will get.
            artifact: gives what the evaluation of a trial left.
        """


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluated point. Trials are equal when they found the same, however long it took."""

    number: int  # in order of first asking, from 0
    point: Mapping[str, Value]
    key: str  # canonical form: points of one key are one and the same thing
    values: Mapping[str, float]
    violations: Mapping[str, float]  # what is violated -> how far (relative, > 0)
    seed: int
    seconds: float = field(default=0.0, compare=False)  # that the evaluation took

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if not math.isfinite(value):
                raise ValueError(f"trial {self.number}: {name} is {value}, not a finite number")
        for text, distance in self.violations.items():
            if not (math.isfinite(distance) and distance > 0):
                raise ValueError(f"trial {self.number}: '{text}' is violated by {distance}")

    @property
    def violation(self) -> float:
        """Sum of the relative violations; 0 for a feasible trial."""
        return sum(self.violations.values())

    @property
    def feasible(self) -> bool:
        """Whether nothing is violated."""
        return not self.violations


def violations(values: Mapping[str, float], constraints: Iterable[Constraint]) -> dict[str, float]:
    """Return how far each constraint is violated by those `values` that are there already."""
    distances = {c.text: c.violation(values) for c in constraints if c.name in values}
    return {text: distance for text, distance in distances.items() if distance > 0}


def _finite(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _check_known(name: str, place: str, known: Collection[str]) -> None:
    if known and name not in known:
        raise InputError(place, f"there is no quantity '{name}'", nearest(name, known))
