"""The Pareto front as a table that any program reads."""

from __future__ import annotations

import csv
import io

from codesign.report.findings import Findings


def pareto(findings: Findings) -> dict[str, str]:
    """Return `pareto.csv`: one row per trial of the front, best first objective first.

    Values are in full precision with the unit in their name; the objectives come first. Without
    a search there is no front and no file.
    """
    if not findings.objectives:
        return {}
    objectives = [objective.name for objective in findings.objectives]
    others = {name for trial in findings.front for name in trial.values} - set(objectives)
    columns = [*objectives, *sorted(others)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["number", "chosen", *columns, "seed", "seconds", "key"])
    for trial in findings.front:
        chosen = "yes" if trial.number == findings.chosen else "no"
        values = [repr(trial.values[name]) if name in trial.values else "" for name in columns]
        seconds = f"{trial.seconds:.3f}"
        writer.writerow([trial.number, chosen, *values, trial.seed, seconds, trial.key])
    return {"pareto.csv": text.getvalue()}
