"""The roofline of the design on its board, and of every layer on its engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from itertools import starmap
from typing import Any

from codesign.cost.roofline import RooflinePoint
from codesign.report.figure import BLUE, GREY, ORANGE, SI_TICKS, Figure, Trace
from codesign.report.findings import Findings
from codesign.report.quantities import percent, ratio, si

_RIGHT = {"xaxis": "x2", "yaxis": "y2"}


def roofline_figure(findings: Findings) -> Figure | None:
    """Show the design below the roofs of the board, and layers below those of their engines.

    None for a network that multiplies nothing.
    """
    if not findings.estimate.macs:
        return None
    board = findings.estimate.roofline
    layers = roofline_layers(findings)
    traces = [
        _roof(board, findings.board.title),
        _points("design", [replace(board, name="design")], ORANGE, "diamond", 13),
        _points("layer", layers, BLUE, "circle", 9) | _RIGHT,
        _attainable(layers) | _RIGHT,
        *(_gap(point) | _RIGHT for point in layers),
    ]
    title = {"text": "operations per byte to and from the host"}
    intensity = {"type": "log", "title": title, "dtick": 1}
    speed = {"type": "log", "title": {"text": "op/s"}, "tickformat": SI_TICKS, "dtick": 1}
    layout = {
        "height": 430,
        "grid": {"rows": 1, "columns": 2, "pattern": "independent", "xgap": 0.16},
        "xaxis": intensity,
        "yaxis": speed,
        "xaxis2": intensity | {"title": {"text": "operations per byte over the engine's ports"}},
        "yaxis2": speed,
        "annotations": list(starmap(_heading, ((0.0, "on the board"), (0.58, "on its engine")))),
        "showlegend": False,
    }
    reached = percent(board.achieved_ops_per_s / board.attainable_ops_per_s, 2)
    text = (
        f"The design makes {si(board.achieved_ops_per_s, 'op/s')}, {reached} of what the board "
        f"attains at {ratio(board.intensity)} operations per byte; the lower roof there is "
        f"{board.bound}. {len(layers)} layers multiply, each below the roof of its own engine."
    )
    return Figure("roofline", text, tuple(traces), layout)


def roofline_layers(findings: Findings) -> list[RooflinePoint]:
    """Return the layers that multiply; the others have no place in a roofline."""
    points = (layer.roofline for layer in findings.estimate.layers)
    return [point for point in points if point.achieved_ops_per_s > 0 and point.peak_ops_per_s > 0]


def _roof(point: RooflinePoint, title: str) -> Trace:
    """Return the two roofs of one machine around where its point lies."""
    ridge = point.peak_ops_per_s / point.bytes_per_s
    ends = (min(point.intensity, ridge) / 10, max(point.intensity, ridge) * 10)
    speeds = [min(point.peak_ops_per_s, x * point.bytes_per_s) for x in (ends[0], ridge, ends[1])]
    return {
        "type": "scatter",
        "name": f"roofs of the {escape(title)}",
        "mode": "lines",
        "x": [ends[0], ridge, ends[1]],
        "y": speeds,
        "line": {"color": GREY, "width": 2.5},
        "hovertemplate": "%{y:.3s}op/s at %{x:.3g} op/byte<extra>roof</extra>",
    }


def _points(
    name: str, points: Sequence[RooflinePoint], colour: str, symbol: str, size: int
) -> Trace:
    return {
        "type": "scatter",
        "name": name,
        "mode": "markers+text",
        "cliponaxis": False,
        "x": [point.intensity for point in points],
        "y": [point.achieved_ops_per_s for point in points],
        "text": [escape(point.name) for point in points],
        # neighbours with nearly the same place do not cover each other's names
        "textposition": [("bottom left", "bottom right")[i % 2] for i in range(len(points))],
        "marker": {"color": colour, "symbol": symbol, "size": size},
        "hovertemplate": "%{text}: %{y:.3s}op/s at %{x:.3g} op/byte<extra></extra>",
    }


def _attainable(points: Sequence[RooflinePoint]) -> Trace:
    return {
        "type": "scatter",
        "name": "its engine's roof",
        "mode": "markers",
        "x": [point.intensity for point in points],
        "y": [point.attainable_ops_per_s for point in points],
        "marker": {"color": GREY, "symbol": "line-ew", "size": 22, "line": {"width": 2.5}},
        "hovertemplate": "attainable %{y:.3s}op/s<extra></extra>",
    }


def _gap(point: RooflinePoint) -> Trace:
    """Return the line from what a layer makes up to what its engine could."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [point.intensity] * 2,
        "y": [point.achieved_ops_per_s, point.attainable_ops_per_s],
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "showlegend": False,
        "hoverinfo": "skip",
    }


def _heading(left: float, text: str) -> dict[str, Any]:
    return {
        "text": f"<b>{'the design' if left == 0 else 'every layer'} {text}</b>",
        "x": left,
        "xref": "paper",
        "xanchor": "left",
        "y": 1.04,
        "yref": "paper",
        "yanchor": "bottom",
        "showarrow": False,
    }
