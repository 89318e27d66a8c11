"""What a fit may be for, as one figure: interval, latency, energy and resources in a mix.

Latency and energy count relative to those of a reference, the fastest design that any budget would
allow, so that a mix has no units. Resources count as `codesign.fit.worth` prices them, where 1 is
the whole board's supply of one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.fit.passage import Passage
from codesign.fit.problem import Items, Problem

OBJECTIVES = ("interval", "resources", "latency", "energy")
MIX = "mix"
"""What a goal of one's own is called."""
TIE = 1e-4
"""What decides between designs of practically equal latency or energy counts so much."""


@dataclass(frozen=True, slots=True)
class Goal:
    """How much each figure counts; 1 % of one is worth 1 % of another of equal weight."""

    interval: float = 0.0
    latency: float = 0.0
    energy: float = 0.0
    resources: float = 0.0

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not all(0 <= value < np.inf for value in values) or not any(values):
            raise ValueError(f"weights are at least 0, and one is more, got {self}")

    @staticmethod
    def of(weights: Mapping[str, float]) -> Goal:
        """Return the goal of some weights by name.

        Raises:
            ValueError: there is no such figure, or a weight is none.
        """
        known = [field.name for field in fields(Goal)]
        wrong = sorted(set(weights) - set(known))
        if wrong:
            raise ValueError(f"weights are for {', '.join(known)}, not for {', '.join(wrong)}")
        return Goal(**weights)


@dataclass(frozen=True, slots=True)
class Shortest:
    """The shortest interval, then the least resources.

    Intervals that are longer than the shortest by a share of up to `slack` count as equally short.
    """

    slack: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.slack < 1:
            raise ValueError(f"slack lies in 0 .. 1, got {self.slack}")


GOALS = {
    "latency": Goal(latency=1.0, resources=TIE),
    "energy": Goal(energy=1.0, resources=TIE),
}
"""The objectives that are a mix but for their name."""


class Measure:
    """The figures of designs of one problem, and what they count for a goal."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.clock_hz = problem, problem.clock_hz
        self.passage = Passage(problem)

    @cached_property
    def reference(self) -> Items:
        """The fastest design that any budget would allow."""
        _, items = self.problem.cheapest(self.problem.cycles.astype(np.float64))
        if items is None:
            raise ValueError(f"the engines of {self.problem.graph.name} cannot be joined")
        return items

    @cached_property
    def interval(self) -> int:
        """The reference's cycles between images."""
        return self.interval_of(self.reference)

    @cached_property
    def latency(self) -> float:
        """The reference's cycles of one image."""
        return self.latency_of(self.reference)

    @cached_property
    def energy_j(self) -> float:
        """The reference's energy of one image [J]."""
        return self.energy_of(self.reference, self.interval)

    def interval_of(self, items: Items) -> int:
        """Return the cycles of the slowest process."""
        return int(self.problem.cycles[items].max())

    def latency_of(self, items: Items) -> float:
        """Return the cycles that one image takes, in closed form."""
        return self.passage.longest(items).length(items)

    def energy_of(self, items: Items, interval: float) -> float:
        """Return the energy of one image [J], at so many cycles between images."""
        static = self.problem.board.static_power_w.value * interval / self.clock_hz
        return static + float(self.problem.energy_j[items].sum())

    def per_cycle(self, goal: Goal) -> float:
        """Return what a cycle of the interval counts."""
        static = self.problem.board.static_power_w.value / self.clock_hz
        return goal.interval / self.interval + goal.energy * static / self.energy_j

    def merit(self, goal: Goal, items: Items) -> NDArray[np.float64]:
        """Return what latency and energy count, `[items]`, on the longest way of a design.

        Every design has one item of the first table; constants are added there.
        """
        merit = goal.energy / self.energy_j * self.problem.energy_j
        constant = 0.0
        if goal.latency:
            path = self.passage.longest(items)
            merit = merit + goal.latency / self.latency * path.cycles
            constant += goal.latency / self.latency * path.constant
        merit[: self.problem.starts[1]] += constant
        return merit
