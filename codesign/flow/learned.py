"""What differentiable search does before it asks: price the choices, learn what to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.candidate import Judge, Target
from codesign.errors import InputError, nearest
from codesign.flow.folder import RunFolder
from codesign.flow.settings import Settings
from codesign.network.family import Family
from codesign.search.distribution import Distribution, to_text
from codesign.search.effects import Effects
from codesign.search.strategies.differentiable import Differentiable
from codesign.search.study import Study
from codesign.search.variation import drawn

BLOCKS = "blocks.csv"
LEARNED = "distribution.json"
CHECKPOINT = "differentiable.part"
_PRICED = ("interval_s", "latency_s", "energy_j", "power_w", "lut", "ff", "macs", "weight_bytes")
"""Figures of which less is better, and which no network has none of."""


def check_learnable(settings: Settings) -> None:
    """Refuse a differentiable search that has nothing to learn from.

    Raises:
        InputError: there are several boards, engines as genes, or no such figure.
    """
    if settings.member("search") is not Differentiable:
        return
    place = "search.strategy"
    if len(settings.boards) > 1:
        raise InputError(place, "differentiable learns for one board", "name one board")
    if settings.search.hardware == "flat":
        problem = "differentiable learns networks, not engines"
        raise InputError(place, problem, "search.hardware=nested")
    quantity = str(settings.options["search"]["quantity"])
    if quantity not in _PRICED:
        problem = f"there is no figure '{quantity}' to make small"
        raise InputError("search.quantity", problem, nearest(quantity, _PRICED))


def learned_study(
    settings: Settings, judge: object, study: Study, folder: RunFolder, say: Callable[[str], None]
) -> Study:
    """Return the study that is to be run: with distributions to draw from, if it needs some.

    They are learned once; a resumed run finds them in its folder.

    Raises:
        InputError: no choice of the family changes what a network learns.
    """
    given = str(study.options.get("distribution", ""))
    if study.strategy is not Differentiable or given or not isinstance(judge, Judge):
        return study
    path = folder.path / LEARNED
    if not path.exists():
        _learn(settings, judge, folder, say)
    text = path.read_text(encoding="utf-8")
    return replace(study, options={**study.options, "distribution": text})


def _learn(settings: Settings, judge: Judge, folder: RunFolder, say: Callable[[str], None]) -> None:
    """Leave prices and distributions in the folder."""
    assert isinstance(judge.target, Target)
    options = settings.options["search"]
    say(f"differentiable: {options['priced']} networks are priced")
    effects = priced(judge.family, judge.target, options, settings.seed)
    folder.write({BLOCKS: effects.csv()})
    say(f"differentiable: {BLOCKS} explains {effects.explained:.0%} of the variance of others")
    checkpoint = folder.path / CHECKPOINT
    folder.write({LEARNED: to_text(ladder(judge, effects, settings, checkpoint)) + "\n"})
    checkpoint.unlink(missing_ok=True)


def priced(family: Family, target: Target, options: Mapping[str, Any], seed: int) -> Effects:
    """Return what each value of each choice adds to a figure, from networks drawn at random.

    Every one of them is on its own best design on the target; that of one that does not fit is the
    design that exceeds the board least.
    """
    space, random = family.space(), np.random.default_rng(seed)
    points = [drawn(space, random) for _ in range(int(options["priced"]))]
    quantity = str(options["quantity"])
    figures = [target.judged(family.decode(space.decode(p))).values[quantity] for p in points]
    return Effects.fitted(space, quantity, points, figures)


def ladder(
    judge: Judge, effects: Effects, settings: Settings, checkpoint: Path
) -> list[Distribution]:
    """Return a distribution for every weight of the hardware, each twice the one before.

    Raises:
        InputError: no choice of the family changes what a network learns.
    """
    from codesign.accuracy.torch_differentiable import Descent, Learner
    from codesign.accuracy.torch_training import Recipe

    options, training = settings.options["search"], settings.options["training"]
    batch, rate = int(training.get("batch", 64)), float(training.get("learning_rate", 0.02))
    recipe = Recipe(
        int(options["epochs"]),
        batch,
        rate,
        int(training.get("shift", 0)),
        bool(training.get("flip", False)),
    )
    images, paths = judge.dataset.train, int(options["paths"])
    learner = Learner.trained(judge.family, images, recipe, settings.seed, checkpoint, paths)
    descent = Descent(
        int(options["updates"]), float(options["step_size"]), float(options["temperature"]), batch
    )
    tightest, steps = float(options["weight"]), int(options["steps"])
    weights = [tightest / 2**step for step in reversed(range(steps))]
    return learner.learned(effects, weights, descent, settings.seed)
