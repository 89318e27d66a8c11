"""Differentiable search: shares of the values of every choice, learned by gradients.

A supernet is trained on networks drawn at random. Its weights then stay, and the logits of every
choice are learned on images that it did not see: a step draws one network by the Gumbel-softmax,
and the loss is its cross entropy and the expected logarithm of a figure of hardware, which a list
of prices gives (`codesign.search.effects`). So one supernet serves every weight of the hardware.

Sources: Wu et al., CVPR 2019 (arXiv 1812.03443), sections 3.2 and 3.3; Cai et al., ICLR 2019
(arXiv 1812.00332), section 3.3.1 (the expected latency); Guo et al., ECCV 2020 (arXiv 1904.00420),
section 3.1 (weights first, architectures after).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.dataset import Split
from codesign.accuracy.torch_gates import Gate, gated, straight_through, visible
from codesign.accuracy.torch_sharing import Sampler, learn_shared
from codesign.accuracy.torch_supernet import SharedWeights
from codesign.accuracy.torch_training import Recipe, threads
from codesign.errors import InputError
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.search.distribution import Distribution
from codesign.search.effects import Effects, activity
from codesign.search.variation import Indices, drawn
from codesign.space import Space

_LOOKED_AT = 20
"""Networks at which it is looked whether a choice changes anything."""
_HELD_OUT = 5
"""One in so many images is for the logits, the others for the weights."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How logits are learned."""

    updates: int
    step_size: float
    temperature: float
    batch: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A family with a trained supernet: what distributions are learned from."""

    family: Family
    space: Space
    shared: SharedWeights
    images: Split
    """What logits are learned on."""
    open: tuple[bool, ...]
    """Which choices change the real numbers of a network; the others stay as they are."""

    @classmethod
    def trained(
        cls,
        family: Family,
        split: Split,
        recipe: Recipe,
        seed: int,
        checkpoint: Path,
        paths: int = 1,
    ) -> Learner:
        """Train a supernet of a family on most of some images.

        The answer depends on the arguments alone, to the bit.

        Args:
            family: whose choices are to be learned.
            split: training images.
            recipe: how long and how fast the supernet learns.
            seed: of everything random.
            checkpoint: the file that holds an unfinished training.
            paths: networks of one step of the supernet.

        Raises:
            InputError: no choice of the family changes what a network learns.
        """
        space, random = family.space(), np.random.default_rng(seed)
        open_ = _open(family, space, random)
        if not any(open_):
            problem = "no choice of this family changes a network in real numbers"
            raise InputError("search.strategy", problem, "another strategy searches bit widths")
        held = np.arange(len(split)) % _HELD_OUT == _HELD_OUT - 1
        with threads(1):
            sampler = Sampler.survey(family, seed)
            shared = learn_shared(sampler, _part(split, ~held), recipe, paths, checkpoint)
        return cls(family, space, shared, _part(split, held), open_)

    def learned(
        self, effects: Effects, weights: Sequence[float], descent: Descent, seed: int
    ) -> list[Distribution]:
        """Return the shares that make the expected loss small, for each of some rising weights.

        The loss is the cross entropy and a weight times the expected logarithm of the figure: with
        a weight of 0.1 a figure of half the size is worth 0.07 of cross entropy. Every weight goes
        on from the shares of the one before, so that a tighter one only has to say what it adds.
        """
        random = np.random.default_rng(seed)
        generator = torch.Generator().manual_seed(seed)
        pairs = zip(self.space.shape, self.open, strict=True)
        logits = [torch.zeros(n, requires_grad=is_open) for n, is_open in pairs]
        found = []
        for weight in weights:
            optimizer = torch.optim.Adam([x for x in logits if x.requires_grad], descent.step_size)
            with threads(1):
                for _ in range(descent.updates):
                    loss = self.cross_entropy(logits, descent, random, generator)
                    shares = [functional.softmax(own, dim=0) for own in logits]
                    loss = loss + weight * expected(effects, shares)
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
            shares = [functional.softmax(own.detach().double(), dim=0) for own in logits]
            found.append(Distribution(self.space, tuple(own.numpy() for own in shares)))
        return found

    def cross_entropy(
        self,
        logits: Sequence[Tensor],
        descent: Descent,
        random: np.random.Generator,
        generator: torch.Generator,
    ) -> Tensor:
        """Return the loss of a network drawn by logits, on a batch; its gradient reaches them.

        Of every choice one other value is looked at, as likely as the rest, and counts for all.
        """
        while True:
            drawn_ = [straight_through(own, descent.temperature, generator) for own in logits]
            point = [int(own.argmax()) for own in drawn_]
            graph = _graph(self.family, self.space, self.space.settled(point))
            if self.shared.extents.cover(graph):
                break
        gates = []
        for place, counts in enumerate(self.space.counts(point)):
            others = len(logits[place]) - 1
            if not (counts and others and self.open[place]):
                continue
            other = int(random.integers(others))
            other += other >= point[place]
            beside = self.space.settled([*point[:place], other, *point[place + 1 :]])
            alternative = _graph(self.family, self.space, beside)
            gates.append(Gate(alternative, others * drawn_[place][other]))
        chosen = torch.randperm(len(self.images), generator=generator)[: descent.batch]
        images = torch.from_numpy(self.images.images)[chosen]
        labels = torch.from_numpy(self.images.labels)[chosen]
        return functional.cross_entropy(gated(self.shared, images, graph, gates), labels)


def expected(effects: Effects, shares: Sequence[Tensor]) -> Tensor:
    """Return what `Effects.expected` does, to learn through."""
    total = shares[0].new_tensor(effects.base)
    counting = activity(effects.space, shares)
    for addends, own, often in zip(effects.addends, shares, counting, strict=True):
        total = total + often * (own @ own.new_tensor(addends))
    return total


def _open(family: Family, space: Space, random: np.random.Generator) -> tuple[bool, ...]:
    """Return which choices change a network in real numbers, somewhere."""
    found = [False] * len(space.choices)
    for _ in range(_LOOKED_AT):
        point = drawn(space, random)
        graph = _graph(family, space, point)
        for place, counts in enumerate(space.counts(point)):
            if found[place] or not counts:
                continue
            others = (i for i in range(space.shape[place]) if i != point[place])
            beside = (space.settled([*point[:place], i, *point[place + 1 :]]) for i in others)
            found[place] = any(visible(graph, _graph(family, space, own)) for own in beside)
    return tuple(found)


def _graph(family: Family, space: Space, point: Indices) -> Graph:
    return family.decode(space.decode(point))


def _part(split: Split, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Split:
    return Split(split.images[chosen], split.labels[chosen])
