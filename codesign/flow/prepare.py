"""From settings to the things they name: data, target, judge and study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.thrift import ended_early
from codesign.candidate import Fleet, JointJudge, Judge, Target
from codesign.errors import InfeasibleError, InputError
from codesign.flow.followed import check_followed
from codesign.flow.learned import check_learnable
from codesign.flow.savings import decisive, guide_of, proxy_of
from codesign.flow.sections import Hardware
from codesign.flow.settings import Settings
from codesign.hardware.board import Board
from codesign.load import yaml_text
from codesign.network.family import Family
from codesign.network.narrowed import Narrowed
from codesign.network.tensor import Tensor
from codesign.search.ranks import Ranks
from codesign.search.study import Study
from codesign.search.trial import Constraint, Trial

INPUT_BITS = 8
"""Images of every data set come as bytes."""

_SAMPLED = 100
"""Networks that are looked at to know how many layers there may be."""

_DECISIVE = ("board", "dataset", "network", "training", "hardware")
"""Sections that the values of a trial depend on, beside the search's own definition."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A flow with everything loaded that it names; ready to run."""

    settings: Settings
    dataset: Dataset
    judge: Judge | JointJudge
    study: Study
    target: Target

    def target_of(self, trial: Trial) -> Target:
        """Return the target with the engines that a trial names, if the search named any."""
        if isinstance(self.judge, JointJudge):
            return self.target.at(self.judge.ranks.of(trial.point))
        return self.target


@dataclass(frozen=True, slots=True, eq=False)
class Several:
    """The same of a flow for several boards: one search, and what each board alone would be."""

    settings: Settings
    judge: Judge | JointJudge
    study: Study
    fleet: Fleet
    boards: Mapping[str, Prepared]


def prepare(settings: Settings) -> Prepared | Several:
    """Load what a flow names; nothing is written and nothing is trained.

    Raises:
        InputError: the data are missing, the board has no such clock, and the like.
        InfeasibleError: no network whatever can meet the wish.
    """
    _check_possible(settings.wish)
    check_learnable(settings)
    settings.member("validation")
    dataset: Dataset = settings.build_member("dataset").load()
    if len(settings.boards) == 1:
        alone = _alone(settings, dataset)
        check_followed(settings.search, alone.study)
        return alone
    boards = {Path(name).stem: _alone(settings.alone(name), dataset) for name in settings.boards}
    fleet = Fleet({name: one.target for name, one in boards.items()}, settings.target.share)
    judge, study = _searching(settings, dataset, fleet)
    objectives = fleet.objectives(settings.objectives)
    study = replace(
        study,
        objectives=objectives,
        guide=guide_of(settings, study.space, objectives),
        # of each board the judge tells what it misses: some may, where each has its own network
        constraints=of_networks(settings.wish),
        problem=yaml_text(decisive(settings, (*_DECISIVE, "target", "wish"))),
    )
    check_followed(settings.search, study)
    return Several(settings, judge, study, fleet, boards)


def of_networks(wish: tuple[Constraint, ...]) -> tuple[Constraint, ...]:
    """Return the constraints that no board has a part in, and that training decides."""
    return tuple(constraint for constraint in wish if constraint.name == "accuracy")


def _alone(settings: Settings, dataset: Dataset) -> Prepared:
    target = target_for(settings.board, settings.hardware, settings.wish)
    judge, study = _searching(settings, dataset, target)
    return Prepared(settings, dataset, judge, study, target)


def _searching(
    settings: Settings, dataset: Dataset, target: Target | Fleet
) -> tuple[Judge | JointJudge, Study]:
    """Return what judges a point on a target, and the search."""
    family = family_of(settings, dataset)
    evaluator = settings.build_member("training")
    tolerance, proxy = settings.formulation.tolerance, proxy_of(settings)
    judge = Judge(family, target, dataset, evaluator, tolerance, settings.thrift, proxy)
    genes = Ranks(most_layers(family)) if settings.search.hardware == "flat" else None
    joint = JointJudge(judge, genes) if genes else None
    space = genes.joint(family.space()) if genes else family.space()
    study = Study(
        space=space,
        objectives=settings.objectives,
        constraints=settings.wish,
        strategy=settings.member("search"),
        options=settings.options["search"],
        seed=settings.seed,
        batch=settings.search.batch,
        canonical=joint.canonical if joint else family.canonical,
        problem=yaml_text(decisive(settings, _DECISIVE)),
        formulation=settings.formulation,
        guide=guide_of(settings, space, settings.objectives),
        unfinished=ended_early if settings.thrift.finish else None,
    )
    return joint or judge, study


def family_of(settings: Settings, dataset: Dataset) -> Family:
    """Return the networks for a data set, with the values that the search is left with.

    Raises:
        InputError: the family refuses an option, or has no such choice or value.
    """
    tensor = Tensor(dataset.shape, INPUT_BITS, signed=False)
    family: Family = settings.build_member("network", input=tensor, classes=dataset.classes)
    kept = settings.search.space
    if not kept or isinstance(kept, str):  # settings have put a file's choices in its place
        return family
    try:
        return Narrowed.of(family, kept)
    except ValueError as error:
        name = settings.data["network"]["family"]
        raise InputError("search.space", f"{error} in the family {name}") from error


def most_layers(family: Family) -> int:
    """Return how many layers networks of a family have at the most, as far as a sample tells."""
    space, random = family.space(), np.random.default_rng(0)
    return max(len(family.decode(space.sample(random)).nodes) for _ in range(_SAMPLED))


def _check_possible(wish: tuple[Constraint, ...]) -> None:
    """Refuse at once what would else be found out after all training."""
    for constraint in wish:
        bound = constraint.bound
        if constraint.name == "accuracy" and constraint.operator == ">=" and bound > 1:
            problem = f"wish {constraint.text}: an accuracy is a share, 1 at the most"
            percent = f"; {bound:g} % is accuracy>={bound / 100:g}" if 2 <= bound <= 100 else ""
            raise InfeasibleError(f"{problem}, and misses it by {bound - 1:g}{percent}")


def target_for(name: str, hardware: Hardware, wish: tuple[Constraint, ...]) -> Target:
    """Return the hardware side of a wish: board, clock, ceilings and constraints.

    Raises:
        InputError: the board has no such clock, or a ceiling is wrong.
    """
    board = with_ceilings(Board.load(name), hardware.ceilings)
    asked = hardware.clock_mhz
    if asked is None:
        asked = tuple(clock for clock in board.clocks_mhz if clock <= board.typical_clock_mhz)
    elif isinstance(asked, int | float):
        asked = (asked,)
    clocks_hz = tuple(board.clock_hz(clock, "hardware.clock_mhz") for clock in asked)
    return Target(board, clocks_hz, hardware.goal, wish)


def with_ceilings(board: Board, shares: Mapping[str, float]) -> Board:
    """Return the board with some ceilings replaced.

    Raises:
        InputError: there is no such resource, or a share is none.
    """
    try:
        return replace(board, ceilings=replace(board.ceilings, **shares))
    except (TypeError, ValueError) as error:
        raise InputError("hardware.ceilings", str(error)) from error
