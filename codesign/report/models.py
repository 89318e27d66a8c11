"""The reference networks, as a table for a person or as plain values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from codesign.network.model import NORM_RULES, Figure, Model
from codesign.report.columns import columns
from codesign.report.quantities import shape_text

_HEADS = ("model", "input", "MACs", "published", "parameters", "published", "by")


def models_table(models: Iterable[Model]) -> str:
    """Return one line per network; parameters are counted as its publication does."""
    rows = [
        (
            model.name,
            shape_text(model.input.shape),
            f"{model.graph().macs:,}",
            _printed(model.published_macs),
            f"{model.counted_parameters():,}",
            _printed(model.published_parameters),
            _short(model.published_parameters),
        )
        for model in models
    ]
    return columns(_HEADS, rows, right=(2, 3, 4, 5))


def model_text(model: Model) -> str:
    """Return what is known of one network, with the sources of its figures in full."""
    graph = model.graph()
    counted = f"{model.counted_parameters():,}"
    lines = [
        f"{model.name}: {model.title}, {len(graph.nodes)} layers",
        f"input       {shape_text(model.input.shape)}",
        f"MACs        {graph.macs:,}; published: {_cited(model.published_macs)}",
        f"parameters  {counted}; published: {_cited(model.published_parameters)}",
        f"            {NORM_RULES[model.norm_numbers]}",
        f"            {graph.parameters:,} weights and biases once all is fused",
    ]
    return "\n".join(lines)


def model_json(model: Model) -> dict[str, Any]:
    """Return what is known of one network as plain values."""
    graph = model.graph()
    return {
        "name": model.name,
        "title": model.title,
        "input": list(model.input.shape),
        "outputs": [list(graph.tensor(name).shape) for name in graph.outputs],
        "layers": len(graph.nodes),
        "macs": graph.macs,
        "parameters": model.counted_parameters(),
        "parameters_count": NORM_RULES[model.norm_numbers],
        "fused_parameters": graph.parameters,
        "published_macs": _figure_json(model.published_macs),
        "published_parameters": _figure_json(model.published_parameters),
    }


def _figure_json(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {"value": figure.value, "to": figure.digit, "source": figure.source}


def _printed(figure: Figure | None) -> str:
    """Return a figure with the digits that were published."""
    if figure is None:
        return "-"
    if figure.digit == 1:
        return f"{figure.value:,}"
    unit, prefix = (1e9, "G") if figure.value >= 1e9 or figure.digit >= 1e8 else (1e6, "M")
    decimals = max(0, math.ceil(math.log10(unit / figure.digit)))
    return f"{figure.value / unit:.{decimals}f} {prefix}"


def _cited(figure: Figure | None) -> str:
    return "nothing to compare with" if figure is None else f"{_printed(figure)} ({figure.source})"


def _short(figure: Figure | None) -> str:
    """Return who published a figure."""
    return figure.source.partition(",")[0] if figure else "-"
