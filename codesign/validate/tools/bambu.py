"""Every process taken to RTL by the open HLS compiler Bambu, and simulated with Verilator.

What is fed and expected are the words that the C simulation saw between the processes. It proves
that the emitted C++ can be synthesised and that the hardware computes the same integers. Its
cycles are not those of Vitis HLS: Bambu does not pipeline these loops.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.emit.project import digest, read
from codesign.emit.render import source
from codesign.errors import InputError, ToolError, ToolMissing
from codesign.validate.bambu_source import Source, bench, header, sources, synthesisable
from codesign.validate.measurement import Measurement
from codesign.validate.tool import Tool, call, gxx_version, make

_CYCLES = re.compile(r"Total cycles +: (\d+) cycles")
_RESULT = re.compile(r"^(\d+) wrong$", re.MULTILINE)
_PRINTED = Path("HLS_output/simulation/testbench.log")
"""What the test bench prints in simulation, in Bambu's folder."""
_DIFFERS = re.compile(r"^ERROR: .* mismatch with respect to gold reference", re.MULTILINE)
"""Bambu compares, too, and ends before the test bench does."""
_OPTIONS = (
    "--compiler=I386_CLANG16",
    "--std=c++14",
    "-O1",  # at -O2, PandA 2024.10 makes RTL of some engines that differs from its own run in C++
    "--generate-interface=INFER",
    "--simulate",
    "--simulator=VERILATOR",
    "--device-name=xc7z020-1clg484-VVD",
)


@dataclass(frozen=True, slots=True)
class Bambu(Tool):
    """Take each process of a project to RTL alone, and compare every word that it writes.

    The device only decides of delays, not of integers: Bambu has no UltraScale+ of these boards.
    """

    limit_s: float = 600.0
    """Time limit of each process [s]."""
    only: frozenset[str] = frozenset()
    """Names of the processes to take; all if there are none."""

    def version(self) -> str:
        """Return Bambu's version."""
        for program, remedy in (
            ("bambu", "build PandA 2024.10 from github.com/ferrandi/PandA-bambu"),
            ("verilator", "install it, e.g. apt-get install verilator"),
        ):
            if shutil.which(program) is None:
                raise ToolMissing(program, remedy)
        _, output = call(["bambu", "--version"], Path(), Path("/dev/null"), 60)
        found = re.search(r"Version: (.+)", output)
        return found[1].strip() if found else "unknown"

    def measure(self, project: Path) -> Measurement:
        """Compare every process; those that cannot be taken alone are left out.

        A word that differs is a verdict, not an error, and so is a process that is refused.
        """
        version, start = self.version(), time.monotonic()
        folder = project / "build" / "bambu"
        words = recorded(project, folder)
        cycles: dict[str, int] = {}
        wrong: list[str] = []
        for process in sources(project)[0]:
            if self.only and process.name not in self.only:
                continue
            found = self._process(process, words, folder / process.name)
            if isinstance(found, int):
                cycles[process.name] = found
            else:
                wrong.append(f"{process.name} {found}")
        return Measurement(
            tool="bambu",
            version=version,
            project_digest=digest(read(project)),
            passed=not wrong,
            message=f"FAIL: {'; '.join(wrong)}" if wrong else "PASS",
            images=0,
            layers=(),
            seconds=time.monotonic() - start,
            log=str(folder),
            processes=cycles,
        )

    def _process(self, process: Source, words: Mapping[str, list[str]], folder: Path) -> int | str:
        """Return the cycles of one process in RTL, or what is wrong with it."""
        own = {port.name: words[port.fifo] for port in process.ports}
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier run printed is no answer
        folder.mkdir(parents=True)
        files = {
            f"{process.name}.cpp": synthesisable(process, {n: len(w) for n, w in own.items()}),
            "processes.hpp": header(process),
            "types.hpp": source("bambu/types.hpp"),
            "bench.cpp": bench(process, own),
        }
        for name, text in files.items():
            (folder / name).write_text(text)
        command = ["bambu", f"{process.name}.cpp", f"--top-fname={process.name}", *_OPTIONS]
        command += ["--generate-tb=bench.cpp", "-I.", "-I../../../src", "--clock-period=5"]
        log = folder / "bambu.log"
        code, output = call(command, folder, log, self.limit_s)
        printed = folder / _PRINTED
        said = printed.read_text() if printed.exists() else ""
        cycles, wrong = _CYCLES.search(output), _RESULT.search(said)
        differing = int(wrong[1]) if wrong else len(_DIFFERS.findall(said))
        if differing:
            return f"differs in RTL in {differing} elements or words; log in {printed}"
        if code or cycles is None or wrong is None:
            return f"is not taken to RTL (exit code {code}; log in {log})"
        return int(cycles[1])


def recorded(project: Path, folder: Path) -> dict[str, list[str]]:
    """Return the words of the last image in every FIFO, a line each.

    Raises:
        InputError: the C simulation does not pass.
        ToolError: it left no words.
    """
    gxx_version()
    record, words = folder / "record", folder / "words"
    for path in (record, words):
        path.mkdir(parents=True, exist_ok=True)
    (record / "hls_stream.h").write_text(source("bambu/hls_stream.h"))
    (record / "plain_stream.h").write_text(source("project/tb/shim/hls_stream.h"))
    own = record.relative_to(project)
    flags = f"-O1 -I{own} -DWORDS_FOLDER='\"{words.relative_to(project)}\"'"
    settings = (f"BUILD={folder.relative_to(project)}/csim", f"CXXFLAGS={flags}")
    built = make(project, "csim", 1800.0, *settings)
    if not built.passed:
        raise InputError(str(project), built.verdict, "repair what the C simulation names first")
    found = {path.stem: path.read_text().splitlines() for path in words.glob("*.txt")}
    if not found:
        raise ToolError(f"{project}: the C simulation recorded no words; log in {built.log}")
    return found
