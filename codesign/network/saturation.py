"""The part of a tensor's range within which the functions that read it still change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from codesign.network.floats import Floats
from codesign.network.functions import FUNCTIONS
from codesign.network.graph import Graph
from codesign.network.histogram import Histogram
from codesign.network.joins import makers
from codesign.network.ops.table import Table


def without_tails(
    graph: Graph, seen: Mapping[str, Histogram], wanted: Mapping[str, float]
) -> dict[str, Histogram]:
    """Return the histograms of tensors that only tables read, clipped to where these answer.

    A sigmoid of 20 is that of 8 to any eight bits; steps that reach as far as 20 are coarse where
    it matters.

    Args:
        graph: the network.
        seen: the histograms of all tensors.
        wanted: the steps of the tables' answers.
    """
    made_by = makers(graph)
    answering = {made_by[name] for name in graph.outputs}
    readers: dict[str, list[str]] = {}
    for node in graph:
        if made_by[node.name] == node.name:
            for name in node.inputs:
                readers.setdefault(made_by[name], []).append(node.name)
    found = {}
    for name, names in readers.items():
        tables = [(graph[n].op, wanted.get(n)) for n in names]
        limits = [_limits(op, seen[name], step) for op, step in tables if isinstance(op, Table)]
        if len(limits) == len(names) and name not in answering:
            low, high = min(low for low, _ in limits), max(high for _, high in limits)
            found[name] = seen[name].within(low, high)
    return found


def _limits(table: Table, seen: Histogram, step: float | None) -> tuple[float, float]:
    """Return where, beyond on either side, the answers stay within half a step."""
    values, _ = seen.held()
    if table.channels > 1 or step is None:
        return seen.low, seen.high
    shared = values.reshape(1, 1, -1)
    answers = FUNCTIONS[table.function].compute(shared, *table.parameters).ravel()
    lower = values[_tail(answers, step / 2)]
    upper = values[::-1][_tail(answers[::-1], step / 2)]
    return min(float(lower), 0.0), max(float(upper), 0.0)


def _tail(answers: Floats, tolerance: float) -> int:
    """Return the last place up to which all answers lie that close together."""
    spread = np.maximum.accumulate(answers) - np.minimum.accumulate(answers)
    return int(np.searchsorted(spread, tolerance, side="right")) - 1
