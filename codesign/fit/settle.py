"""FIFO depths of a chosen design, settled by running its pipeline.

`fit` derives depths that keep the rate from closed forms. Here the design is run with them, fed
at the pace of its slowest process: what still waits is deepened until that pace is kept, what
was never used is taken back, and what can do with a cheaper memory gets one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from codesign.cost.estimate import estimate
from codesign.cost.pipeline import PATIENCE, Deadlock, Pipeline, simulate
from codesign.cost.timing import Timing
from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.errors import InfeasibleError
from codesign.fit.shrink import shrink
from codesign.hardware.fifo import SHIFT_REGISTER_DEPTH

IMAGES = PATIENCE
"""Images per run: the interval settles within a few."""
MAX_ROUNDS = 12
FREE_DEPTH = SHIFT_REGISTER_DEPTH
"""Depth to begin with: shift registers of so many words cost no more than those of 2."""
SLACK = 0.01
"""Share of the latency that cheaper FIFOs may cost."""


def settle(design: Design, slack: float = SLACK) -> tuple[Design, Timing]:
    """Return the design with settled FIFO depths, and its run.

    The interval is the slowest process's, or the best that depths on this board reach. No FIFO
    could do with a cheaper memory without a longer interval, a deadlock, or a latency that
    grows by more than `slack`.

    Raises:
        InfeasibleError: no depth that the board can hold lets the design run.
    """
    pipeline = Pipeline(design)
    deep, goal = _deep_enough(design, pipeline)
    # what holds every word that ever waits changes nothing in the run
    used = {name: max(MIN_FIFO_DEPTH, words) for name, words in goal.occupancy.items()}
    lean = shrink(pipeline, {fifo.name: fifo for fifo in deep.fifos}, used, goal, slack)
    settled = _with_depths(design, lean)
    return settled, simulate(settled, IMAGES)


def _deep_enough(design: Design, pipeline: Pipeline) -> tuple[Design, Timing]:
    """Return the design with FIFOs that keep the pace, or come closest to it, and that run."""
    best: tuple[Design, Timing] | None = None
    free = {fifo.name: max(fifo.depth, FREE_DEPTH) for fifo in design.fifos}
    design = _with_depths(design, free)
    for _ in range(MAX_ROUNDS):
        depths = {fifo.name: fifo.depth for fifo in design.fifos}
        try:
            timing = pipeline.run(IMAGES, depths, pace=pipeline.slowest)
        except Deadlock as error:
            deeper = _deepened(design, set(depths))
            if deeper == design or estimate(deeper).violations:
                problem = f"no FIFOs that {design.board.name} can hold let the design run"
                raise InfeasibleError(f"{problem}: {error}") from error
            design = deeper
            continue
        if best is None or timing.interval < best[1].interval:
            best = design, timing
        if timing.period == pipeline.slowest:
            return design, timing
        deeper = _deepened(design, {n for n in depths if timing.occupancy[n] >= depths[n]})
        if deeper == design or estimate(deeper, timing).violations:
            break
        design = deeper
    if best is None:
        raise InfeasibleError(f"{design.graph.name} still waits for itself after deepening FIFOs")
    return best


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
            depths[fifo.name] = max(fifo.depth, min(2 * fifo.depth, most + MIN_FIFO_DEPTH))
    return _with_depths(design, depths)


def _with_depths(design: Design, depths: Mapping[str, int]) -> Design:
    """Return the design with these depths, the minimum left unsaid."""
    deep = {name: depth for name, depth in depths.items() if depth > MIN_FIFO_DEPTH}
    return replace(design, depths=deep)
