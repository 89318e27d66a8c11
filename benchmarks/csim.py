"""The C simulation of the CNV shape: how long it compiles, and how long an image takes.

    python -m benchmarks.csim [NAME]

The best engines of zcu104 at 8 bits and 200 MHz. The test bench takes one image through every
layer alone and through the whole accelerator, so each multiplication of the network runs twice,
with every integer checked against its width. It runs on one core and compiles on all of them.
Beside the seconds on the clock stand those of CPU time, which other work on the machine changes
little. hls4ml's C simulation of the same shape takes 2.6 s.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.executor import quantised
from codesign.emit.project import project
from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.validate.tool import call

CLOCK_HZ = 200e6
LIMIT_S = 1800.0
RUNS = 5
PROGRAM = "build/csim"
BAR = 1.0  # s, to run the test bench on one image


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a command took, and whether it succeeded."""

    clock: float
    cpu: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """What the test bench of one image took."""

    compiled: Seconds
    run: Seconds
    """The fastest run."""

    @property
    def met(self) -> bool:
        """Whether all integers were equal, in the time allowed."""
        return self.compiled.passed and self.run.passed and self.run.clock < BAR


def main(name: str = "cnv") -> Measured:
    """Print and return how long a network's test bench compiles and runs."""
    network, images = quantised(name)
    design = fit(network.graph, Board.load("zcu104"), CLOCK_HZ).design
    with tempfile.TemporaryDirectory() as folder:
        for path, text in project(design, network, images[:1], layer_images=1).items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        found = measure(Path(folder))
    rate = 2 * network.graph.macs / found.run.cpu / 1e6
    print(
        f"C simulation of {name}, one image, {os.cpu_count()} cores [s]: on the clock, of CPU time"
    )
    print(f"  compile {found.compiled.clock:8.2f}{found.compiled.cpu:8.2f}")
    verdict = f"bar {BAR:g} on the clock   {'met' if found.met else 'MISSED'}"
    print(f"  run     {found.run.clock:8.2f}{found.run.cpu:8.2f}   {verdict}")
    print(f"  {rate:,.0f} MMAC per second of CPU time, every integer checked")
    return found


def measure(folder: Path) -> Measured:
    """Build a written project's test bench, and run it several times.

    Raises:
        ToolError: it takes too long.
    """
    compiled = timed(["make", "--silent", f"-j{os.cpu_count()}", PROGRAM], folder)
    runs = [timed([PROGRAM], folder) for _ in range(RUNS)]
    return Measured(compiled, min(runs, key=lambda run: run.clock))


def timed(command: list[str], folder: Path) -> Seconds:
    """Run a command, and return how long it takes."""
    clock, cpu = time.perf_counter(), children_s()
    code, _ = call(command, folder, folder / "build" / "benchmark.log", LIMIT_S)
    return Seconds(time.perf_counter() - clock, children_s() - cpu, code == 0)


def children_s() -> float:
    """Return the CPU time of all programs that this one has started [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]).met else 1)
