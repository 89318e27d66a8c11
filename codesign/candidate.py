"""One network on its best design: decode, fit, price, train; the dearest step last."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.evaluator import Evaluator, accuracy
from codesign.cost.estimate import estimate
from codesign.fit.dataflow import Fit, fit
from codesign.fit.diagnosis import Diagnosis, diagnose
from codesign.fit.goal import Goal
from codesign.hardware.board import Board
from codesign.network import serialize
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import Network
from codesign.search.trial import Constraint, Outcome, violations
from codesign.space import Point


@dataclass(frozen=True, slots=True)
class Target:
    """The hardware side of a wish: where the network has to run, and how."""

    board: Board
    clocks_hz: tuple[float, ...]
    """Clocks to choose from."""
    objective: str | Goal
    constraints: tuple[Constraint, ...]

    def fit(self, graph: Graph) -> Fit:
        """Return the best design of a graph under this wish.

        The cycles of a design and what it takes do not depend on its clock. So the fastest clock
        leaves most cycles between images, and every design is best at it in interval, latency and
        energy (less static power per image): it is part of every optimum. Where the smallest
        design was asked for, it then gets the slowest clock that still keeps the wished rate.
        """
        fastest = max(self.clocks_hz)
        answer = fit(
            graph,
            self.board,
            fastest,
            self.objective,
            longest_interval=self.longest_interval(fastest),
            budget=self.tightened,
        )
        if self.objective != "resources" or not answer.feasible:
            return answer
        clock_hz = self._slowest_clock(answer.interval)
        return replace(answer, design=replace(answer.design, clock_hz=clock_hz))

    def diagnose(self, graph: Graph) -> Diagnosis:
        """Say why no design of a graph fits under this wish, and what would help.

        Raises:
            ValueError: a design does fit.
        """
        fastest = max(self.clocks_hz)
        longest = self.longest_interval(fastest)
        return diagnose(graph, self.board, fastest, longest, self.tightened)

    def _slowest_clock(self, interval: int) -> float:
        """Return the slowest clock at which a design of this interval [cycles] keeps the rate."""
        rated = self.longest_interval(1.0) is not None
        if not rated or any(c.name == "latency_s" for c in self.constraints):
            return max(self.clocks_hz)
        enough = [c for c in self.clocks_hz if interval <= (self.longest_interval(c) or 0)]
        return min(enough, default=max(self.clocks_hz))

    def longest_interval(self, clock_hz: float) -> int | None:
        """Return the cycles between images that "fps>=" and "interval_s<=" leave, if any."""
        seconds = [
            1 / c.bound if c.name == "fps" else c.bound
            for c in self.constraints
            if (c.name, c.operator) in (("fps", ">="), ("interval_s", "<=")) and c.bound > 0
        ]
        # a tiny share more, so that a bound met exactly is not lost to rounding
        return max(1, floor(min(seconds) * clock_hz * (1 + 1e-9))) if seconds else None

    @property
    def tightened(self) -> Mapping[str, int]:
        """The resources that the wish caps below the board's own ceilings."""
        caps: dict[str, int] = {}
        for wish in self.constraints:
            allowed = caps.get(wish.name, self.board.budget.get(wish.name, 0))
            if wish.operator == "<=" and floor(wish.bound) < allowed:
                caps[wish.name] = max(floor(wish.bound), 0)
        return caps


@dataclass(frozen=True, slots=True)
class Judge:
    """Evaluates points of a family on a target; what a study calls."""

    family: Family
    target: Target
    dataset: Dataset
    evaluator: Evaluator
    tolerance: float = 0.0
    """Sum of relative violations up to which a network is trained all the same."""

    def __call__(self, point: Point, number: int, seed: int) -> Outcome:
        """Return what one point is worth.

        A network whose hardware cannot meet the wish is not trained, unless so much is tolerated.
        A trained one is fitted again: its accumulators have the widths that its weights need, not
        the widest.
        """
        graph = self.family.decode(point)
        early = self._hardware(graph)
        if sum(early.violations.values()) > self.tolerance:
            return early
        network, share = self._learned(point, graph, seed)
        final = self._hardware(network.graph)
        return Outcome(
            values={**final.values, "accuracy": share},
            violations=final.violations,
            artifact=pack(network),
        )

    def _hardware(self, graph: Graph) -> Outcome:
        """Return the price of a graph's best design, with what it violates."""
        answer = self.target.fit(graph)
        values = estimate(answer.design).values()
        excess = {
            f"{name} on the board": _share(answer, name)
            for name in answer.excess
            if name not in self.target.tightened
        }
        return Outcome(values, {**excess, **violations(values, self.target.constraints)})

    def _learned(self, point: Point, graph: Graph, seed: int) -> tuple[Network, float]:
        start = self.family.start(point)
        if isinstance(start, Network):
            return start, accuracy(start, self.dataset.validation)
        trained = self.evaluator.evaluate(graph, self.dataset, seed, start)
        return trained.network, trained.validation_accuracy


def pack(network: Network) -> bytes:
    """Return a network as compressed JSON, for the journal."""
    return zlib.compress(json.dumps(serialize.to_json(network)).encode())


def unpack(artifact: bytes) -> Network:
    """Return the network that `pack` wrote."""
    return serialize.from_json(json.loads(zlib.decompress(artifact)))


def _share(answer: Fit, name: str) -> float:
    """Return an excess relative to what the board allows."""
    return answer.excess[name] / max(answer.design.board.budget[name], 1)
