"""Sections of a flow that hold codesign's own keys, and what they may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codesign.candidate import Share
from codesign.errors import InputError
from codesign.fit.goal import MIX, OBJECTIVES, Goal, Shortest
from codesign.flow.formulated import DEFAULT_FORMULATION, DEFAULT_HARDWARE, HardwareSearch
from codesign.space import Value


@dataclass(frozen=True, slots=True)
class Search:
    """How much to try, and for what."""

    trials: int = 32
    batch: int = 8
    seconds: float | None = None
    workers: int = 0
    """Processes that evaluate side by side; 0 means one per core. They change no result."""
    objectives: tuple[str, ...] = ("max accuracy", "min latency_s", "min energy_j")
    """The run's choice is the front's best in the first; the others break ties, in order."""
    formulation: str = DEFAULT_FORMULATION
    """How objectives and wishes become one problem; a member of `codesign.search.formulations`."""
    hardware: HardwareSearch = DEFAULT_HARDWARE
    """How engines are found: the best for each network, as genes, or once networks are chosen."""
    log: str = "csv"
    """Members of `codesign.search.logs`, separated by commas, or "none"."""
    space: Mapping[str, tuple[Value, ...]] | str = field(default_factory=dict)
    """Values that choices of the family are left with; a file's are put in place of its name."""
    reference: Mapping[str, float] = field(default_factory=dict)
    """Of the hypervolume that is logged, by objective; see `codesign.search.standing`."""

    def __post_init__(self) -> None:
        if self.trials < 1 or self.batch < 1:
            raise ValueError("trials and batch are at least 1")
        if self.workers < 0:
            raise ValueError(f"workers are at least 0, got {self.workers}")
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"seconds are positive, got {self.seconds}")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the accelerator may be."""

    clock_mhz: float | tuple[float, ...] | None = None
    """One of the board's clocks, or several to choose from; none: all up to its typical one."""
    objective: str = "interval"
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the objective "mix": interval, latency, energy and resources, e.g. {latency: 1}."""
    ceilings: Mapping[str, float] = field(default_factory=dict)
    """Shares of a resource to use instead of the board's, e.g. {lut: 0.5}."""
    slack: float = 0.001
    """By how much intervals may differ and count as equal, so that the smaller design is taken."""

    def __post_init__(self) -> None:
        if self.clock_mhz == ():
            raise ValueError("clock_mhz names no clock")
        if self.objective not in (*OBJECTIVES, MIX):
            raise ValueError(f"objective is one of {', '.join((*OBJECTIVES, MIX))}")
        Shortest(self.slack)
        if (self.objective == MIX) != bool(self.weights):
            raise ValueError(f"weights belong to the objective {MIX}, and it needs them")
        if self.weights:
            Goal.of(self.weights)

    @property
    def goal(self) -> str | Goal | Shortest:
        """What `fit` is asked for."""
        if self.objective == "interval":
            return Shortest(self.slack)
        return Goal.of(self.weights) if self.weights else self.objective


@dataclass(frozen=True, slots=True)
class Targeting:
    """What several boards have to do with each other."""

    share: Share = "each"
    """Whether each gets a network of its own, from one search, or all get the same one."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How the emitted C++ is proven."""

    images: int = 0
    """Test images for the whole accelerator; 0 means all."""
    layer_images: int = 8

    def __post_init__(self) -> None:
        if self.images < 0 or self.layer_images < 1:
            raise ValueError("images are at least 0, layer_images at least 1")


def board_names(text: str) -> tuple[str, ...]:
    """Return the boards that a flow names, separated by commas.

    Raises:
        InputError: one is named twice or has no name, or two files are called the same.
    """
    names = tuple(part.strip() for part in text.split(","))
    if not all(names):
        raise InputError("board", f"'{text}' leaves a name out", "write e.g. zcu104,pynq_z2")
    stems = [Path(name).stem for name in names]
    twice = next((stem for stem in stems if stems.count(stem) > 1), None)
    if twice:
        raise InputError("board", f"'{twice}' is named twice", "name each board once")
    return names
