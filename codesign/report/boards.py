"""What a run for several boards tells: one row per board, and every board's front."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.report.columns import columns
from codesign.report.findings import Findings
from codesign.report.page import environment
from codesign.report.pareto import pareto
from codesign.report.quantities import shown

_COLUMNS = {
    "fps": "rate",
    "latency_s": "latency",
    "energy_j": "energy",
    "lut": "LUT",
    "dsp": "DSP",
    "bram18": "BRAM18",
}
_SPLIT = "test"


@dataclass(frozen=True, slots=True)
class BoardsFindings:
    """What was found for every board of one search."""

    share: str
    """Whether "each" board has a network of its own, or all have "one"."""
    boards: Mapping[str, Findings]
    missing: Mapping[str, str]
    """Boards without an answer that keeps the wish, and why."""

    def told(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "share": self.share,
            "boards": {name: _told(own) for name, own in self.boards.items()},
            "missing": dict(self.missing),
        }


def boards_summary(findings: BoardsFindings, folder: Path) -> str:
    """Return the result in plain lines."""
    heads, rows = _table(findings)
    network = "one network for all boards" if findings.share == "one" else "one network each"
    lines = [f"result     {network}", columns(heads, rows, right=range(1, len(heads)))]
    lines += [f"missing    {name}: {why}" for name, why in findings.missing.items()]
    lines += [f"files      {folder / name}" for name in (*findings.boards, "report.html")]
    return "\n".join(lines)


def boards_files(findings: BoardsFindings) -> dict[str, str]:
    """Return `report.html`, which leads to every board's own, and `pareto.csv` of all boards."""
    heads, rows = _table(findings)
    names = {"findings": findings, "heads": heads, "rows": rows}
    html = environment().get_template("boards.html.j2").render(names)
    return {"report.html": html, "pareto.csv": _fronts(findings)}


def _told(own: Findings) -> dict[str, Any]:
    return {
        "chosen": own.chosen,
        "front": [trial.number for trial in own.front],
        "fits": own.fits,
        "wish_met": own.wish_met,
        "proven": own.proven,
        "accuracy": dict(own.accuracies),
        "values": own.values,
    }


def _table(findings: BoardsFindings) -> tuple[list[str], list[list[str]]]:
    """Return the heads and rows of the table of all boards."""
    heads = ["board", "trial", "accuracy", *_COLUMNS.values(), "front"]
    rows = []
    for name, own in findings.boards.items():
        share = own.accuracies.get(_SPLIT)
        accuracy = "-" if share is None else shown("accuracy", share)
        values = [shown(column, own.values[column]) for column in _COLUMNS]
        rows.append([name, str(own.chosen), accuracy, *values, str(len(own.front))])
    return heads, rows


def _fronts(findings: BoardsFindings) -> str:
    """Return the fronts of all boards as one table, with the board in the first column."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place, (name, own) in enumerate(findings.boards.items()):
        head, *rows = csv.reader(io.StringIO(pareto(own)["pareto.csv"]))
        if not place:
            writer.writerow(["board", *head])
        writer.writerows([name, *row] for row in rows)
    return text.getvalue()
