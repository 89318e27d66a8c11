"""FIFO depths of a chosen design, settled by running its pipeline.

`fit` derives depths that keep the rate from closed forms. Here the design is run with them: what
still waits is deepened until the interval is reached, and what was never used is taken back.
Depths that hold every word that ever waits change nothing in the run, so the result stands.
"""

from __future__ import annotations

from dataclasses import replace

from codesign.cost import latency
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import Deadlock, Timing, simulate
from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.errors import InfeasibleError

IMAGES = 8
"""Images per run: the interval settles within a few."""
MAX_ROUNDS = 12
FREE_DEPTH = 16
"""Depth to begin with: shift registers of so many words cost no more than those of 2."""


def settle(design: Design) -> tuple[Design, Timing]:
    """Return the design with settled FIFO depths, and its run.

    Deepening stops when the interval is the slowest process's, when nothing is left to deepen,
    or before a resource would run out.

    Raises:
        InfeasibleError: no depth that the board can hold lets the design run.
    """
    slowest = max(int(latency.process_interval(i.process.structure())) for i in design.instances)
    best: tuple[Design, Timing] | None = None
    free = {fifo.name: max(fifo.depth, FREE_DEPTH) for fifo in design.fifos}
    design = replace(design, depths=free)
    for _ in range(MAX_ROUNDS):
        try:
            timing = simulate(design, IMAGES)
        except Deadlock as error:
            deeper = _deepened(design, {fifo.name for fifo in design.fifos})
            if deeper == design or estimate(deeper).violations:
                problem = f"no FIFOs that {design.board.name} can hold let the design run"
                raise InfeasibleError(f"{problem}: {error}") from error
            design = deeper
            continue
        if best is None or timing.interval < best[1].interval:
            best = design, timing
        if timing.interval <= slowest:
            break
        full = {f.name for f in design.fifos if timing.occupancy[f.name] >= f.depth}
        deeper = _deepened(design, full)
        if not full or estimate(deeper, timing).violations:
            break
        design = deeper
    if best is None:
        raise InfeasibleError(f"{design.graph.name} still waits for itself after deepening FIFOs")
    return _trimmed(*best)


def _deepened(design: Design, names: set[str]) -> Design:
    """Return the design with some FIFOs twice as deep.

    A skip holds what the other branch has in flight, which may be several images; any other
    FIFO gains nothing beyond one.
    """
    depths = dict(design.depths)
    skips = {name for i in design.instances if len(i.reads) > 1 for name in i.reads}
    for fifo in design.fifos:
        if fifo.name in names:
            most = int(fifo.stream.words) * (IMAGES if fifo.name in skips else 1)
            depths[fifo.name] = min(2 * fifo.depth, most + MIN_FIFO_DEPTH)
    return replace(design, depths=depths)


def _trimmed(design: Design, timing: Timing) -> tuple[Design, Timing]:
    """Take back what was never used; the run stays the same, word for word."""
    used = {name: words for name, words in timing.occupancy.items() if words > MIN_FIFO_DEPTH}
    return replace(design, depths=used), timing
