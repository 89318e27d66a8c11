"""The training loop that everything shares: from random or given weights, with a teacher or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.dataset import Labelled
from codesign.accuracy.torch_module import FloatModule, IntegerModule, random_weights
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.network.scales import Scales


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to learn, and how training images vary."""

    epochs: int
    batch: int
    learning_rate: float
    """The highest of one cycle."""
    shift: int = 0
    """Images move by up to so many pixels at random."""
    flip: bool = False
    """Whether half of the images, at random, are mirrored left to right."""


@dataclass(frozen=True, slots=True, eq=False)
class Distillation:
    """A network to imitate: its scores at a `temperature` make up `share` of the loss.

    Source: Hinton, Vinyals and Dean, arXiv 1503.02531, 2015, section 2.
    """

    teacher: FloatNetwork
    share: float
    temperature: float


def train(
    module: nn.Module,
    split: Labelled,
    recipe: Recipe,
    generator: torch.Generator,
    distillation: Distillation | None = None,
) -> None:
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
    teacher = FloatModule(distillation.teacher).eval() if distillation else None
    views, labels = _views(split, recipe.shift), torch.from_numpy(split.labels)
    module.train()
    for _ in range(recipe.epochs):
        order = torch.randperm(len(split), generator=generator)
        for chosen in order.tensor_split(batches):
            images = _varied(views, chosen, recipe, generator)
            images = images.reshape(len(chosen), *split.images.shape[1:])
            scores = module(images)
            loss = functional.cross_entropy(scores, labels[chosen])
            if distillation and teacher:
                with torch.no_grad():
                    wanted = teacher(images)
                imitated = _imitation(scores, wanted, distillation.temperature)
                loss = (1 - distillation.share) * loss + distillation.share * imitated
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    module.eval()


def learn_floats(
    graph: Graph,
    split: Labelled,
    recipe: Recipe,
    generator: torch.Generator,
    start: FloatNetwork | None,
) -> FloatNetwork:
    """Return the graph with real weights: those of `start`, or else learned from nothing."""
    if start is not None:
        return FloatNetwork(graph, start.parameters, start.clips)
    module = FloatModule(random_weights(graph, generator), normalises=True)
    train(module, split, recipe, generator)
    return module.network()


def learn_normalised(
    network: FloatNetwork, split: Labelled, recipe: Recipe, seed: int
) -> FloatNetwork:
    """Return a network of random weights after training, for which its layers are normalised.

    The answer depends on the arguments alone, to the bit.
    """
    with threads(1):
        module = FloatModule(network, normalises=True)
        train(module, split, recipe, torch.Generator().manual_seed(seed))
    return module.network()


def fine_tune(
    network: FloatNetwork,
    split: Labelled,
    recipe: Recipe,
    generator: torch.Generator,
    distillation: Distillation | None = None,
) -> FloatNetwork:
    """Return a network, imported or pruned, after more training in real numbers."""
    module = FloatModule(network)
    train(module, split, recipe, generator, distillation)
    return module.network()


def learn_integers(
    network: FloatNetwork,
    scales: Scales,
    split: Labelled,
    recipe: Recipe,
    generator: torch.Generator,
    distillation: Distillation | None = None,
) -> Network:
    """Return the integers of a trained network, learned further through their rounding."""
    module = IntegerModule(network, scales)
    train(module, split, recipe, generator, distillation)
    return module.quantized()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` threads: sums depend on how they are divided."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _views(split: Labelled, shift: int) -> Tensor:
    """Return every shifted view of every image, `[N, C, 2 shift + 1, 2 shift + 1, H, W]`.

    A vector is a map of one pixel.
    """
    images = torch.from_numpy(split.images)
    if images.ndim == 2:
        images = images[:, :, None, None]
    rows, columns = images.shape[2:]
    padded = functional.pad(images, (shift,) * 4)
    return padded.unfold(2, rows, 1).unfold(3, columns, 1)


def _varied(views: Tensor, chosen: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Return one view of each of some images, `[chosen, C, H, W]`."""
    rows, columns = torch.randint(2 * recipe.shift + 1, (2, len(chosen)), generator=generator)
    images = views[chosen, :, rows, columns]
    if not recipe.flip:
        return images
    mirrored = torch.rand(len(chosen), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def _imitation(scores: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """Return how far the classes' shares are from those wanted, both softened.

    Gradients shrink by the square of the temperature, which is made up for.
    """
    softened, target = (
        functional.log_softmax(values / temperature, dim=1) for values in (scores, wanted)
    )
    divergence = functional.kl_div(softened, target, reduction="batchmean", log_target=True)
    return divergence * temperature**2
