"""C simulation with g++: does the C++ compute the integers of the reference?"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from codesign.emit.project import digest, read
from codesign.errors import InputError, ToolMissing
from codesign.validate.measurement import Measurement
from codesign.validate.tool import Tool, call, failure

_LAYER = re.compile(r"^layer (\w+): \d+ images equal$", re.MULTILINE)
_ACCELERATOR = re.compile(r"^accelerator: (\d+) images equal$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Gxx(Tool):
    """Compile the project's own test bench with g++ and run it."""

    limit_s: float = 1800.0
    """Time limit of compilation and simulation together [s]."""

    def version(self) -> str:
        """Return the first line of `g++ --version`."""
        for program in ("make", "g++"):
            if shutil.which(program) is None:
                raise ToolMissing(program, "install it, e.g. apt-get install g++ make")
        code, output = call(["g++", "--version"], Path(), Path(os.devnull), 60)
        if code:
            raise failure(["g++", "--version"], code, Path(os.devnull), output)
        return output.splitlines()[0]

    def measure(self, project: Path) -> Measurement:
        """Build and run `make csim`; a difference is a verdict, not an error."""
        if not (project / "Makefile").is_file():
            raise InputError(str(project), "is no HLS project (no Makefile)", "emit it first")
        version = self.version()
        log = project / "build" / "csim.log"
        command = ["make", "--silent", f"--jobs={os.cpu_count() or 1}", "csim"]
        start = time.monotonic()
        code, output = call(command, project, log, self.limit_s)
        verdict = re.findall(r"^(?:FAIL: .*|PASS)$", output, re.MULTILINE)
        if not verdict or (code == 0) != (verdict[-1] == "PASS"):
            raise failure(command, code, log, output)
        whole = _ACCELERATOR.search(output)
        return Measurement(
            tool="g++",
            version=version,
            project_digest=digest(read(project)),
            passed=verdict[-1] == "PASS",
            message=verdict[-1],
            images=int(whole.group(1)) if whole else 0,
            layers=tuple(_LAYER.findall(output)),
            seconds=time.monotonic() - start,
            log=str(log),
        )
