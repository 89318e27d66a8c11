"""One network on its best design: decode, fit, price, train; the dearest step last."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor, inf
from pathlib import Path
from typing import Literal

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.economy import Economy, Monitor
from codesign.accuracy.evaluator import Evaluator, accuracy
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.sieve import row_of
from codesign.accuracy.thrift import ENDED_EARLY, Hint, Thrift, after
from codesign.cost.estimate import counts, estimate
from codesign.fit.dataflow import Fit, fit
from codesign.fit.diagnosis import Diagnosis, diagnose
from codesign.fit.goal import Goal, Shortest
from codesign.fit.ranked import ranked
from codesign.hardware.board import Board
from codesign.network import serialize
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import Network
from codesign.network.realise import realised
from codesign.search.ranks import Ranks
from codesign.search.trial import Constraint, Objective, Outcome, Trial, violations
from codesign.space import Point

Share = Literal["each", "one"]
"""Whether every one of several boards gets a network of its own, or all get the same."""

OF_NETWORK = ("accuracy", "macs", "parameters", "flops", "weight_bytes")
"""Quantities that are the same on every board."""

VIOLATION = "violation"
_LARGER_IS_BETTER = ("fps", "clock_mhz")


def on_board(what: str, board: str) -> str:
    """Return the name of a quantity on one of several boards."""
    return f"{what}@{board}"


@dataclass(frozen=True, slots=True)
class Target:
    """The hardware side of a wish: where the network has to run, and how."""

    board: Board
    clocks_hz: tuple[float, ...]
    """Clocks to choose from."""
    objective: str | Goal | Shortest
    constraints: tuple[Constraint, ...]
    ranks: tuple[float, ...] = ()
    """Engines by rank (`codesign.fit.ranked`); empty where fit finds the best ones."""

    def at(self, ranks: Sequence[float]) -> Target:
        """Return the target where engines are what `ranks` name."""
        return replace(self, ranks=tuple(ranks))

    def fit(self, graph: Graph) -> Fit:
        """Return the best design of a graph under this wish, or the one that ranks name.

        A slower clock saves a design nothing but some stages of its pipelines. So the fastest one
        leaves most cycles between images, and designs are sought at it: in interval, latency and
        energy (less static power per image) a slower one could only be better where an image
        takes about as many cycles as pipelines have stages. Where the smallest design was asked
        for, it is then sought again at the slowest clock at which it still keeps the wished rate.
        """
        fastest = max(self.clocks_hz)
        if self.ranks:
            return ranked(graph, self.board, fastest, self.ranks, self.tightened)
        answer = self._at(fastest, graph)
        if self.objective != "resources" or not answer.feasible:
            return answer
        slowest = self._slowest_clock(answer.interval)
        return answer if slowest == fastest else self._at(slowest, graph)

    def _at(self, clock_hz: float, graph: Graph) -> Fit:
        return fit(
            graph,
            self.board,
            clock_hz,
            self.objective,
            longest_interval=self.longest_interval(clock_hz),
            budget=self.tightened,
        )

    def judged(self, graph: Graph, tolerance: float = inf) -> Outcome:
        """Return the price of a graph's design, with what it violates (see `fit`).

        Where the graph alone breaks the wish by more than `tolerance` in sum (of relative
        violations), no design is looked for: counting takes microseconds, fitting a second.
        """
        counted = counts(graph)
        broken = violations(counted, self.constraints)
        if sum(broken.values()) > tolerance:
            return Outcome(counted, broken)
        answer = self.fit(graph)
        values = estimate(answer.design).values()
        excess = {
            f"{name} on the board": _share(answer, name)
            for name in answer.excess
            if name not in self.tightened
        }
        return Outcome(values, {**excess, **violations(values, self.constraints)})

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
class Fleet:
    """Several boards for the networks of one search: each trained one is fitted to all of them.

    A figure of one board is called "latency_s@zcu104"; "violation@zcu104" sums up how far the
    board is from the wish. Under its plain name stands the worst of the boards.
    """

    targets: Mapping[str, Target]
    """By the board's name."""
    share: Share

    def at(self, ranks: Sequence[float]) -> Fleet:
        """Return the boards where engines are what `ranks` name, on each in its own lists."""
        return replace(self, targets={n: target.at(ranks) for n, target in self.targets.items()})

    def judged(self, graph: Graph, tolerance: float = inf) -> Outcome:
        """Return what a graph is worth on every board; `tolerance` as of `Target`.

        One network for all has to keep the wish on all of them. With one for each, a network is
        of use where it keeps the wish on one: else what the closest board misses is told.
        """
        outcomes = {name: target.judged(graph, tolerance) for name, target in self.targets.items()}
        values: dict[str, float] = {}
        missed: dict[str, dict[str, float]] = {}
        for name, outcome in outcomes.items():
            values |= {on_board(what, name): value for what, value in outcome.values.items()}
            missed[name] = {f"{text} ({name})": far for text, far in outcome.violations.items()}
            values[on_board(VIOLATION, name)] = sum(outcome.violations.values())
        for what in next(iter(outcomes.values())).values:
            of_boards = [outcome.values[what] for outcome in outcomes.values()]
            values[what] = min(of_boards) if what in _LARGER_IS_BETTER else max(of_boards)
        if self.share == "one":
            return Outcome(
                values, {text: far for own in missed.values() for text, far in own.items()}
            )
        return Outcome(values, min(missed.values(), key=lambda own: sum(own.values())))

    def objectives(self, objectives: Sequence[Objective]) -> tuple[Objective, ...]:
        """Return what the search is for: with one network for each board, every board's figures.

        What no network can be beaten in on one board it is not beaten in on all together. So the
        front of every board is part of the front that is searched for.
        """
        if self.share == "one":
            return tuple(objectives)
        return tuple(
            replace(objective, name=name)
            for objective in objectives
            for name in self._names(objective.name)
        )

    def view(self, trial: Trial, name: str, shared: Collection[Constraint]) -> Trial:
        """Return a trial as a search for one board alone would have made it.

        Args:
            trial: of the search for all boards.
            name: the board.
            shared: the constraints that no board has a part in.
        """
        ending = on_board("", name)
        own = {k.removesuffix(ending): v for k, v in trial.values.items() if k.endswith(ending)}
        distance = own.pop(VIOLATION)
        plain = {k: v for k, v in trial.values.items() if "@" not in k}
        texts = {constraint.text for constraint in shared}
        broken = {text: far for text, far in trial.violations.items() if text in texts}
        if distance > 0:
            broken[f"the wish on {name}"] = distance
        return replace(trial, values={**plain, **own}, violations=broken)

    def _names(self, what: str) -> tuple[str, ...]:
        return (what,) if what in OF_NETWORK else tuple(on_board(what, n) for n in self.targets)


@dataclass(frozen=True, slots=True)
class Judge:
    """Evaluates points of a family on a target; what a study calls."""

    family: Family
    target: Target | Fleet
    dataset: Dataset
    evaluator: Evaluator
    tolerance: float = 0.0
    """Sum of relative violations up to which a network is trained all the same."""
    thrift: Thrift = field(default_factory=Thrift)
    """What is saved of the trainings; where something is, there are hints."""
    proxy: Proxy | None = None
    """Decides, with a hint, what is trained."""

    def __call__(self, point: Point, number: int, seed: int, hint: Hint | None = None) -> Outcome:
        """Return what one point is worth; the dearest step comes last.

        A network whose hardware cannot meet the wish is not trained, unless so much is tolerated.
        Nor is one that the hint, or the proxy with it, speaks against. A trained one is fitted
        again: its accumulators have the widths that its weights need, not the widest.
        """
        graph = self.family.decode(point)
        early = self.target.judged(graph, self.tolerance)
        if sum(early.violations.values()) > self.tolerance:
            return early
        start = self.family.start(point)
        if isinstance(start, Network):
            return self._finished(start, accuracy(start, self.dataset.validation), {})
        if start is not None or hint is None:
            trained = self.evaluator.evaluate(graph, self.dataset, seed, start)
            counted = start is None and self.thrift.saves
            told = {"epochs": float(trained.epochs)} if counted else {}
            return self._finished(trained.network, trained.validation_accuracy, told)
        return self._sparing(graph, early, seed, hint)

    def begun(self, seed: int, folder: Path, say: Callable[[str], None]) -> Judge:
        """Return the judge with what all its evaluations share, kept in `folder`."""
        evaluator = self.evaluator.begin(self.family, self.dataset, seed, folder, say)
        return replace(self, evaluator=evaluator)

    def _sparing(self, graph: Graph, early: Outcome, seed: int, hint: Hint) -> Outcome:
        """Return what a network is worth that is trained no longer than it promises."""
        costs = hint.costs(early.values)
        shortfall = hint.shortfall(costs)
        if shortfall > 0:
            return replace(early, violations={**early.violations, "predicted accuracy": shortfall})
        told: dict[str, float] = {}
        if self.proxy is not None:
            name = self.proxy.name()
            told[name] = self.proxy.score(graph, self.dataset.train, seed)
            excess = hint.promises.excess(row_of(costs, told[name]))
            if excess > 0:
                spoken = {**early.violations, f"promise by {name}": excess}
                return replace(early, values={**early.values, **told}, violations=spoken)
        monitor = Monitor(self.thrift.patience, self.thrift.gain, hint.rungs, costs)
        parent = {} if hint.parent is None else realised(unpack(hint.parent))
        halt = monitor if self.thrift.patience or hint.rungs else None
        economy = Economy(halt, parent)
        trained = self.evaluator.economise(graph, self.dataset, seed, economy)
        told |= {"epochs": float(trained.epochs), ENDED_EARLY: float(monitor.halted)}
        told |= {after(e): share for e, share in monitor.curve.items() if e in hint.rungs}
        return self._finished(trained.network, trained.validation_accuracy, told)

    def _finished(self, network: Network, share: float, told: Mapping[str, float]) -> Outcome:
        """Return what a trained network is worth, with what else is to be told of it."""
        final = self.target.judged(network.graph)
        return Outcome(
            values={**final.values, **told, "accuracy": share},
            violations=final.violations,
            artifact=pack(network),
        )


@dataclass(frozen=True, slots=True)
class JointJudge:
    """Evaluates points of a flat joint space: a network with an engine for each layer."""

    judge: Judge
    ranks: Ranks

    def __call__(self, point: Point, number: int, seed: int, hint: Hint | None = None) -> Outcome:
        """Return what one point is worth, on the engines that it names."""
        target = self.judge.target.at(self.ranks.of(point))
        own = replace(self.judge, target=target)
        return own(self.ranks.network(point), number, seed, hint)

    def begun(self, seed: int, folder: Path, say: Callable[[str], None]) -> JointJudge:
        """Return the judge with what all its evaluations share, kept in `folder`."""
        return replace(self, judge=self.judge.begun(seed, folder, say))

    def canonical(self, point: Point) -> str:
        """Return a key that is equal for points of equal networks with equal ranks of engines."""
        network, family = self.ranks.network(point), self.judge.family
        used = self.ranks.of(point)[: len(family.decode(network).nodes)]
        return hashlib.sha256(f"{family.canonical(network)}:{used}".encode()).hexdigest()


def pack(network: Network) -> bytes:
    """Return a network as compressed JSON, for the journal."""
    return zlib.compress(json.dumps(serialize.to_json(network)).encode())


def unpack(artifact: bytes) -> Network:
    """Return the network that `pack` wrote."""
    return serialize.from_json(json.loads(zlib.decompress(artifact)))


def _share(answer: Fit, name: str) -> float:
    """Return an excess relative to what the board allows."""
    return answer.excess[name] / max(answer.design.board.budget[name], 1)
