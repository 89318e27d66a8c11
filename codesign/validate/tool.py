"""The form of a tool: an external program that says whether a project is what it claims.

Members live in `codesign.validate.tools`, one file each. Only this room starts processes.
"""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from codesign.errors import ToolError
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


def call(command: Sequence[str], folder: Path, log: Path, limit_s: float) -> tuple[int, str]:
    """Run a command in `folder`; return its exit code and output, which also goes to `log`.

    Raises:
        ToolError: the command cannot be started or runs longer than `limit_s`.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            check=False,
        )
    except OSError as error:
        raise ToolError(f"{' '.join(command)}: cannot be started ({error.strerror})") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(command)}: still running after {limit_s:.0f} s") from error
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout)
    return done.returncode, done.stdout


def failure(command: Sequence[str], code: int, log: Path, output: str) -> ToolError:
    """Return the error of a command that ended with `code`: where its log is, its last lines."""
    last = "\n  ".join(output.strip().splitlines()[-LAST_LINES:])
    return ToolError(f"{' '.join(command)}: exit code {code}; log in {log}\n  {last}")
