"""What proxies that look at images have in common: one batch through one untrained network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.dataset import Labelled
from codesign.accuracy.evaluator import check_options
from codesign.accuracy.proxy import Proxy
from codesign.accuracy.torch_module import FloatModule, random_weights
from codesign.accuracy.torch_training import threads
from codesign.network.graph import Graph


@dataclass(frozen=True)
class BatchProxy(Proxy):
    """Scores a network, normalised by the batch that it sees, on the first training images."""

    images: int = 64

    least: ClassVar[Mapping[str, float]] = {"images": 2}

    def __post_init__(self) -> None:
        check_options(self, self.least)

    @abstractmethod
    def measured(self, module: FloatModule, images: Tensor, labels: Tensor) -> float:
        """Return the score of a module in training mode.

        Args:
            module: in double precision.
            images: `double [N, ...]`.
            labels: `int64 [N]`.
        """

    def score(self, graph: Graph, split: Labelled, seed: int) -> float:
        """Return what the first images show."""
        images = torch.from_numpy(split.images[: self.images]).double()
        labels = torch.from_numpy(split.labels[: self.images])
        with threads(1):
            return self.measured(untrained(graph, seed, normalises=True), images, labels)


def untrained(graph: Graph, seed: int, *, normalises: bool) -> FloatModule:
    """Return a graph with random weights, in double precision and training mode."""
    generator = torch.Generator().manual_seed(seed)
    return FloatModule(random_weights(graph, generator), normalises=normalises).double()


def weights_of(module: FloatModule) -> list[Tensor]:
    """Return the weights of layers; neither biases nor what normalises."""
    return [module.of("weights", node) for node in module.start.graph if node.op.has_bias]


def loss_gradients(
    module: FloatModule, weights: list[Tensor], images: Tensor, labels: Tensor
) -> list[Tensor]:
    """Return the gradient of the mean cross entropy for each of `weights`."""
    loss = functional.cross_entropy(module(images), labels)
    return list(torch.autograd.grad(loss, weights))
