"""The form of a figure: a plain Plotly specification, without the colours of text and paper.

The page adds what depends on the reader: the colours of a light or a dark screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from codesign.report.quantities import quantity

Trace = dict[str, Any]

BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#8a939c"
"""Colours that the colour-blind tell apart. Source: Okabe and Ito, "Color universal design"."""

SI_TICKS = "~s"
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure; `text` says what it shows to those who cannot see it."""

    name: str
    text: str
    traces: tuple[Trace, ...]
    layout: dict[str, Any]

    def spec(self) -> dict[str, Any]:
        """Return what Plotly draws."""
        return {"data": list(self.traces), "layout": self.layout}


def axis(name: str) -> dict[str, Any]:
    """Return the axis of a named value: its title, and ticks that carry prefix and unit."""
    known = quantity(name)
    title = {"title": {"text": escape(known.label)}}
    if known.unit == "%":
        return title | {"tickformat": ".1%"}
    suffix = "" if known.unit == "MHz" else known.unit
    return title | {"tickformat": SI_TICKS, "ticksuffix": suffix}
