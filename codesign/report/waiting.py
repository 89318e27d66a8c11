"""Who waits for whom: where the cycles of every process go, and what batches take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from codesign.cost.timing import Stall, Timing
from codesign.design import Fifo, Instance
from codesign.report.findings import Findings

BATCHES = (1, 2, 4, 8, 16, 64)
"""Sizes of the batches whose latency is told [images]."""


@dataclass(frozen=True, slots=True)
class StallRow:
    """One process between two images: it works, or it waits for words or for room [cycles]."""

    process: str
    layer: str
    """"" for the plumbing between engines."""
    works: int
    for_words: int
    for_room: int
    fifo: str
    """Where it waits longest; "" if it does not."""
    lacks: Literal["", "words", "room"]
    """What it waits for there."""
    neighbour: str
    """The process at the other end of that FIFO."""

    @property
    def share(self) -> float:
        """Part of its cycles in which it works."""
        return self.works / (self.works + self.for_words + self.for_room)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """Latency of a batch of images that enter back to back."""

    images: int
    cycles: float
    seconds: float


def stall_rows(findings: Findings) -> tuple[StallRow, ...]:
    """Return one row per process, sources first; none without a simulation."""
    timing = findings.timing
    if timing is None:
        return ()
    fifos = {fifo.name: fifo for fifo in findings.design.fifos}
    return tuple(
        _stall_row(instance, timing.stalls[instance.name], fifos)
        for instance in findings.design.instances
    )


def batch_rows(findings: Findings) -> tuple[BatchRow, ...]:
    """Return the latency of batches; none without a simulation."""
    if findings.timing is None:
        return ()
    return tuple(_batch(findings.timing, images, findings.design.clock_hz) for images in BATCHES)


def _stall_row(instance: Instance, stall: Stall, fifos: Mapping[str, Fifo]) -> StallRow:
    lacks: Literal["", "words", "room"] = ""
    neighbour = ""
    if stall.fifo:
        fifo = fifos[stall.fifo]
        reads = fifo.sink == instance.name
        lacks, neighbour = ("words", fifo.source) if reads else ("room", fifo.sink)
    return StallRow(
        process=instance.name,
        layer=instance.layer,
        works=stall.works,
        for_words=stall.for_words,
        for_room=stall.for_room,
        fifo=stall.fifo,
        lacks=lacks,
        neighbour=neighbour,
    )


def _batch(timing: Timing, images: int, clock_hz: float) -> BatchRow:
    cycles = timing.batch_latency(images)
    return BatchRow(images, cycles, cycles / clock_hz)
