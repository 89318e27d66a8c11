"""The real value of one integer step of every tensor, chosen by what its values are."""

from __future__ import annotations

import math
from collections.abc import Mapping

from codesign.network.calibration import Calibration, covering_step
from codesign.network.graph import INPUT, Graph
from codesign.network.histogram import Histogram
from codesign.network.joins import families, is_free, leaders
from codesign.network.saturation import without_tails


class TensorSteps:
    """Steps of the tensors of one graph, to be asked for in the order of its nodes.

    Steps of tensors that meet in a join are powers of two apart where they can be, so that its
    factors are exact.
    """

    def __init__(
        self,
        graph: Graph,
        seen: Mapping[str, Histogram],
        calibration: Calibration,
        base: float | None,
    ) -> None:
        """Weigh the steps that tensors would choose alone, powers of two times any `base`."""
        self._graph, self._seen, self._calibration = graph, dict(seen), calibration
        self._base = base
        self._known: dict[tuple[str, float | None], float] = {}
        free = [INPUT, *(node.name for node in graph if is_free(node))]
        alone = {name: self._step(name, base) for name in free if not self._seen[name].is_zero}
        self._seen |= without_tails(graph, seen, alone)
        self._known.clear()
        alone = {name: self._step(name, base) for name in alone if not self._seen[name].is_zero}
        self._leaders = leaders(graph, alone)
        self._families = families(graph)
        self._bases: dict[str, float] = {}

    def choose(self, name: str, unit: float, least: float, base: float | None = None) -> float:
        """Return the step of the input, or of a node whose output can have any.

        Args:
            name: the tensor.
            unit: the step to take if nothing but zero was seen.
            least: no smaller step is possible.
            base: the step has to be a power of two times that.
        """
        base = base or self._bases.get(self._families[name], self._base)
        leader = self._leaders.get(name)
        return self.fix(name, max(unit if leader is None else self._step(leader, base), least))

    def fix(self, name: str, step: float) -> float:
        """Take note of, and return, a step that follows from others."""
        self._bases.setdefault(self._families[name], step)
        return step

    def _step(self, name: str, base: float | None) -> float:
        # powers of two times a base are also those of twice that base
        key = name, None if base is None else math.frexp(base)[0]
        if key not in self._known:
            tensor = self._graph.tensor(name)
            self._known[key] = self._calibration.step(self._seen[name], tensor, base)
        return self._known[key]


def step_of_one(graph: Graph, base: float | None) -> float:
    """Return the step of an input of which nothing but zero was seen: real images end at 1."""
    return covering_step(0.0, 1.0, graph.input, base)
