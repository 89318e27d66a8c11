"""What a report tells about: one design on one board, and how it was found.

`Findings` holds the facts and the few conclusions that every view of them shares, so that the
page, the tables and the last lines on the screen cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from codesign.cost.estimate import Estimate
from codesign.cost.timing import Timing
from codesign.design import Design
from codesign.fit.dataflow import Fit
from codesign.fit.diagnosis import Diagnosis
from codesign.hardware.board import Board
from codesign.network.graph import Graph
from codesign.search import pareto
from codesign.search.trial import Constraint, Objective, Trial

ACCURACY = "accuracy"
SEARCHED_SPLIT = "validation"
"""The split whose accuracy the search saw, and on which a wish for accuracy is judged."""


@dataclass(frozen=True, slots=True)
class FitSummary:
    """How good the design is among all that the templates offer."""

    interval: int
    """Cycles between images, by the slowest process."""
    bound: int
    """No design of these templates has a shorter interval, whatever the board."""
    advice: str
    """What binds, in words."""
    excess: Mapping[str, int] = field(default_factory=dict)
    """Where nothing fits: how much of each resource the closest design has too many."""
    objective: str = "interval"
    gap: float = 0.0
    """How much better a design could be in the objective, relative; 0 is a proof."""
    latency: float = 0.0
    """Cycles of one image in closed form, which is what a fit for latency minimises; 0 where it
    is not known."""
    reason: str = ""
    """Where nothing fits: why, if that was looked into."""
    ways_out: tuple[str, ...] = ()
    """Where nothing fits: what helps; each was tried."""

    @classmethod
    def of(cls, fit: Fit, diagnosis: Diagnosis | None = None) -> Self:
        """Return what a report keeps of a fit, and of the reason why nothing fits."""
        return cls(
            interval=fit.interval,
            bound=fit.bound,
            advice=fit.advice(),
            excess=dict(fit.excess),
            objective=fit.objective,
            gap=fit.gap,
            latency=fit.latency,
            reason=diagnosis.reason() if diagnosis else "",
            ways_out=diagnosis.ways_out() if diagnosis else (),
        )

    @property
    def feasible(self) -> bool:
        """Whether the best design fits."""
        return not self.excess


@dataclass(frozen=True, slots=True)
class Validation:
    """What a tool said about the emitted project."""

    tool: str
    version: str
    passed: bool
    images: int
    """Images on which the whole accelerator was compared with the integer reference."""
    layers: int
    """Layers that were compared alone."""
    digest: str
    """SHA-256 of the project's files."""
    message: str = ""
    """Of a failure: the first difference."""

    @property
    def tool_text(self) -> str:
        """The tool with its version, which often begins with the tool's name."""
        repeated = self.version.startswith(self.tool)
        return self.version if repeated else f"{self.tool} {self.version}"


@dataclass(frozen=True, slots=True)
class WishCheck:
    """One constraint and the value that the design has."""

    constraint: Constraint
    value: float | None
    """None where nothing measured it, e.g. the accuracy of a model without data."""

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the bound; None where there is no value."""
        if self.value is None:
            return None
        return self.constraint.violation({self.constraint.name: self.value}) == 0

    @property
    def margin(self) -> float | None:
        """What is left to the bound, relative to it (absolute for a bound of 0).

        Negative where the bound is passed; None where there is no value.
        """
        if self.value is None:
            return None
        spare = self.value - self.constraint.bound
        if self.constraint.operator == "<=":
            spare = -spare
        return spare / (abs(self.constraint.bound) or 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Everything that a report needs; built by a run, or again from the folder it left.

    Without a search (an ONNX model that is only priced) `objectives` and `trials` are empty.
    """

    title: str
    design: Design
    estimate: Estimate
    fit: FitSummary
    timing: Timing | None = None
    """The simulation behind the estimate: how full each FIFO was."""
    accuracies: Mapping[str, float] = field(default_factory=dict)
    """Per split ("validation", "test"), by the integer reference."""
    images: Mapping[str, int] = field(default_factory=dict)
    """How many images each split has."""
    objectives: tuple[Objective, ...] = ()
    wish: tuple[Constraint, ...] = ()
    trials: tuple[Trial, ...] = ()
    chosen: int | None = None
    """Number of the trial whose network this is."""
    validation: Validation | None = None
    stages: Mapping[str, float] = field(default_factory=dict)
    """Seconds that each stage of the run took, in order."""
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    other_boards: tuple[Board, ...] = ()
    """Boards to name where this one is too small."""

    def __post_init__(self) -> None:
        for split, accuracy in self.accuracies.items():
            if not 0 <= accuracy <= 1:
                raise ValueError(f"the accuracy of '{split}' must lie in 0 .. 1, got {accuracy}")
        if self.chosen is not None and self.chosen not in {t.number for t in self.trials}:
            raise ValueError(f"there is no trial {self.chosen} that could be chosen")

    @property
    def board(self) -> Board:
        """The board the design is for."""
        return self.design.board

    @property
    def graph(self) -> Graph:
        """The network's graph."""
        return self.design.graph

    @property
    def front(self) -> tuple[Trial, ...]:
        """Return the feasible trials that no other one beats in every objective."""
        if not self.objectives:
            return ()
        return tuple(pareto.front(self.trials, self.objectives))

    @property
    def values(self) -> dict[str, float]:
        """Return what the wish is judged on: the estimate, and the accuracy the search saw."""
        accuracy = self.accuracies.get(SEARCHED_SPLIT)
        known = {} if accuracy is None else {ACCURACY: accuracy}
        return self.estimate.values() | known

    @property
    def wish_checks(self) -> tuple[WishCheck, ...]:
        """Return every constraint beside the value that the design has."""
        values = self.values
        return tuple(WishCheck(wanted, values.get(wanted.name)) for wanted in self.wish)

    @property
    def fits(self) -> bool:
        """Whether the board holds the design."""
        return self.fit.feasible and not self.estimate.violations

    @property
    def proven(self) -> bool:
        """Whether the C++ was shown to compute what the integer reference computes."""
        return self.validation is not None and self.validation.passed

    @property
    def wish_met(self) -> bool:
        """Whether no constraint is known to be missed."""
        return all(check.met is not False for check in self.wish_checks)
