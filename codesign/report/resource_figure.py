"""Resources of the board as bars with ranges and ceilings."""

from __future__ import annotations

from codesign.report.breakdown import resource_rows
from codesign.report.figure import BLUE, GREY, ORANGE, RED, Figure, Trace
from codesign.report.findings import Findings
from codesign.report.quantities import count, percent, quantity


def resource_figure(findings: Findings) -> Figure:
    """Show what the design takes of every resource the board has, with range and ceiling."""
    rows = [row for row in resource_rows(findings) if row.total][::-1]
    labels = [quantity(row.name).label for row in rows]
    used = [100 * row.share for row in rows]
    colours = {"fits": BLUE, "may not fit": ORANGE, "exceeds": RED}
    bars: Trace = {
        "type": "bar",
        "name": "used, with its range",
        "orientation": "h",
        "x": used,
        "y": labels,
        "marker": {"color": [colours[row.state] for row in rows]},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [100 * (row.high - row.used) / row.total for row in rows],
            "arrayminus": [100 * (row.used - row.low) / row.total for row in rows],
            "color": GREY,
            "thickness": 1.5,
        },
        "hovertext": [f"{count(row.used)} of {count(row.total)}" for row in rows],
        "hoverinfo": "text+y",
    }
    ceilings: Trace = {
        "type": "scatter",
        "name": "ceiling",
        "mode": "markers",
        "x": [100 * row.ceiling for row in rows],
        "y": labels,
        "marker": {"symbol": "line-ns", "size": 26, "line": {"width": 3, "color": RED}},
        "hovertemplate": "ceiling %{x:.0f} %<extra></extra>",
    }
    longest = max(100.0, *(100 * row.high / row.total for row in rows))
    layout = {
        "height": 70 + 46 * len(rows),
        "xaxis": {"title": {"text": "share of the board [%]"}, "range": [0, 1.02 * longest]},
        "yaxis": {"automargin": True},
        "showlegend": False,
        "bargap": 0.45,
    }
    said = (f"{quantity(row.name).label} {percent(row.share)}" for row in rows[::-1])
    return Figure("resources", f"Used of the board: {', '.join(said)}.", (bars, ceilings), layout)
