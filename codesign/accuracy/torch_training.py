"""The training loop that everything shares: from random or given weights, with a teacher or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler

from codesign.accuracy.dataset import Dataset, Labelled
from codesign.accuracy.economy import Economy
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
    halt: Callable[[int], bool] | None = None,
) -> int:
    """Minimise the cross entropy of a module's scores, in place.

    After every epoch but the last, `halt` is given their number and may end the training: one
    more epoch then lets the learning rate sink to nothing from where it is.

    Source: Kingma and Ba, ICLR 2015 (Adam); Smith and Topin, arXiv 1708.07120, 2017 (one cycle).

    Returns:
        the number of epochs.
    """
    if not recipe.epochs:
        return 0
    batches = -(-len(split) // recipe.batch)
    optimizer = torch.optim.Adam(module.parameters(), fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.epochs * batches
    )
    teacher = FloatModule(distillation.teacher).eval() if distillation else None
    epoch = Epoch(module, split, recipe, generator, distillation, teacher)
    for number in range(1, recipe.epochs + 1):
        epoch.learn(optimizer, cycle)
        if halt is not None and number < recipe.epochs and halt(number):
            decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=batches)
            epoch.learn(optimizer, decay)
            module.eval()
            return number + 1
    module.eval()
    return recipe.epochs


class Epoch:
    """What one pass over the training images needs."""

    def __init__(
        self,
        module: nn.Module,
        split: Labelled,
        recipe: Recipe,
        generator: torch.Generator,
        distillation: Distillation | None,
        teacher: FloatModule | None,
    ) -> None:
        self.module, self.recipe, self.generator = module, recipe, generator
        self.distillation, self.teacher = distillation, teacher
        self.views, self.labels = _views(split, recipe.shift), torch.from_numpy(split.labels)
        self.shape = split.images.shape[1:]

    def learn(self, optimizer: torch.optim.Optimizer, schedule: LRScheduler) -> None:
        """See every image once, in random order."""
        self.module.train()
        count = len(self.labels)
        order = torch.randperm(count, generator=self.generator)
        for chosen in order.tensor_split(-(-count // self.recipe.batch)):
            images = _varied(self.views, chosen, self.recipe, self.generator)
            loss = self.loss(images.reshape(len(chosen), *self.shape), self.labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return what one step makes smaller."""
        scores = self.module(images)
        loss = functional.cross_entropy(scores, labels)
        if not (self.distillation and self.teacher):
            return loss
        with torch.no_grad():
            wanted = self.teacher(images)
        share = self.distillation.share
        imitated = _imitation(scores, wanted, self.distillation.temperature)
        return (1 - share) * loss + share * imitated


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


def learn_economically(
    graph: Graph, dataset: Dataset, recipe: Recipe, generator: torch.Generator, economy: Economy
) -> tuple[FloatNetwork, int]:
    """Return the graph with learned weights, and the epochs that they took.

    They begin as what is inherited, where shapes agree, else at random.
    """
    drawn = random_weights(graph, generator)
    fitting = {
        name: economy.inherited[name]
        for name, own in drawn.parameters.items()
        if name in economy.inherited and economy.inherited[name].weights.shape == own.weights.shape
    }
    begun = FloatNetwork(graph, {**drawn.parameters, **fitting})
    module = FloatModule(begun, normalises=True)
    decide = economy.halt

    def halt(epoch: int) -> bool:
        return decide is not None and decide(epoch, _rightly(module, dataset.validation))

    epochs = train(module, dataset.train, recipe, generator, halt=halt if decide else None)
    return module.network(), epochs


@torch.no_grad()
def _rightly(module: nn.Module, split: Labelled) -> float:
    """Return the share of images that a module classifies rightly as it stands."""
    module.eval()
    scores = module(torch.from_numpy(split.images))
    return float((scores.argmax(dim=1) == torch.from_numpy(split.labels)).double().mean())


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
