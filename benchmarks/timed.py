"""The model of the pipeline against the emitted C++ with clocks: python -m benchmarks.timed.

Random networks, chains and such with skips and joins, on random legal engines, with FIFOs of
random depths. Each is emitted, compiled and run over 8 images, and so is its model. Deadlocks
have to be named alike. Of the skips that hold up a design the least depth is compared, too: with
it the C++ runs, with one word less it stands still.

    python -m benchmarks.timed [DESIGNS [FIRST]]      200 designs take about 15 minutes on one core
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.cost.pipeline import Deadlock, Pipeline, simulate
from codesign.cost.timing import Timing
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES
from codesign.validate.measurement import Measurement
from codesign.validate.tools.timed import Timed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hls import write_project
from random_designs import Case, timed_case

DESIGNS = 200
NEAR, FAR = 0.01, 0.03
"""Most designs agree within the first, all of them within the second."""


@dataclass(frozen=True)
class Compared:
    """One design: how far apart model and C++ are."""

    seed: int
    group: str
    deadlock: bool
    same: bool
    """Every end, FIFO and count agrees, or the deadlock is named alike."""
    error: float
    """Of interval and latency, the larger relative one; infinite where only one stands still."""
    skips: tuple[bool, ...] = ()
    """For each skip that needs depth: whether its least depth is the same."""


def main(designs: int = DESIGNS, first: int = 0) -> list[Compared]:
    """Print the table, and return its designs."""
    os.environ["CXXFLAGS"] = "-O0"
    found = []
    for seed in range(first, first + designs):
        found.append(compare(seed))
        if not found[-1].same:
            print(f"  design {seed} differs: {found[-1]}", flush=True)
    print(f"{len(found)} random designs, the model against the timed C++")
    head = ("designs", "exact", "within 1 %", "within 3 %", "stand still", "named alike", "skips")
    print(f"  {'':24}" + "".join(f"{name:>13}" for name in head))
    groups = defaultdict(list)
    for one in found:
        groups[one.group].append(one)
    for group in sorted(groups):
        print(_row(group, groups[group]))
    print(_row("all", found))
    return found


def _row(name: str, found: list[Compared]) -> str:
    still = [one for one in found if one.deadlock]
    skips = [equal for one in found for equal in one.skips]
    numbers = (
        len(found),
        sum(one.same for one in found),
        sum(one.error <= NEAR for one in found),
        sum(one.error <= FAR for one in found),
        len(still),
        sum(one.same for one in still),
    )
    cells = [*map(str, numbers), f"{sum(skips)}/{len(skips)}"]
    return f"  {name:24}" + "".join(f"{cell:>13}" for cell in cells)


def compare(seed: int) -> Compared:
    """Run one design and its model."""
    shape, fifos, case = timed_case(seed)
    with tempfile.TemporaryDirectory() as folder:
        measured = run(case, Path(folder))
        skips = tuple(_least_depths(case, Path(folder)))
    group = f"{shape}, {fifos}"
    try:
        timing = simulate(case.design, TIMED_IMAGES)
    except Deadlock as error:
        same = measured.message == f"FAIL: deadlock: {error}"
        return Compared(seed, group, True, same, 0.0 if same else float("inf"), skips)
    if not measured.passed:
        return Compared(seed, group, False, False, float("inf"), skips)
    return Compared(seed, group, False, _same(measured, timing), _error(measured, timing), skips)


def run(case: Case, folder: Path) -> Measurement:
    """Emit, compile and run a design with clocks; what has not changed is not compiled again."""
    for name, text in case.files.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            write_project({name: text}, folder)
    return Timed().measure(folder)


def _same(measured: Measurement, timing: Timing) -> bool:
    return measured.ends == timing.ends and measured.occupancy == timing.occupancy


def _error(measured: Measurement, timing: Timing) -> float:
    # the mean over the same images, not the one in the long run
    interval = replace(timing, period=None).interval
    pairs = ((measured.latency, timing.latency), (measured.interval, interval))
    return max(abs(model - cpp) / cpp for cpp, model in pairs)


def _least_depths(case: Case, folder: Path) -> Iterator[bool]:
    """Yield for each skip that must be deep whether the C++ needs exactly that depth."""
    design = case.design
    joins = {name for i in design.instances if len(i.reads) > 1 for name in i.reads}
    roomy = {fifo.name: int(fifo.stream.words) * TIMED_IMAGES for fifo in design.fifos}
    for name in sorted(joins):
        least = least_depth(design, name, roomy)
        if least <= 2:
            continue
        runs = [
            run(replace(case, design=replace(design, depths=roomy | {name: depth})), folder)
            for depth in (least, least - 1)
        ]
        yield runs[0].passed and f"room in {name}" in runs[1].message


def least_depth(design: Design, name: str, others: dict[str, int]) -> int:
    """Return the least depth [words] of a FIFO with which the model does not stand still."""
    pipeline = Pipeline(design)
    low, high = 2, others[name]
    while low < high:
        middle = (low + high) // 2
        try:
            pipeline.run(1, others | {name: middle})
            high = middle
        except Deadlock:
            low = middle + 1
    return low


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
