"""The best design at one interval: prices first, integer programmes for what they leave open.

Prices give a bound and good designs. Every item has a least cost of any design that contains it;
what costs more than a design already known is out. The items of least such cost are the core:
exchanges among them make the designs better (`codesign.fit.exchange`). Where the bound is not met
then, a programme is solved over a core. It is exact where all that is left out costs more than
its answer, and else says how much better a design could be at the most.

Source: Balas and Zemel, "An algorithm for large zero-one knapsack problems", Operations Research
1980 (the core); Dantzig, Fulkerson and Johnson 1954 (fixing by reduced costs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.fit.dual import CLOSE, Dual
from codesign.fit.exchange import Exchange
from codesign.fit.problem import Items
from codesign.fit.programme import solve


@dataclass(frozen=True, slots=True)
class Effort:
    """How much may be tried before the gap that is left is accepted."""

    cores: tuple[int, ...]
    """Options in each core to try, rising; whatever is left beyond the last one stays out."""
    nodes: int
    """Branches of each programme."""
    proofs_only: bool = False
    """Whether a programme is solved only where its core is all that is left."""
    starts: int = 32
    """Designs that are made better by exchanges before any programme."""
    close: float = CLOSE
    """How far from the best bound prices may stay, relative."""


EVERYTHING = 1 << 30
THOROUGH = Effort((300, 1200, 4800), 2000)
QUICK = Effort((250,), 100, proofs_only=True)
PRICES = Effort((), 0)
SKETCH = Effort((), 0, starts=8, close=1e-3)
GLANCE = Effort((300,), 20, starts=8)
SPAN = Effort((800,), 1000, proofs_only=True)
BRIEF = Effort((300, 800), 200)
ANY = Effort((300, 1200, EVERYTHING), 2000)
EXCHANGED = 800
"""Options of the core among which designs are made better by exchanges."""
SAME = 1e-5
"""Relative difference that is none where merits count: programmes are solved to about a tenth."""
ROUGH = 1e-2
"""How far from the best bound prices may stay where any design will do, relative."""
ROUNDS = 3
"""How often exchanges may reveal merits that raise the bound again."""


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best design found, and what no design can beat."""

    items: Items | None
    value: float
    bound: float
    programmes: int

    @property
    def gap(self) -> float:
        """How much better a design could be, relative to the best; 0 where it is proven."""
        if self.items is None or self.bound >= self.value - 10 * CLOSE * abs(self.value):
            return 0.0
        return (self.value - self.bound) / max(abs(self.value), CLOSE)


def minimise(
    dual: Dual, effort: Effort = THOROUGH, any_will_do: bool = False, limit: float = np.inf
) -> Optimum:
    """Return the best design of a dual's problem.

    Args:
        dual: the problem; bounds and designs that it knows already are used.
        effort: how much to try.
        any_will_do: stop at the first design.
        limit: what is of no interest if it costs as much; no bound is sought beyond it.
    """

    def enough(bound: float) -> bool:
        known = dual.best is not None and any_will_do
        return known or bound >= min(dual.value, limit) * (1 - CLOSE)

    close = ROUGH if any_will_do else effort.close
    for _ in range(ROUNDS):
        before, first = (dual.bound, dual.value), dual.prices and dual.prices[0]
        dual.tighten(lambda known: enough(known.bound), first, close)
        if enough(dual.bound):
            break
        core = _core(dual, dual.least(), EXCHANGED, limit)[0]
        _exchange(dual, core, effort.starts, lambda: enough(dual.bound))
        if len(dual.merits) < 2 or before == (dual.bound, dual.value):
            break
    bound, programmes = dual.bound, 0
    least = np.zeros(0) if enough(bound) else dual.least()
    for size in effort.cores:
        if enough(bound):
            break
        core, beyond = _core(dual, least, size, limit)
        if effort.proofs_only and beyond < np.inf:
            break
        inside = _programme(dual, core, least[core], effort.nodes, any_will_do)
        programmes += inside.programmes
        bound = max(bound, min(inside.bound, beyond))
        if beyond == np.inf:
            break
    return Optimum(dual.best, dual.value, min(bound, dual.value, limit), programmes)


def _exchange(dual: Dual, core: NDArray[np.intp], starts: int, enough: Callable[[], bool]) -> None:
    """Make the best designs better by exchanges among some items, until one is good enough."""
    candidates = np.zeros(len(dual.open), bool)
    candidates[core] = True
    exchange = Exchange(dual.problem, dual.columns, candidates)
    for start in dual.promising(starts):
        dual.offer(exchange.improved(start, dual.price))
        if enough():
            return


def _core(
    dual: Dual, least: NDArray[np.float64], size: int, limit: float
) -> tuple[NDArray[np.intp], float]:
    """Return the items of least cost, so many options at the most, and the least cost beyond.

    What costs more than a known design, or than the limit, is not beyond: it is out.
    """
    options = least[: dual.problem.options]
    costs = np.sort(options[options < np.inf])
    interesting = min(dual.value, limit)
    most = interesting
    if len(costs) > size:
        most = min(most, float(costs[size]))
    inside = least <= most + CLOSE * abs(most) if most < np.inf else least < np.inf
    beyond = float(least[~inside].min(initial=np.inf))
    return np.flatnonzero(inside), np.inf if beyond > interesting else beyond


def _programme(
    dual: Dual,
    core: NDArray[np.intp],
    least: NDArray[np.float64],
    nodes: int,
    any_will_do: bool,
) -> Optimum:
    """Solve the programme over some items of known least costs.

    Merits that its answers reveal are added; what they leave out is left out of the next one.
    """
    programmes = 0
    while True:
        programmes += 1
        merits = len(dual.merits)
        answer = solve(dual, core, range(merits), nodes, any_will_do)
        if answer.items is None:
            return Optimum(None, np.inf, answer.bound, programmes)
        dual.offer(answer.items)
        left = least <= dual.value * (1 + SAME)
        core, least = core[left], least[left]
        own = dual.greatest_of(answer.items)
        if own is None or own < merits or answer.bound >= dual.value * (1 - SAME):
            return Optimum(answer.items, dual.value, answer.bound, programmes)
