"""An estimate with its range."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the range in which a measurement is expected."""

    low: float
    value: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high < inf:
            raise ValueError(f"needs 0 <= low <= value <= high, got {self}")

    def __add__(self, other: Interval) -> Interval:
        """Add two estimates whose errors may coincide."""
        return Interval(self.low + other.low, self.value + other.value, self.high + other.high)

    def __mul__(self, other: Interval | float) -> Interval:
        """Multiply by another estimate, or by a positive constant."""
        if isinstance(other, Interval):
            return Interval(self.low * other.low, self.value * other.value, self.high * other.high)
        return Interval(self.low * other, self.value * other, self.high * other)

    def reciprocal(self) -> Interval:
        """Return one over the estimate."""
        return Interval(1 / self.high, 1 / self.value, 1 / self.low)
