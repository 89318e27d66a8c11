"""How long one image takes through an empty pipeline, in closed form.

A map is taken as a fluid: a process waits for a share `lag` of its input, works for `head` cycles
before its first output, and hands the rest on over `work` cycles or as slowly as the input comes,
which is complete when a share `full` of the output is out. So the share s of its output is there at

    t(s) = stages + max(u(lag) + s work, u(0) + head + s work,
                        u(lag + (1 - lag) min(s / full, 1)) + max(s - full, 0) work)

where u is the time of its input, the latest one where there are several. That is the longest path
through the processes, on which each either works or is passed by; every single path is a sum over
the layers. Whoever minimises the longest of all paths may therefore add paths one by one.
What the fluid leaves out (words, rows, finite FIFOs) only the simulation of the pipeline sees.

Source: the completion time of a flow of continuous lots through machines in series (Baker, "Lot
streaming in the two-machine flow shop", Annals of Operations Research 1995), with sets of rows
as lags.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.cost.latency import Flow
from codesign.fit.problem import Items, Problem
from codesign.fit.wiring import Edge

_DIGITS = 12
"""Shares are told apart to so many decimal places."""
_FINEST = 1024
"""Where branches meet again and again, shares multiply: beyond so many of one stage, only parts of
a map of this fineness are told apart, by the next larger one."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the pipeline: the cycles that every item adds if it is chosen."""

    cycles: NDArray[np.float64]
    """`[items]`"""
    constant: float

    def length(self, items: Items) -> float:
        """Return the cycles of a design on this way."""
        return self.constant + float(self.cycles[items].sum())


@dataclass(frozen=True, slots=True)
class _Ways:
    """The three ways in which shares of a process's output come about by one of its inputs.

    It works on them all after its `lag`; or its head is added to the first input; or it hands on
    what comes in, and only works on what is left after that. `[ways, shares]`
    """

    source: int
    """The stage before."""
    asked: NDArray[Any]
    """The share of its output that has to be there."""
    works: NDArray[Any]
    """How much of its own work comes on top."""


_HEADS = np.array([[0.0], [1.0], [0.0]])
"""How much of a process's head comes on top, by way."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """One process, or a width conversion."""

    inputs: tuple[tuple[int, float, float], ...]
    """Stages before it, each with `lag` and `full` of its output."""
    flow: Flow
    table: int | None = None
    """Whose items it depends on; None where nothing is chosen."""
    delay: int = 0

    def ways(self, shares: NDArray[Any]) -> list[_Ways]:
        """Return all ways to some shares of the output, by input."""
        found = []
        for source, lag, full in self.inputs:
            asked, works = np.zeros((2, len(_HEADS), len(shares)))
            asked[0] = lag
            asked[2] = lag + (1 - lag) * np.minimum(shares / max(full, 1e-9), 1.0)
            works[:2] = shares
            works[2] = np.maximum(shares - full, 0.0)
            found.append(_Ways(source, np.round(asked, _DIGITS), works))
        return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """How the times of a stage's shares follow from those of the stages before it.

    Times stand in one vector, stage after stage; the matrices are `[ways, shares]`.
    """

    shares: slice
    """Where its times stand."""
    asked: NDArray[np.intp]
    """Where the time stands that each way begins with."""
    sources: tuple[int, ...]
    """The stage of each input."""
    heads: NDArray[np.float64]
    """`[ways, 1]`"""
    works: NDArray[np.float64]
    values: tuple[list[float], list[float], list[float]]
    """Head, work and stages of every item, or one of each."""
    table: int | None
    first: int
    """The table's first item."""

    def of(self, items: Items) -> tuple[float, float, float]:
        """Return head, work and stages of the item that a design has here."""
        place = 0 if self.table is None else int(items[self.table]) - self.first
        head, work, stages = (v[place if len(v) > 1 else 0] for v in self.values)
        return head, work, stages


class Passage:
    """The pipeline of one problem."""

    def __init__(self, problem: Problem) -> None:
        self.starts, self.count = problem.starts, len(problem.cycles)
        self.stages = _stages(problem)
        self.shares = self._asked()
        counts = np.cumsum([0, *(len(shares) for shares in self.shares)])
        self.offsets: list[int] = [int(count) for count in counts]
        self.plans = [self._plan(number) for number in range(len(self.stages))]

    def longest(self, items: Items) -> Path:
        """Return the longest way through a design; its length is the design's latency."""
        latest = self._latest(items)
        cycles = np.zeros(self.count)
        constant = 0.0
        number, place = len(self.stages) - 1, 0
        while number:
            stage, plan = self.stages[number], self.plans[number]
            way = int(latest[number][place])
            own = stage.flow
            part = (
                np.asarray(own.stages)
                + plan.heads[way] * np.asarray(own.head)
                + plan.works[way, place] * np.asarray(own.work)
            )
            if stage.table is None:
                constant += float(part[0])
            else:
                cycles[self.starts[stage.table] : self.starts[stage.table + 1]] += part
            constant += stage.delay
            number, asked = plan.sources[way // len(_HEADS)], int(plan.asked[way, place])
            place = asked - self.offsets[number]
        receive, last = self.stages[0].flow, float(self.shares[0][place])
        first = self.plans[0].first
        begins = receive.stages + last * np.asarray(receive.work)
        cycles[first : first + len(begins)] += begins
        return Path(cycles, constant)

    def _latest(self, items: Items) -> list[NDArray[np.intp]]:
        """Return for every stage which way is the longest to each of its shares."""
        times = np.zeros(self.offsets[-1])
        _, work, stages = self.plans[0].of(items)
        times[: self.offsets[1]] = stages + self.shares[0] * work
        latest = [np.zeros(0, np.intp)]
        for stage, plan in zip(self.stages[1:], self.plans[1:], strict=True):
            head, work, stages = plan.of(items)
            ends = times[plan.asked] + plan.heads * head + plan.works * work
            latest.append(ends.argmax(axis=0))
            times[plan.shares] = ends.max(axis=0) + (stages + stage.delay)
        return latest

    def _plan(self, number: int) -> _Plan:
        stage, shares = self.stages[number], self.shares[number]
        ways = stage.ways(shares)
        none = np.zeros((0, len(shares)))
        asked = [
            self.offsets[way.source] + np.searchsorted(self.shares[way.source], way.asked)
            for way in ways
        ]
        own = stage.flow
        head, work, stages = (
            np.atleast_1d(np.asarray(value, np.float64)).tolist()
            for value in (own.head, own.work, own.stages)
        )
        return _Plan(
            shares=slice(self.offsets[number], self.offsets[number + 1]),
            asked=np.concatenate([none.astype(np.intp), *asked]),
            sources=tuple(way.source for way in ways),
            heads=np.tile(_HEADS, (len(ways), 1)),
            works=np.concatenate([none, *(way.works for way in ways)]),
            values=(head, work, stages),
            table=stage.table,
            first=0 if stage.table is None else int(self.starts[stage.table]),
        )

    def _asked(self) -> list[NDArray[Any]]:
        """Return the shares of every stage's output that a later stage asks for."""
        asked: list[list[NDArray[Any]]] = [[] for _ in self.stages]
        asked[-1].append(np.ones(1))
        shares: list[NDArray[Any]] = [np.ones(1) for _ in self.stages]
        for number in reversed(range(len(self.stages))):
            own = np.unique(np.concatenate(asked[number]))
            if len(own) > _FINEST:
                own = np.unique(np.ceil(own * _FINEST) / _FINEST)
            shares[number] = own
            for way in self.stages[number].ways(own):
                asked[way.source].append(way.asked.ravel())
        return shares


def _stages(problem: Problem) -> list[_Stage]:
    """Return every process in order, from the accelerator's input to its output."""
    layers = len(problem.layers)
    receive, *sends = problem.ports
    stages = [_Stage((), receive.flow, layers)]
    last = {layers: 0}
    waiting = list(enumerate(problem.edges, len(problem.units)))

    def convert(table: int, edge: Edge) -> int:
        stages.append(_Stage(((last[edge.source], 0.0, 1.0),), edge.flow, table, edge.delay))
        return len(stages) - 1

    for number, own in enumerate(problem.layers):
        inputs = [convert(*waiting.pop(0)) for _ in own.flows[0].lags]
        for flow in own.flows:
            stages.append(_Stage(_held(inputs, flow), flow, number))
            inputs = [len(stages) - 1]
        last[number] = len(stages) - 1
    answers = []
    for (table, edge), send in zip(waiting, sends, strict=True):
        stages.append(_Stage(((convert(table, edge), 0.0, 1.0),), send.flow, edge.sink))
        answers.append((len(stages) - 1, 0.0, 1.0))
    none = Flow((), (), 0, 0, 0)
    return [*stages, _Stage(tuple(answers), none)]


def _held(sources: Sequence[int], flow: Flow) -> tuple[tuple[int, float, float], ...]:
    """Return what a process waits for, of all options that which waits least."""
    lags = (float(np.min(lag)) for lag in flow.lags)
    fulls = (float(np.max(full)) for full in flow.fulls)
    return tuple(zip(sources, lags, fulls, strict=True))
