"""C simulation with g++: does the C++ compute the integers of the reference?"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

from codesign.emit.project import digest, read
from codesign.validate.measurement import Measurement
from codesign.validate.tool import Tool, gxx_version, make

_LAYER = re.compile(r"^layer (\w+): \d+ images equal$", re.MULTILINE)
_ACCELERATOR = re.compile(r"^accelerator: (\d+) images equal$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Gxx(Tool):
    """Compile the project's own test bench with g++ and run it."""

    limit_s: float = 1800.0
    """Time limit of compilation and simulation together [s]."""

    def version(self) -> str:
        """Return the first line of `g++ --version`."""
        return gxx_version()

    def measure(self, project: Path) -> Measurement:
        """Build and run `make csim`; a difference is a verdict, not an error."""
        version, start = self.version(), time.monotonic()
        built = make(project, "csim", self.limit_s)
        whole = _ACCELERATOR.search(built.output)
        return Measurement(
            tool="g++",
            version=version,
            project_digest=digest(read(project)),
            passed=built.passed,
            message=built.verdict,
            images=int(whole.group(1)) if whole else 0,
            layers=tuple(_LAYER.findall(built.output)),
            seconds=time.monotonic() - start,
            log=str(built.log),
        )
