"""The form of a tool: an external program that says whether a project is what it claims.

Members live in `codesign.validate.tools`, one file each. Only this room starts processes.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import InputError, ToolError, ToolMissing
from codesign.validate.measurement import Measurement

LAST_LINES = 8


class Tool(ABC):
    """One external tool."""

    @abstractmethod
    def version(self) -> str:
        """Return the tool's version.

        Raises:
            ToolMissing: it is not on this machine; the text says what to install.
        """

    @abstractmethod
    def measure(self, project: Path) -> Measurement:
        """Run the tool on a project folder.

        Raises:
            ToolMissing: the tool is not on this machine.
            ToolError: the tool failed for a reason that says nothing about the project.
        """


@dataclass(frozen=True, slots=True)
class Built:
    """What a target of a project's Makefile printed, and where."""

    output: str
    verdict: str
    """Its last line that says PASS or FAIL."""
    log: Path

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict == "PASS"


def gxx_version() -> str:
    """Return the first line of `g++ --version`.

    Raises:
        ToolMissing: there is no make or no g++.
    """
    for program in ("make", "g++"):
        if shutil.which(program) is None:
            raise ToolMissing(program, "install it, e.g. apt-get install g++ make")
    code, output = call(["g++", "--version"], Path(), Path(os.devnull), 60)
    if code:
        raise failure(["g++", "--version"], code, Path(os.devnull), output)
    return output.splitlines()[0]


def make(project: Path, target: str, limit_s: float, *settings: str) -> Built:
    """Build and run a target that ends with PASS or FAIL.

    Args:
        project: the HLS project's folder.
        target: what to make.
        limit_s: time limit [s].
        settings: variables of the Makefile, `NAME=value`.

    Raises:
        InputError: the folder holds no project.
        ToolError: it ended otherwise.
    """
    if not (project / "Makefile").is_file():
        raise InputError(str(project), "is no HLS project (no Makefile)", "emit it first")
    log = project / "build" / f"{target}.log"
    command = ["make", "--silent", f"--jobs={os.cpu_count() or 1}", target, *settings]
    code, output = call(command, project, log, limit_s)
    verdict = re.findall(r"^(?:FAIL: .*|PASS)$", output, re.MULTILINE)
    if not verdict or (code == 0) != (verdict[-1] == "PASS"):
        raise failure(command, code, log, output)
    return Built(output, verdict[-1], log)


def outside_make() -> dict[str, str]:
    """Return the environment without what a `make` around this program left in it.

    Its flags and variables are meant for its own makefiles, not for a project's.
    """
    left = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
    return {name: value for name, value in os.environ.items() if name not in left}


def call(command: Sequence[str], folder: Path, log: Path, limit_s: float) -> tuple[int, str]:
    """Run a command in `folder`; return its exit code and output, which also goes to `log`.

    Raises:
        ToolError: the command cannot be started or runs longer than `limit_s`, or the log
            cannot be written.
    """
    said = " ".join(command)
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=outside_make(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(f"{said}: cannot be started ({error.strerror})") from error
    with process:
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{said}: still running after {limit_s:.0f} s") from error
        finally:
            if process.returncode is None:
                # not only make, but whatever it started
                os.killpg(process.pid, signal.SIGKILL)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
    except OSError as error:
        raise ToolError(f"{log}: cannot be written ({error.strerror})") from error
    return process.returncode, output


def failure(command: Sequence[str], code: int, log: Path, output: str) -> ToolError:
    """Return the error of a command that ended with `code`: where its log is, its last lines."""
    last = "\n  ".join(output.strip().splitlines()[-LAST_LINES:])
    return ToolError(f"{' '.join(command)}: exit code {code}; log in {log}\n  {last}")
