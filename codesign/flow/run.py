"""The stages of a run, each of which leaves its files before the next begins."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from codesign.accuracy.evaluator import accuracy
from codesign.candidate import unpack
from codesign.cost.timing import Timing
from codesign.errors import InfeasibleError, InputError, ToolError
from codesign.fit.dataflow import Fit
from codesign.fit.settle import settle
from codesign.flow.best import Best, write_project
from codesign.flow.findings import gather
from codesign.flow.folder import RunFolder
from codesign.flow.followed import WatchStanding, followed
from codesign.flow.learned import learned_study
from codesign.flow.manifest import Manifest
from codesign.flow.prepare import Prepared, Several
from codesign.network import serialize
from codesign.network.network import Network
from codesign.report.explain import misses
from codesign.report.findings import Findings, FitSummary
from codesign.report.write import report_files
from codesign.search.formulation import Formulation
from codesign.search.formulations.pareto import Pareto
from codesign.search.store import Store
from codesign.search.study import Budget, Result, Stop
from codesign.search.trial import Constraint, Objective, Trial
from codesign.search.workers import cores, workers
from codesign.validate.measurement import Measurement

PARETO = Pareto()
_PACKAGES = ("codesign", "numpy", "scipy", "torch", "optuna", "onnx", "scikit-learn")


@dataclass(slots=True)
class Stages:
    """Wall time of every stage [s], in order; each is announced when it begins."""

    say: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str, what: str) -> Iterator[None]:
        """Time what the block does."""
        self.say(f"{name}: {what}")
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What a search ends with."""

    trial: Trial
    network: Network
    stop: Stop


def run(
    prepared: Prepared,
    folder: RunFolder,
    say: Callable[[str], None],
    watch: WatchStanding,
) -> Findings:
    """Run every stage from search to report, in a folder that holds the resolved flow.

    Trials that the folder's journal has are not made again.

    Raises:
        InfeasibleError: no candidate meets the wish on this board.
        ToolError: the emitted C++ is not what the reference computes, or a tool failed.
        InputError: a file cannot be written.
    """
    settings = prepared.settings
    stage = Stages(say)
    with stage("search", f"{settings.search.trials} networks on {settings.board}"):
        result = search(prepared, folder, watch, say)
        asked = (settings.objectives, settings.wish, settings.board, settings.formulation)
        chosen = choose(result.trials, *asked)
        network = learned(folder, chosen)
    return finish(prepared, folder, stage, Chosen(chosen, network, result.stop))


def finish(prepared: Prepared, folder: RunFolder, stage: Stages, choice: Chosen) -> Findings:
    """Run the stages that follow the search; its journal is in the folder.

    Raises:
        InfeasibleError: the chosen design misses the wish after all.
        ToolError: the emitted C++ is not what the reference computes, or a tool failed.
        InputError: a file cannot be written.
    """
    settings, dataset, network = prepared.settings, prepared.dataset, choice.network
    with stage("fit", "the best hardware for the chosen network"):
        best, answer, timing = _fitted(prepared, choice)
        best.write(folder)
    with stage("emit", f"HLS project in {folder.project}"):
        write_project(folder.project, best.project(dataset))
    with stage("validate", f"C simulation with {settings.data['validation']['tool']}"):
        measured: Measurement = settings.build_member("validation").measure(folder.project)
    with stage("test", f"{len(dataset.test)} test images by the integer reference"):
        shares = {
            "validation": accuracy(network, dataset.validation),
            "test": accuracy(network, dataset.test),
        }
    Manifest(
        versions=_versions(),
        seed=settings.seed,
        dataset=dataset.record(),
        chosen=choice.trial.number,
        stop=choice.stop.value,
        accuracy=shares,
        fit=FitSummary.of(answer),
        design_digests={"fitted": best.digest(), "emitted": best.digest()},
        network_digest=serialize.digest(network),
        validation=measured,
        seconds=stage.seconds,
    ).write(folder)
    findings = gather(folder, best, timing)
    folder.write(report_files(findings))
    _check(findings, measured, folder)
    return findings


def _check(findings: Findings, measured: Measurement, folder: RunFolder) -> None:
    """Raise for a finished run that proves to be wrong, or to miss the wish after all."""
    if not measured.passed:
        raise ToolError(f"{folder.project}: the C++ is not the reference: {measured.message}")
    if not (findings.fits and findings.wish_met):
        problem = "; ".join(misses(findings))
        raise InfeasibleError(f"{folder.path}: with FIFOs that run, the choice misses: {problem}")


def choose(
    trials: tuple[Trial, ...],
    objectives: tuple[Objective, ...],
    wish: tuple[Constraint, ...],
    board: str,
    formulation: Formulation = PARETO,
) -> Trial:
    """Return the trial that the formulation chooses.

    Raises:
        InfeasibleError: no trial may be chosen; says what the closest one misses, and how far.
    """
    chosen = formulation.choose(trials, objectives)
    if chosen is not None:
        return chosen
    feasible = sum(trial.feasible for trial in trials)
    if feasible:
        raise InfeasibleError(
            f"no network that search.formulation={formulation.name()} chooses from meets the wish "
            f"on {board}; {feasible} of {len(trials)} networks do: search.formulation=constrained "
            "takes the best of them"
        )
    closest = min(trials, key=lambda trial: trial.violation)
    reached = {
        c.text: f" (has {closest.values[c.name]:g})" for c in wish if c.name in closest.values
    }
    missed = ", ".join(
        f"{what} by {share:.0%}{reached.get(what, '')}"
        for what, share in closest.violations.items()
    )
    raise InfeasibleError(
        f"none of {len(trials)} networks meets the wish on {board}; the closest (trial "
        f"{closest.number}) misses {missed}; ask for less, for a larger board, or for more trials"
    )


def search(
    prepared: Prepared | Several,
    folder: RunFolder,
    watch: WatchStanding,
    say: Callable[[str], None],
) -> Result:
    """Search until the budget is spent, with the folder's journal."""
    settings = prepared.settings.search
    study = learned_study(prepared.settings, prepared.judge, prepared.study, folder, say)
    budget = Budget(settings.trials, settings.seconds or float("inf"))
    count = min(settings.workers or cores(), settings.batch, settings.trials)
    judge = prepared.judge.begun(prepared.settings.seed, folder.path, say)
    with (
        Store.open(folder.trials, study.definition()) as store,
        workers(judge, count) as pool,
        followed(settings, study, budget, folder.path, watch) as tell,
    ):
        return study.run(judge, budget, store, tell, pool, say)


def learned(folder: RunFolder, trial: Trial) -> Network:
    """Return the network of a trial.

    Raises:
        InputError: the journal does not hold it.
    """
    with Store.read(folder.trials) as store:
        artifact = store.final_artifact(trial.number)
    if artifact is None:
        raise InputError(str(folder.trials), f"holds no network for trial {trial.number}")
    return unpack(artifact)


def _fitted(prepared: Prepared, choice: Chosen) -> tuple[Best, Fit, Timing]:
    """Return the network on its best design, with settled FIFOs, and that design's run."""
    answer = prepared.target_of(choice.trial).fit(choice.network.graph)
    design, timing = settle(answer.design)
    return Best(prepared.settings, choice.network, design), answer, timing


def _versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
