"""The integer programme: one option per layer, shared budgets.

Width conversions between neighbours are part of it: for each edge a flow from the producer's
widths to the consumer's, which is integral as soon as the options are, so that the programme
stays exact and only the options need integer variables.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from codesign.fit.dual import Dual
from codesign.fit.problem import Items, Problem
from codesign.fit.worth import Worth

Values = NDArray[np.float64]

_INFEASIBLE = 2
"""What `milp` answers where nothing meets all rows."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a programme found; `items` is None if it found nothing that is cheap enough."""

    items: Items | None
    bound: float
    """No design within the items given costs less; infinite if there is none."""


def solve(
    dual: Dual,
    kept: NDArray[np.intp],
    merits: Sequence[int],
    nodes: int,
    any_will_do: bool = False,
) -> Answer:
    """Choose items of least cost.

    Args:
        dual: the problem.
        kept: the items to choose from.
        merits: those of the dual's that are taken into account, by number.
        nodes: branches to try before the bound so far has to do.
        any_will_do: stop at the first design.
    """
    problem, worth = dual.problem, dual.worth
    model = _model(dual.costs[kept], worth, [dual.merits[number][kept] for number in merits])
    joins = _joins(problem, kept)
    others = len(model.prices)
    joins = sparse.hstack([joins, sparse.csr_matrix((joins.shape[0], others))])
    right = np.zeros(joins.shape[0])
    right[: problem.tables] = 1.0
    none = np.zeros(len(kept))
    with _quiet():
        found = milp(
            c=np.concatenate([none, model.prices]),
            constraints=[
                LinearConstraint(model.rows, -np.inf, 0.0),
                LinearConstraint(joins, right, right),
            ],
            integrality=np.concatenate([kept < problem.options, np.zeros(others)]),
            bounds=Bounds(
                np.concatenate([none, model.lower]), np.concatenate([none + 1.0, model.upper])
            ),
            options={"mip_rel_gap": np.inf if any_will_do else 0.0, "node_limit": nodes},
        )
    if found.status == _INFEASIBLE:
        return Answer(None, np.inf)
    bound = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
    if found.x is None:
        return Answer(None, bound + worth.least)
    return Answer(kept[found.x[: len(kept)] > 0.5], bound + worth.least)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what HiGHS prints, whatever its options, off standard output: answers belong there."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


@dataclass(frozen=True, slots=True)
class _Model:
    """Behind the items' columns: three segments of usage per resource, the greatest merit."""

    prices: Values
    lower: Values
    upper: Values
    rows: sparse.csr_matrix
    """What the items take is no more than the segments, and no merit more than the greatest."""


def _model(costs: Values, worth: Worth, merits: Sequence[Values]) -> _Model:
    resources = costs.shape[1]
    unit = np.maximum(worth.budget, 1.0)
    knots = np.maximum(worth.knots / unit[:, None], 0.0)
    last = np.full(resources, 0.0 if worth.hard else np.inf)
    widths = np.column_stack([knots[:, 0], knots[:, 1] - knots[:, 0], last])
    scale = max([1.0, *(float(np.abs(merit).max()) for merit in merits)])
    own = np.array(merits).reshape(len(merits), len(costs)) / scale
    segments = -np.kron(np.eye(resources), np.ones(3))
    rows = np.block(
        [
            [costs.T / unit[:, None], segments, np.zeros((resources, 1))],
            [own, np.zeros((len(merits), 3 * resources)), -np.ones((len(merits), 1))],
        ]
    )
    return _Model(
        prices=np.concatenate([(worth.slopes * unit[:, None]).ravel(), [scale]]),
        lower=np.concatenate([np.zeros(3 * resources), [-np.inf if len(merits) else 0.0]]),
        upper=np.concatenate([widths.ravel(), [np.inf]]),
        rows=sparse.csr_matrix(rows),
    )


def _joins(problem: Problem, kept: NDArray[np.intp]) -> sparse.csr_matrix:
    """Return the rows: one item per table, and agreeing widths at both ends of every edge."""
    tables = problem.tables
    where = np.full(len(problem.table), -1)
    where[kept] = np.arange(len(kept))
    meetings = problem.meetings
    present = where[meetings.items] >= 0
    rows = np.concatenate([problem.table[kept], meetings.rows[present] + tables])
    columns = np.concatenate([np.arange(len(kept)), where[meetings.items[present]]])
    signs = np.concatenate([np.ones(len(kept)), meetings.signs[present]])
    shape = (tables + meetings.count, len(kept))
    return sparse.csr_matrix((signs, (rows, columns)), shape)
