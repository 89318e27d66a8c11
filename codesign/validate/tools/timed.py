"""Timed simulation with g++: bits, cycles and FIFOs of the emitted C++, all at once."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from codesign.emit.project import digest, read
from codesign.validate.measurement import Measurement
from codesign.validate.tool import Tool, gxx_version, make

_END = re.compile(r"^image ends at (\d+)$", re.MULTILINE)
_LOADED = re.compile(r"^weights are loaded at (\d+)$", re.MULTILINE)
_COUNT = re.compile(r"^count (\w+) (\d+) (.+)$", re.MULTILINE)
_FIFO = re.compile(r"^fifo (\w+) holds (\d+) of \d+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Timed(Tool):
    """Run the processes side by side, each with its clock, over FIFOs of the emitted depths.

    Every process is the emitted function; its `ii` and pipeline depth are those that it claims.
    What comes out are the answers, when each image leaves, what each FIFO held, and the name of
    the stream at which a design stands still. What each process counted is compared with what
    its structure says.
    """

    limit_s: float = 1800.0
    """Time limit of compilation and simulation together [s]."""

    def version(self) -> str:
        """Return the first line of `g++ --version`."""
        return gxx_version()

    def measure(self, project: Path) -> Measurement:
        """Build and run `make timed`.

        A different answer, a deadlock or another count is a verdict, not an error.
        """
        version, start = self.version(), time.monotonic()
        built = make(project, "timed", self.limit_s)
        ends, occupancy, counts = clocked(built.output)
        loaded = _LOADED.search(built.output)
        return Measurement(
            tool="timed simulation",
            version=version,
            project_digest=digest(read(project)),
            passed=built.passed,
            message=built.verdict,
            images=len(ends),
            layers=(),
            seconds=time.monotonic() - start,
            log=str(built.log),
            ends=ends,
            occupancy=occupancy,
            counts=counts,
            loading=int(loaded.group(1)) if loaded else 0,
        )


def clocked(output: str) -> tuple[tuple[int, ...], dict[str, int], dict[str, dict[str, int]]]:
    """Return what a timed simulation printed.

    That is when each image's last output left [cycles], the most words in each FIFO, and what
    each process counted per image.
    """
    counts: dict[str, dict[str, int]] = {}
    for process, count, what in _COUNT.findall(output):
        counts.setdefault(process, {})[what] = int(count)
    ends = tuple(int(cycles) for cycles in _END.findall(output))
    return ends, {name: int(words) for name, words in _FIFO.findall(output)}, counts
