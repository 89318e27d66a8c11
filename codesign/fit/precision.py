"""What the bits of a network's weights cost in hardware: the best design for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.network.knapsack import Picked
from codesign.network.network import FloatNetwork
from codesign.network.widths import with_widths


def interval_of_widths(
    network: FloatNetwork,
    board: Board,
    clock_hz: float,
    budget: Mapping[str, int] | None = None,
) -> Callable[[Picked], float]:
    """Return a function from weight bits by layer to the shortest interval of a design.

    It is what `codesign.network.precision.mixed_precision` takes as its cost, the longest
    interval that will do being the budget there. Accumulators are as wide as any weights of these
    bits could need.

    Args:
        network: the network whose weights get other bits.
        board: the board.
        clock_hz: the clock.
        budget: resources to use instead of the board's, per name, e.g. `{"bram18": 40}`.

    Returns:
        a function whose value is in cycles between images; infinite where nothing fits.
    """

    def interval(widths: Picked) -> float:
        graph = with_widths(network, widths).graph
        answer = fit(graph, board, clock_hz, budget=budget)
        return float(answer.interval) if answer.feasible else inf

    return interval
