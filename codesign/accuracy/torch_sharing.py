"""Training a supernet, and judging networks by what they inherit from it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler

from codesign.accuracy.dataset import Dataset, Labelled
from codesign.accuracy.evaluator import (
    Evaluator,
    Trained,
    accuracy,
    calibration_images,
    check_task,
)
from codesign.accuracy.supernet_file import Arrays
from codesign.accuracy.torch_evaluator import TorchEvaluator
from codesign.accuracy.torch_supernet import Extents, Paths, SharedWeights
from codesign.accuracy.torch_training import Recipe, threads
from codesign.errors import InputError
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork
from codesign.network.roles import roles

_SURVEYED = 500
"""Networks that are looked at to know how large each layer may be."""
_LEAST_SHARED = 0.5
"""Of the layers of networks drawn at random, those whose role another one has, too."""
_UNREADABLE = (EOFError, LookupError, OSError, RuntimeError, TypeError, UnpicklingError, ValueError)


@dataclass(frozen=True, slots=True, eq=False)
class Sampler:
    """Draws the networks that a supernet is trained on, uniformly over the points of a space."""

    family: Family
    extents: Extents
    seed: int

    @classmethod
    def survey(cls, family: Family, seed: int) -> Sampler:
        """Look at some networks of a family, to know how large its layers are.

        Raises:
            InputError: the family brings weights of its own, or its networks share too little.
        """
        space, random = family.space(), np.random.default_rng(seed)
        extents, uses = Extents(), Counter[str]()
        for _ in range(_SURVEYED):
            point = space.sample(random)
            if family.start(point) is not None:
                raise _unshared("networks that are already trained share nothing")
            graph = family.decode(point)
            extents.include(graph)
            uses.update(roles(graph).values())
        share = 1 - sum(count == 1 for count in uses.values()) / uses.total()
        if share < _LEAST_SHARED:
            raise _unshared(f"only {share:.0%} of the layers have a like in other networks")
        return cls(family, extents, seed)

    def epoch(self, number: int, steps: int, paths: int) -> Iterator[list[Graph]]:
        """Yield the networks of every step of an epoch; it depends on its number alone."""
        random = np.random.default_rng([self.seed, number])
        for _ in range(steps):
            yield [self._draw(random) for _ in range(paths)]

    def _draw(self, random: np.random.Generator) -> Graph:
        space = self.family.space()
        while True:
            graph = self.family.decode(space.sample(random))
            if self.extents.cover(graph):
                return graph


def _unshared(problem: str) -> InputError:
    return InputError("training.evaluator", problem, "take qat or ptq")


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """Everything that decides how a training goes on."""

    shared: SharedWeights
    optimizer: torch.optim.Optimizer
    cycle: LRScheduler
    generator: torch.Generator

    def write(self, path: Path, epochs: int) -> None:
        """Write down the state after some epochs; the file appears whole or not at all."""
        states = {
            "epochs": epochs,
            "weights": self.shared.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "cycle": self.cycle.state_dict(),
            "random": self.generator.get_state(),
        }
        temporary = path.with_name(f".{path.name}.part")
        torch.save(states, temporary)
        os.replace(temporary, path)  # noqa: PTH105 (the same call, and it is atomic)

    def read(self, path: Path) -> int:
        """Take up the state of an interrupted training, if there is one; return its epochs.

        Raises:
            InputError: the file is damaged, or of another training.
        """
        if not path.is_file():
            return 0
        try:
            states = torch.load(path, weights_only=True)
            self.shared.load_state_dict(states["weights"])
            self.optimizer.load_state_dict(states["optimizer"])
            self.cycle.load_state_dict(states["cycle"])
            self.generator.set_state(states["random"])
            return int(states["epochs"])
        except _UNREADABLE as error:
            problem = "does not hold this training, or is damaged"
            raise InputError(str(path), problem, "remove it to begin anew") from error


def learn_shared(
    sampler: Sampler,
    split: Labelled,
    recipe: Recipe,
    paths: int,
    checkpoint: Path,
    told: Callable[[int], None] = lambda _: None,
) -> SharedWeights:
    """Return a supernet after training; after every epoch it can be interrupted, and goes on.

    Source: Guo et al., ECCV 2020 (arXiv 1904.00420), section 3.2.

    Args:
        sampler: draws the networks.
        split: the training images.
        recipe: how long and how fast to learn.
        paths: networks of one step, whose losses are averaged.
        checkpoint: the file that holds an unfinished training.
        told: is told the number of epochs after each of them.
    """
    generator = torch.Generator().manual_seed(sampler.seed)
    shared = SharedWeights(sampler.extents, generator)
    steps = -(-len(split) // recipe.batch)
    optimizer = torch.optim.Adam(shared.parameters(), fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * steps
    )
    training = Training(shared, optimizer, cycle, generator)
    done = training.read(checkpoint)
    passing = Paths(shared, split, recipe, generator)
    for number in range(done, recipe.epochs):
        passing.follow(sampler.epoch(number, steps, paths))
        passing.learn(optimizer, cycle)
        training.write(checkpoint, number + 1)
        told(number + 1)
    return shared


@dataclass(frozen=True)
class Inheriting(Evaluator):
    """Judges networks by the weights that they inherit from a supernet."""

    options: TorchEvaluator
    """How weights are quantised."""
    arrays: Arrays
    """Of the supernet."""
    observed: int
    """Training images from which the statistics are taken that normalise."""

    def evaluate(
        self, graph: Graph, dataset: Dataset, seed: int, start: FloatNetwork | None = None
    ) -> Trained:
        """Copy a network's weights, observe what normalises it, and quantise.

        What the supernet lacks of a layer begins at random. Weights to start from replace those
        that would be inherited.
        """
        check_task(graph, dataset, start)
        if start is not None:
            return self.options.evaluate(graph, dataset, seed, start)
        began = time.perf_counter()
        generator = torch.Generator().manual_seed(seed)
        with threads(self.options.threads):
            module = SharedWeights.of(self.arrays).widened(graph, generator).inherited(graph)
            images = torch.from_numpy(calibration_images(dataset.train, self.observed))
            module.observe(images, self.options.batch)
            floats = module.network()
            network = self.options.quantized(floats, dataset.train, generator)
        share = accuracy(network, dataset.validation)
        seconds = time.perf_counter() - began
        return Trained(network, floats, share, seconds, self.options.tuning_epochs())
