"""Options that no optimum needs, although their stream widths differ from better ones.

An engine with other widths may want other width conversions on both sides. If it is still no
dearer in any resource when its neighbours are as unkind as they can be, the option that it beats
can go: whatever the rest of the design is, swapping the two makes it no worse.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from codesign.fit.programme import Edge, Layer

_TOLERANCE = 1e-9


def undominated(layers: Sequence[Layer], edges: Sequence[Edge]) -> list[NDArray[np.intp]]:
    """Return, for every layer, the numbers of the options that are worth keeping."""
    return [_kept(number, layer, layers, edges) for number, layer in enumerate(layers)]


def _kept(
    number: int, layer: Layer, layers: Sequence[Layer], edges: Sequence[Edge]
) -> NDArray[np.intp]:
    resources = layer.costs.shape[1]
    extra = np.zeros((len(layer.costs), len(layer.costs), resources))
    for edge in edges:
        if edge.sink == number:
            others = None if edge.source < 0 else layers[edge.source].output_lanes
            extra += _penalty(edge, 1, layer.input_lanes, others)
        if edge.source == number:
            others = None if edge.sink < 0 else layers[edge.sink].input_lanes
            extra += _penalty(edge, 0, layer.output_lanes, others)
    # swapped[a, b]: what option a takes in the place of b, at the worst
    swapped = layer.costs[:, None, :] + extra
    no_dearer = np.all(swapped <= layer.costs[None, :, :] + _TOLERANCE, axis=2)
    mutual = no_dearer & no_dearer.T
    earlier = np.tri(len(layer.costs), k=-1, dtype=bool).T
    beats = (no_dearer & ~mutual) | (mutual & earlier)
    return np.flatnonzero(~np.any(beats, axis=0))


def _penalty(
    edge: Edge, end: int, own: NDArray[np.int64], others: NDArray[np.int64] | None
) -> NDArray[np.float64]:
    """Return `[a, b, resources]`: what the edge takes more, at the worst, with a instead of b.

    Args:
        edge: the stream.
        end: which end of its pairs is the layer's own: 0 the producer's, 1 the consumer's.
        own: the layer's width, per option.
        others: the widths that the other end may have; None at the world outside.
    """
    widths, place = np.unique(own, return_inverse=True)
    far = sorted({pair[1 - end] for pair in edge.pairs})
    if others is not None:
        far = [width for width in far if width in others]
    table = np.full((len(far), len(widths), edge.costs.shape[1]), np.inf)
    columns = {int(width): column for column, width in enumerate(widths)}
    rows = {width: row for row, width in enumerate(far)}
    for pair, cost in zip(edge.pairs, edge.costs, strict=True):
        row, column = rows.get(pair[1 - end]), columns.get(pair[end])
        if row is not None and column is not None:
            table[row, column] = cost
    with np.errstate(invalid="ignore"):
        more = table[:, :, None, :] - table[:, None, :, :]
    # where b cannot be joined either, nothing is lost by taking a
    more = np.where(np.isnan(more), 0.0, more)
    worst = more.max(axis=0) if far else np.zeros((len(widths), len(widths), table.shape[2]))
    return worst[place[:, None], place[None, :]]
