"""Weights shared by all networks of a search: trained once, inherited by each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch

from codesign.accuracy import supernet_file
from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.evaluator import Evaluator, calibration_images
from codesign.accuracy.supernet_file import Task
from codesign.accuracy.torch_evaluator import TorchEvaluator
from codesign.accuracy.torch_sharing import Inheriting, Sampler, learn_shared
from codesign.accuracy.torch_supernet import SharedWeights
from codesign.accuracy.torch_training import learn_integers, threads
from codesign.errors import InputError
from codesign.network.family import Family
from codesign.network.network import FloatNetwork, Network
from codesign.network.quantize import post_training
from codesign.network.scales import choose_scales

FILE = "supernet.npz"
CHECKPOINT = "supernet.part"

_TOLD = 10
"""Lines that a training tells of itself, about."""
_COMPARED = 100
"""Networks for which it is asked whether a supernet from elsewhere has all layers."""
_MOST_UNKNOWN = 0.05
"""Share of them that may lack some: rare ones, which its own training may not have met."""


@dataclass(frozen=True)
class Supernet(TorchEvaluator):
    """Train one supernet, of which every network is a slice; then only normalise and quantise.

    Where no search trained one, the network in question is trained alone.
    Source: Guo et al., ECCV 2020 (arXiv 1904.00420).
    """

    epochs: int = 60
    """Of the supernet; of a network that is trained alone, where there is none."""
    learning_rate: float = 0.01
    paths: int = 4
    """Networks that each step trains, drawn at random."""
    observed_images: int = 1024
    """Training images from which each network's normalisation takes its statistics."""
    fine_tune_epochs: int = 0
    """Of each network, through its integers; 0: weights are only rounded."""
    fine_tune_learning_rate: float = 0.003
    supernet: str = ""
    """A trained supernet to take instead of training one: the `supernet.npz` of another run."""

    least: ClassVar[Mapping[str, float]] = {
        **TorchEvaluator.least,
        "paths": 1,
        "observed_images": 2,
        "fine_tune_epochs": 0,
        "fine_tune_learning_rate": 1e-6,
    }

    def tuning_epochs(self) -> int:
        """Return the epochs through the integers."""
        return self.fine_tune_epochs

    def tuned_for(self, share: float) -> Self:
        """Return this evaluator with fewer of them."""
        return replace(self, fine_tune_epochs=ceil(share * self.fine_tune_epochs))

    def quantized(self, floats: FloatNetwork, split: Split, generator: torch.Generator) -> Network:
        """Choose scales and round; learn through the integers, if so many epochs are asked for."""
        images = calibration_images(split, self.calibration_images)
        if not self.fine_tune_epochs:
            return post_training(floats, images, self.scales, self.method())
        scales = choose_scales(floats, images, self.scales, self.method())
        tuning = self.recipe(self.fine_tune_epochs, self.fine_tune_learning_rate)
        return learn_integers(floats, scales, split, tuning, generator)

    def begin(
        self,
        family: Family,
        dataset: Dataset,
        seed: int,
        folder: Path,
        say: Callable[[str], None],
    ) -> Evaluator:
        """Train the supernet of a family, or take the one that is there.

        Raises:
            InputError: networks of the family share nothing, or the supernet is for something
                else.
        """
        task, path = Task.of(family, dataset), folder / FILE
        if not path.is_file():
            if self.supernet:
                say(f"supernet: the one of {self.supernet}")
                supernet_file.save(path, task, self._taken(family, task))
            else:
                say(f"supernet: {self.epochs} epochs for all networks of {task.family}")
                shared = self._learned(Sampler.survey(family, seed), dataset, folder, say)
                supernet_file.save(path, task, shared.arrays())
                (folder / CHECKPOINT).unlink(missing_ok=True)
        found, arrays = supernet_file.load(path)
        task.check(found, str(path))
        return Inheriting(self, arrays, self.observed_images)

    def _learned(
        self, sampler: Sampler, dataset: Dataset, folder: Path, say: Callable[[str], None]
    ) -> SharedWeights:
        def told(epochs: int) -> None:
            if epochs % ceil(self.epochs / _TOLD) == 0:
                say(f"supernet: {epochs} of {self.epochs} epochs")

        recipe = self.recipe(self.epochs, self.learning_rate)
        with threads(self.threads):
            return learn_shared(
                sampler, dataset.train, recipe, self.paths, folder / CHECKPOINT, told
            )

    def _taken(self, family: Family, task: Task) -> supernet_file.Arrays:
        """Return the weights of a supernet from elsewhere, if they serve."""
        found, arrays = supernet_file.load(Path(self.supernet))
        task.check(found, self.supernet)
        extents = SharedWeights.of(arrays).extents
        space, random = family.space(), np.random.default_rng(0)
        networks = [family.decode(space.sample(random)) for _ in range(_COMPARED)]
        share = sum(not extents.cover(graph) for graph in networks) / _COMPARED
        if share > _MOST_UNKNOWN:
            problem = f"lacks layers of {share:.0%} of the networks that these options ask for"
            raise InputError(self.supernet, problem, "leave it out to train one")
        return arrays
