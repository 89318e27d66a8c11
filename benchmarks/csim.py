"""The C simulation of the CNV shape: how long it compiles, and how long an image takes.

    python -m benchmarks.csim [NAME]

The best engines of zcu104 at 8 bits and 200 MHz. The test bench takes one image through every
layer alone and through the whole accelerator, so each multiplication of the network runs twice,
with every integer checked against its width. Seconds on the clock, on the cores of this machine:
hls4ml's C simulation of the same shape takes 2.6 s on two.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

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
class Measured:
    """What the test bench of one image took."""

    compile_s: float
    run_s: float
    macs_per_s: float
    passed: bool

    @property
    def met(self) -> bool:
        """Whether all integers were equal, in the time allowed."""
        return self.passed and self.run_s < BAR


def main(name: str = "cnv") -> Measured:
    """Print and return how long a network's test bench compiles and runs."""
    network, images = quantised(name)
    design = fit(network.graph, Board.load("zcu104"), CLOCK_HZ).design
    with tempfile.TemporaryDirectory() as folder:
        for path, text in project(design, network, images[:1], layer_images=1).items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        found = measure(Path(folder), network.graph.macs)
    print(f"C simulation of {name}, one image, {os.cpu_count()} cores")
    print(f"  compile {found.compile_s:8.2f} s")
    print(f"  run     {found.run_s:8.2f} s   bar {BAR:g} s   {'met' if found.met else 'MISSED'}")
    print(f"  {found.macs_per_s / 1e6:,.0f} MMAC/s, every integer checked")
    return found


def measure(folder: Path, macs: int) -> Measured:
    """Build a written project's test bench of one image, and run it several times.

    Raises:
        ToolError: it takes too long.
    """
    compile_s, passed = timed(["make", "--silent", f"-j{os.cpu_count()}", PROGRAM], folder)
    runs = [timed([PROGRAM], folder) for _ in range(RUNS)]
    run_s = median(seconds for seconds, _ in runs)
    return Measured(compile_s, run_s, 2 * macs / run_s, passed and all(right for _, right in runs))


def timed(command: list[str], folder: Path) -> tuple[float, bool]:
    """Return how long a command takes [s], and whether it succeeds."""
    start = time.perf_counter()
    code, _ = call(command, folder, folder / "build" / "benchmark.log", LIMIT_S)
    return time.perf_counter() - start, code == 0


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]).met else 1)
