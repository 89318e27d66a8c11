"""All report files of a run, as text."""

from __future__ import annotations

from codesign.report.findings import Findings
from codesign.report.page import page
from codesign.report.pareto import pareto
from codesign.report.resource_fit import resource_fit


def report_files(findings: Findings) -> dict[str, str]:
    """Return every report file by its path in the run's folder; the caller writes them."""
    return page(findings) | resource_fit(findings) | pareto(findings)
