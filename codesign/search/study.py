"""Ask, evaluate, tell; and again from the journal after an interruption.

A search is a function of its definition: the strategy and every evaluation draw from seeds,
and the journal answers for evaluations made before. So it is resumed by asking a fresh
strategy from the start, and evaluating only what the journal lacks.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from codesign.errors import InputError, MemberError, ToolError, nearest
from codesign.search import pareto
from codesign.search.formulation import Formulation
from codesign.search.formulations.pareto import Pareto
from codesign.search.store import Store
from codesign.search.strategy import Strategy
from codesign.search.trial import Constraint, Evaluate, Guide, Objective, Outcome, Trial, violations
from codesign.search.workers import work
from codesign.space import Point, Space, Value


def point_key(point: Point) -> str:
    """Return the canonical form of a point whose every choice matters."""
    return json.dumps(dict(point), sort_keys=True, separators=(",", ":"))


def trial_seed(seed: int, key: str) -> int:
    """Return the seed (32 bits) of a trial: it depends on what is tried, not on when."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:4], "big")


class Stop(StrEnum):
    """Why a search ended."""

    TRIALS = "the budget of trials is spent"
    SECONDS = "the budget of seconds is spent"
    EXHAUSTED = "every point of the space has been tried"
    FRUITLESS = "the strategy keeps asking for what was tried before"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much to try."""

    trials: int  # distinct evaluations; repeats are free
    seconds: float = math.inf  # of evaluation, summed over trials, so a resumed run agrees
    fruitless: int = 1000  # repeats in a row after which to stop


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a search stands after a trial."""

    trial: Trial
    replayed: bool  # the journal had it
    feasible: int  # feasible trials so far
    front: tuple[Trial, ...]
    objectives: tuple[Objective, ...]

    @property
    def best(self) -> dict[str, float]:
        """The best value of each objective among feasible trials; empty where there is none."""
        if not self.front:
            return {}
        return {
            o.name: (max if o.maximize else min)(trial.values[o.name] for trial in self.front)
            for o in self.objectives
        }

    def hypervolume(self, reference: Mapping[str, float]) -> float:
        """Return the volume between the front and `reference`, a value for each objective."""
        limit = [objective.cost(reference) for objective in self.objectives]
        return pareto.hypervolume(pareto.costs(self.front, self.objectives), limit)


Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found."""

    trials: tuple[Trial, ...]  # in the order of their numbers
    stop: Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is searched, for what, and how.

    Attributes:
        canonical: gives the key of a point; points of one key are evaluated once.
        problem: stands for whatever else the values depend on, e.g. a digest of the flow.
        formulation: what the strategy is told of the trials.
        guide: tells each evaluation what it may know of the trials before its batch.
        unfinished: of what would be chosen once the search is over, says what is evaluated again
            without a hint, in full.
        batch: points asked for at once. It is part of the definition, as a strategy learns
            only between batches.
    """

    space: Space
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()
    strategy: type[Strategy]
    options: Mapping[str, Value] = field(default_factory=dict)
    seed: int = 0
    batch: int = 1
    canonical: Callable[[Point], str] = point_key
    problem: str = ""
    formulation: Formulation = field(default_factory=Pareto)
    guide: Guide | None = None
    unfinished: Callable[[Trial], bool] | None = None

    def __post_init__(self) -> None:
        if not self.objectives:
            raise InputError("objectives", "there is none", "write e.g. 'max accuracy'")
        names = [objective.name for objective in self.objectives]
        if len(set(names)) != len(names):
            raise InputError("objectives", f"one is given twice: {', '.join(names)}")
        if not 0 <= self.seed < 2**32:
            raise InputError("seed", f"must lie between 0 and 2**32 - 1, got {self.seed}")
        self.formulation.sought(self.objectives)

    def definition(self) -> dict[str, Any]:
        """Return, as JSON values, all that decides which trials are made, and in which order."""
        choices = [[choice.name, *choice.values] for choice in self.space.choices]
        told = self.formulation.definition()
        # journals of before there were formulations say nothing of this one
        formulation = {} if told == Pareto().definition() else {"formulation": told}
        return {
            "space": hashlib.sha256(json.dumps(choices).encode()).hexdigest()[:16],
            "objectives": [objective.text for objective in self.objectives],
            "constraints": [constraint.text for constraint in self.constraints],
            "strategy": self.strategy.name(),
            "options": {**self.strategy.defaults, **self.options},
            "seed": self.seed,
            "batch": self.batch,
            "problem": self.problem,
            **formulation,
        }

    def run(
        self,
        evaluate: Evaluate,
        budget: Budget,
        store: Store,
        watch: Watch | None = None,
        pool: Executor | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Result:
        """Search until the budget is spent; every trial is stored before it is reported.

        With a `pool` (see `codesign.search.workers`) the points of a batch are evaluated side by
        side; the result is the same.

        An exception, KeyboardInterrupt included, passes through: the store then holds the
        trials made so far, and the next `run` on it makes those that an undisturbed run
        would have made. A larger budget goes on where a smaller one ended.

        Raises:
            InputError: the store cannot be written, or holds other trials than this search
                makes; or the evaluation lacks an objective or a constrained quantity.
            MemberError: the strategy asks for what is no point of the space.
        """
        sought = self.formulation.sought(self.objectives)
        strategy = self.strategy(self.space, sought, self.seed, self.options)
        search = _Search(self, evaluate, budget, store, watch, pool)
        while (stop := search.stop()) is None:
            points = strategy.ask(self.batch)
            if len(points) != self.batch:
                problem = f"gave {len(points)} points, not the {self.batch} asked for"
                raise MemberError(f"strategy {self.strategy.name()}: {problem}")
            search.begin(points)
            told = [search.answer(point) for point in points if search.stop() is None]
            if len(told) == self.batch:
                strategy.tell([self.formulation.seen(t, self.objectives) for t in told])
        return Result(search.finish(say), stop)


class _Search:
    """The state of one run of a study."""

    def __init__(
        self,
        study: Study,
        evaluate: Evaluate,
        budget: Budget,
        store: Store,
        watch: Watch | None,
        pool: Executor | None,
    ) -> None:
        self.study = study
        self.evaluate = evaluate
        self.budget = budget
        self.store = store
        self.watch = watch
        self.pool = pool
        self.begun: dict[str, Future[tuple[Outcome, float]]] = {}  # by key
        self.hints: dict[str, tuple[Any]] = {}  # of the batch, by key
        self.journal = {trial.number: trial for trial in store.trials()}
        self.trials: dict[str, Trial] = {}  # by key
        self.tried: set[tuple[int, ...]] = set()
        self.different = study.space.distinct
        self.front: list[Trial] = []
        self.feasible = 0
        self.seconds = 0.0
        self.repeats = 0

    def stop(self) -> Stop | None:
        """Return why to stop now, or None to go on."""
        if len(self.trials) >= self.budget.trials:
            return Stop.TRIALS
        if self.seconds >= self.budget.seconds:
            return Stop.SECONDS
        if len(self.tried) == self.different:
            return Stop.EXHAUSTED
        if self.repeats >= self.budget.fruitless:
            return Stop.FRUITLESS
        return None

    def begin(self, points: Sequence[Point]) -> None:
        """Start evaluating what is new among `points`, as far as the budget goes."""
        if self.pool is None and self.study.guide is None:
            return
        new: dict[str, Point] = {}
        for point in points:
            key = self.study.canonical(point)
            if key not in self.trials and len(self.trials) + len(new) < self.budget.trials:
                new.setdefault(key, point)
        self.hints = self._hinted(new)
        for number, (key, point) in enumerate(new.items(), len(self.trials)):
            if self.pool is not None and number not in self.journal:
                seed = trial_seed(self.study.seed, key)
                hint = self.hints.get(key, ())
                self.begun[key] = self.pool.submit(work, dict(point), number, seed, *hint)

    def _hinted(self, new: Mapping[str, Point]) -> dict[str, tuple[Any]]:
        """Return the hint for each new point, by key, where the guide gives them."""
        number = len(self.trials)
        known = all(n in self.journal for n in range(number, number + len(new)))
        if self.study.guide is None or known:
            return {}
        before = tuple(self.trials.values())
        hints = self.study.guide(before, tuple(new.values()), self.store.artifact)
        return {key: (hint,) for key, hint in zip(new, hints, strict=True)}

    def answer(self, point: Point) -> Trial:
        """Return the trial of `point`: known, from the journal, or made now."""
        self._mark(point)
        key = self.study.canonical(point)
        known = self.trials.get(key)
        if known is not None:
            self.repeats += 1
            return replace(known, point=dict(point))
        self.repeats = 0
        number = len(self.trials)
        stored = self.journal.get(number)
        if stored is not None and stored.key != key:
            problem = f"trial {number} of the journal is not the one that this search makes"
            raise InputError(self.store.place, problem, "resume with the versions that began it")
        trial = stored or self._make(point, key, number)
        self._report(trial, replayed=stored is not None)
        return trial

    def _mark(self, point: Point) -> None:
        try:
            space = self.study.space
            self.tried.add(space.settled(space.encode(point)))
        except ValueError as error:
            raise MemberError(f"strategy {self.study.strategy.name()}: {error}") from error

    def _make(self, point: Point, key: str, number: int) -> Trial:
        trial, artifact = self._evaluated(point, key, number)
        self.store.add(trial, artifact)
        return trial

    def _evaluated(self, point: Point, key: str, number: int) -> tuple[Trial, bytes | None]:
        """Return a trial that is not in the journal yet, and what its evaluation left."""
        seed = trial_seed(self.study.seed, key)
        outcome, seconds = self._outcome(point, key, number, seed)
        values = {name: float(value) for name, value in outcome.values.items()}
        trial = Trial(
            number=number,
            point=dict(point),
            key=key,
            values=values,
            violations={**outcome.violations, **violations(values, self.study.constraints)},
            seed=seed,
            seconds=seconds,
        )
        self._check(trial)
        return trial, outcome.artifact

    def _outcome(self, point: Point, key: str, number: int, seed: int) -> tuple[Outcome, float]:
        """Return what evaluating a point gives, and the seconds that it took."""
        if key in self.begun:
            try:
                return self.begun.pop(key).result()
            except BrokenExecutor as error:
                problem = f"a process that evaluated trial {number} was killed"
                remedy = "perhaps memory ran out: resume with fewer search.workers"
                raise ToolError(f"{problem}; {remedy}") from error
        start = time.perf_counter()
        outcome = self.evaluate(point, number, seed, *self.hints.get(key, ()))
        return outcome, time.perf_counter() - start

    def finish(self, say: Callable[[str], None] | None) -> tuple[Trial, ...]:
        """Evaluate in full what would be chosen, until all of it is; return the final trials."""
        made = self.store.finished()
        final = {trial.number: made.get(trial.number, trial) for trial in self.trials.values()}
        while rest := [t for t in self._chosen(final) if t.number not in made]:
            if say is not None:
                say(f"finish: {len(rest)} of the front in full")
            if self.pool is not None:
                for trial in rest:
                    point = dict(trial.point)
                    self.begun[trial.key] = self.pool.submit(work, point, trial.number, trial.seed)
            self.hints = {}
            for trial in rest:
                own, artifact = self._evaluated(trial.point, trial.key, trial.number)
                self.store.finish(own, artifact)
                made[own.number] = final[own.number] = own
        return tuple(final.values())

    def _chosen(self, final: Mapping[int, Trial]) -> list[Trial]:
        """Return what is unfinished of the front and of the formulation's choice."""
        unfinished, objectives = self.study.unfinished, self.study.objectives
        if unfinished is None:
            return []
        trials = tuple(final.values())
        choice = self.study.formulation.choose(trials, objectives)
        front = {trial.number: trial for trial in pareto.front(trials, objectives)}
        if choice is not None:
            front[choice.number] = choice
        return [front[number] for number in sorted(front) if unfinished(front[number])]

    def _check(self, trial: Trial) -> None:
        """A feasible trial must tell every quantity that was asked for."""
        wanted = [("objective", o.name) for o in self.study.objectives]
        wanted += [("constraint", c.name) for c in self.study.constraints]
        for place, name in wanted:
            if trial.feasible and name not in trial.values:
                problem = f"there is no quantity '{name}'"
                raise InputError(place, problem, nearest(name, trial.values))

    def _report(self, trial: Trial, replayed: bool) -> None:
        self.trials[trial.key] = trial
        self.seconds += trial.seconds
        self.feasible += trial.feasible
        self.front = pareto.front([*self.front, trial], self.study.objectives)
        if self.watch is not None:
            front = tuple(self.front)
            self.watch(Progress(trial, replayed, self.feasible, front, self.study.objectives))
