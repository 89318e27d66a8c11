"""The training loop that all evaluators share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.dataset import Split
from codesign.accuracy.torch_module import FloatModule
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to learn; `shift` moves training images by up to so many pixels."""

    epochs: int
    batch: int
    learning_rate: float
    shift: int


def train(module: nn.Module, split: Split, recipe: Recipe, generator: torch.Generator) -> None:
    """Minimise the cross entropy of a module's scores, in place.

    Source: Kingma and Ba, ICLR 2015 (Adam); Smith and Topin, arXiv 1708.07120, 2017 (one cycle).
    """
    if not recipe.epochs:
        return
    batches = -(-len(split) // recipe.batch)
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * batches
    )
    images, labels = _views(split, recipe.shift), torch.from_numpy(split.labels)
    module.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(split), generator=generator)
        for chosen in order.tensor_split(batches):
            offsets = torch.randint(2 * recipe.shift + 1, (2, len(chosen)), generator=generator)
            scores = module(images[chosen, :, offsets[0], offsets[1]])
            loss = functional.cross_entropy(scores, labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    module.eval()


def learn_floats(
    graph: Graph,
    split: Split,
    recipe: Recipe,
    generator: torch.Generator,
    start: FloatNetwork | None,
) -> FloatNetwork:
    """Return the graph with real weights: those of `start`, or else learned from nothing."""
    if start is not None:
        return FloatNetwork(graph, start.parameters)
    module = FloatModule(graph, generator)
    train(module, split, recipe, generator)
    return module.network()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` threads: sums depend on how they are divided."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _views(split: Split, shift: int) -> Tensor:
    """Return every shifted view of every image, `[N, C, 2 shift + 1, 2 shift + 1, H, W]`."""
    rows, columns = split.images.shape[2:]
    padded = functional.pad(torch.from_numpy(split.images), (shift,) * 4)
    return padded.unfold(2, rows, 1).unfold(3, columns, 1)
