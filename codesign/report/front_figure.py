"""The Pareto front among all trials."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from codesign.report.figure import BLUE, GREY, LEGEND, RED, SI_TICKS, Figure, Trace, axis
from codesign.report.findings import ACCURACY, Findings
from codesign.report.quantities import count, quantity, shown
from codesign.search import pareto
from codesign.search.trial import Objective, Trial

_FAILED = {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": GREY}}
_OTHER = {"symbol": "circle", "size": 7, "opacity": 0.55, "color": GREY}
_CHOSEN = {"symbol": "circle-open", "size": 22, "color": RED, "line": {"width": 3}}
_COLOUR = "energy_j"
_EDGE = "edge of what was reached"


def front_figure(findings: Findings) -> Figure | None:
    """Show all trials, the front and the choice in the plane of two objectives.

    The plane is that of accuracy and the first other objective. None without a search; a search
    for one thing alone shows it over the number of the trial.
    """
    if not findings.objectives:
        return None
    vertical, across = _plane(findings.objectives)
    axes = [vertical.name, *([across.name] if across else [])]
    drawn = [trial for trial in findings.trials if set(axes) <= set(trial.values)]
    numbers = {trial.number for trial in findings.front}
    front = [trial for trial in drawn if trial.number in numbers]
    rest = [trial for trial in drawn if trial.feasible and trial.number not in numbers]
    failed = [trial for trial in drawn if not trial.feasible]
    chosen = [trial for trial in drawn if trial.number == findings.chosen]
    traces = [
        _trials("misses the wish", failed, vertical, across) | {"marker": _FAILED},
        _trials("other trials", rest, vertical, across) | {"marker": _OTHER},
        _edge(front, vertical, across),
        _trials("Pareto front", front, vertical, across) | {"marker": _coloured(front)},
        _trials("chosen", chosen, vertical, across) | {"marker": _CHOSEN},
    ]
    horizontal = axis(across.name) if across else {"title": {"text": "trial"}}
    label = quantity(across.name).label if across else "the number of the trial"
    heights = [trial.values[vertical.name] for trial in drawn]
    frame = _frame(traces, heights) if vertical.maximize else []
    outside = sum(1 for height in heights if frame and height < frame[0])
    text = (
        f"{count(len(findings.trials))} trials, {count(len(findings.front))} of them on the front, "
        f"drawn as {quantity(vertical.name).label} over {label}."
    )
    if outside:
        text += f" Outside the frame: {count(outside)}; a double click shows all."
    layout = {
        "height": 440,
        "hovermode": "closest",
        "xaxis": horizontal,
        "yaxis": axis(vertical.name) | ({"range": frame} if frame else {}),
        "legend": LEGEND,
    }
    return Figure("front", text, tuple(trace for trace in traces if trace["x"]), layout)


def _plane(objectives: Sequence[Objective]) -> tuple[Objective, Objective | None]:
    """Return the objectives of the vertical and of the horizontal axis."""
    vertical = next((o for o in objectives if o.name == ACCURACY), objectives[0])
    others = [objective for objective in objectives if objective is not vertical]
    return vertical, others[0] if others else None


def _place(trial: Trial, across: Objective | None) -> float:
    return trial.values[across.name] if across else float(trial.number)


def _trials(
    name: str, trials: Sequence[Trial], vertical: Objective, across: Objective | None
) -> Trace:
    return {
        "type": "scatter",
        "name": name,
        "mode": "markers",
        "x": [_place(trial, across) for trial in trials],
        "y": [trial.values[vertical.name] for trial in trials],
        "hovertext": [_hover(trial) for trial in trials],
        "hoverinfo": "text",
    }


def _edge(front: Sequence[Trial], vertical: Objective, across: Objective | None) -> Trace:
    """Return the stair that bounds what the front dominates in this plane."""
    on_edge = pareto.front(front, (vertical, across)) if across else []
    on_edge.sort(key=lambda trial: _place(trial, across))
    shape = "vh" if across and across.maximize else "hv"
    return _trials(_EDGE, on_edge, vertical, across) | {
        "mode": "lines",
        "line": {"color": BLUE, "width": 1.5, "shape": shape},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _frame(traces: Sequence[Trace], heights: Sequence[float]) -> list[float]:
    """Return the vertical range that shows the edge well; empty where there is no edge to show.

    A few trials that learned nothing would otherwise press all others together.
    """
    edge = next(trace["y"] for trace in traces if trace["name"] == _EDGE)
    if len(set(edge)) < 2:
        return []
    low, high = min(edge), max(heights)
    return [low - (high - low), high + 0.1 * (high - low)]


def _hover(trial: Trial) -> str:
    names = [name for name in ("accuracy", "fps", "latency_s", "energy_j") if name in trial.values]
    lines = [f"{quantity(name).label} {shown(name, trial.values[name])}" for name in names]
    broken = [f"misses {escape(text)}" for text in trial.violations]
    return "<br>".join([f"trial {trial.number}", *lines, *broken])


def _coloured(front: Sequence[Trial]) -> Trace:
    """Return the front's markers, in the colour of their energy where it is known."""
    marker: Trace = {"size": 11, "color": BLUE, "line": {"width": 1, "color": GREY}}
    if not all(_COLOUR in trial.values for trial in front):
        return marker
    return marker | {
        "color": [trial.values[_COLOUR] for trial in front],
        "colorscale": "Viridis",
        "showscale": True,
        "colorbar": {
            "title": {"text": "energy<br>per image", "font": {"size": 13}},
            "tickformat": SI_TICKS,
            "ticksuffix": "J",
            "thickness": 12,
            "len": 0.9,
        },
    }
