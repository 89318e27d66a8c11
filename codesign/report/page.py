"""One page for a person: `report.html`, which needs nothing but the script beside it."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from codesign.hardware.board import RESOURCES
from codesign.load import resource_folder
from codesign.report import quantities
from codesign.report.breakdown import beside_layers, fifo_rows, layer_rows, resource_rows
from codesign.report.explain import (
    CAVEATS,
    binding,
    misses,
    remedies,
    sources,
    verdict,
    wish_text,
)
from codesign.report.figure import Figure
from codesign.report.findings import Findings
from codesign.report.front_figure import front_figure
from codesign.report.performance import performance
from codesign.report.resource_figure import resource_figure
from codesign.report.roofline_figure import roofline_figure, roofline_layers
from codesign.report.waiting import batch_rows, stall_rows

SCRIPT = "plotly.min.js"


def page(findings: Findings) -> dict[str, str]:
    """Return `report.html` and the one script that draws its figures."""
    html = environment().get_template("report.html.j2").render(_names(findings))
    return {"report.html": html, SCRIPT: get_plotlyjs()}


@cache
def environment() -> jinja2.Environment:
    """Return an environment that escapes whatever a template prints."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_folder("templates") / "report"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in ("count", "percent", "ratio", "si", "shape_text", "shown"):
        environment.filters[name] = getattr(quantities, name)
    environment.filters["label"] = lambda name: quantities.quantity(name).label
    environment.filters["wish_text"] = wish_text
    return environment


def _names(findings: Findings) -> dict[str, Any]:
    """Return what the template may use."""
    return {
        "findings": findings,
        "estimate": findings.estimate,
        "script": SCRIPT,
        "verdict": verdict(findings),
        "good": findings.fits and findings.wish_met,
        "misses": misses(findings),
        "remedies": remedies(findings),
        "binding": binding(findings),
        "resources": RESOURCES,
        "resource_rows": resource_rows(findings),
        "layer_rows": layer_rows(findings),
        "beside_layers": beside_layers(findings),
        "fifo_rows": fifo_rows(findings),
        "stall_rows": stall_rows(findings),
        "batch_rows": batch_rows(findings),
        "performance": {row.name: row for row in performance(findings)},
        "roofline_layers": roofline_layers(findings),
        "accuracy_ranges": _accuracy_ranges(findings),
        "caveats": CAVEATS,
        "sources": sources(findings),
        "figures": {figure.name: figure for figure in _figures(findings)},
    }


def _figures(findings: Findings) -> list[Figure]:
    figures = (front_figure(findings), resource_figure(findings), roofline_figure(findings))
    return [figure for figure in figures if figure]


def _accuracy_ranges(findings: Findings) -> dict[str, tuple[float, float]]:
    """Return, per split of known size, where the accuracy on further images is expected."""
    return {
        split: quantities.accuracy_range(share, findings.images[split])
        for split, share in findings.accuracies.items()
        if findings.images.get(split)
    }
