"""Single stages of a finished run, done again: emit, validate, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from codesign.accuracy.dataset import Dataset
from codesign.emit.project import digest
from codesign.errors import InputError
from codesign.flow.best import Best, write_project
from codesign.flow.findings import gather
from codesign.flow.folder import RunFolder
from codesign.flow.manifest import Manifest
from codesign.load import member
from codesign.report.findings import Findings
from codesign.report.write import report_files
from codesign.validate.measurement import Measurement
from codesign.validate.tool import Tool

DEFAULT_TOOL = "gxx"


def emit_again(folder: RunFolder, to: Path | None = None) -> tuple[Path, str]:
    """Write the HLS project of `best/`, whose design file may have been edited.

    Returns:
        where it lies, and its digest.

    Raises:
        InputError: the design file is wrong, the design would stand still, or `to` is in use.
    """
    if to is not None and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InputError(str(to), "exists already", "name a new folder")
    best = Best.read(folder)
    best.run(folder)
    dataset: Dataset = best.settings.build_member("dataset").load()
    files = best.project(dataset)
    if to is not None:
        write_project(to, files)
        return to, digest(files)
    manifest = Manifest.read(folder)
    write_project(folder.project, files)
    digests = {**manifest.design_digests, "emitted": best.digest()}
    replace(manifest, design_digests=digests).write(folder)
    return folder.project, digest(files)


def measure_with(path: Path, tool: str) -> Measurement:
    """Run a tool on a run's project, or on a project's own folder.

    Raises:
        InputError: it is neither, or there is no such tool.
    """
    chosen = member("validate.tools", Tool, tool, "--tool")
    project = path / "best" / "hls" if (path / "flow.yaml").is_file() else path
    return chosen().measure(project)


def validate_again(path: Path) -> Measurement:
    """Measure the project of a run's folder, or a project's own folder.

    A run's manifest keeps what was found, for the report.

    Raises:
        InputError: it is neither.
    """
    if (path / "flow.yaml").is_file():
        folder = RunFolder(path)
        tool: Tool = Best.read(folder).settings.build_member("validation")
        measured = tool.measure(folder.project)
        replace(Manifest.read(folder), validation=measured).write(folder)
        return measured
    if not (path / "Makefile").is_file():
        problem = "is neither a run (no flow.yaml) nor an HLS project (no Makefile)"
        raise InputError(str(path), problem, "name a folder below runs/")
    return member("validate.tools", Tool, DEFAULT_TOOL)().measure(path)


def report_again(folder: RunFolder) -> Findings:
    """Write the report files of a finished run anew."""
    findings = gather(folder, Best.read(folder))
    folder.write(report_files(findings))
    return findings
