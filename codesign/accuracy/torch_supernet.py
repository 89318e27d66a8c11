"""One set of weights for all networks of a family: every network is a slice of it.

For every role (`codesign.network.roles`) there is one tensor, as large as any network has it. A
layer reads its leading channels and the middle of its kernels.

Sources: Guo et al., ECCV 2020 (arXiv 1904.00420), one network drawn at random per step; Cai et al.,
ICLR 2020 (arXiv 1908.09791), section 3.3, kernels and channels that lie in each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from codesign.accuracy.dataset import Labelled
from codesign.accuracy.supernet_file import Arrays
from codesign.accuracy.torch_module import FloatModule
from codesign.accuracy.torch_training import Epoch, Recipe
from codesign.network.graph import Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.op import Shape
from codesign.network.roles import roles


@dataclass(slots=True)
class Extents:
    """How large the weights of each role have to be, for the networks that were included."""

    weights: dict[str, Shape] = field(default_factory=dict)
    normalised: set[str] = field(default_factory=set)
    """Roles of layers that a batch normalisation follows: all but those that answer."""

    def include(self, graph: Graph) -> None:
        """Grow to what a network needs."""
        for name, role in roles(graph).items():
            shape = graph[name].op.weight_shape
            assert shape is not None
            own = self.weights.get(role, shape)
            self.weights[role] = tuple(map(max, own, shape))
            if name not in graph.outputs:
                self.normalised.add(role)

    def cover(self, graph: Graph) -> bool:
        """Whether every layer of a network is a slice."""
        for name, role in roles(graph).items():
            shape, own = graph[name].op.weight_shape, self.weights.get(role)
            assert shape is not None
            if own is None or any(map(int.__lt__, own, shape)):
                return False
        return True


class SharedWeights(nn.Module):
    """The weights of all roles, and the networks that are slices of them."""

    def __init__(self, extents: Extents, generator: torch.Generator) -> None:
        """Draw weights, their variance by the inputs of the largest layer of a role.

        Source: He et al., ICCV 2015, section 2.2.
        """
        super().__init__()
        self.extents = extents
        for role, shape in sorted(extents.weights.items()):
            drawn = torch.randn(shape, generator=generator) * (2 / np.prod(shape[1:])) ** 0.5
            self._learn("weights", role, drawn)
            self._learn("bias", role, torch.zeros(shape[0]))
            if role in extents.normalised:
                self._learn("gain", role, torch.ones(shape[0]))

    @classmethod
    def of(cls, arrays: Arrays) -> SharedWeights:
        """Return the supernet that `arrays` wrote down."""
        extents = Extents()
        for name, values in arrays.items():
            kind, _, role = name.partition("_")
            if kind == "weights":
                extents.weights[role] = values.shape
            elif kind == "gain":
                extents.normalised.add(role)
        shared = cls(extents, torch.Generator().manual_seed(0))
        shared.load_state_dict({n: torch.from_numpy(values) for n, values in arrays.items()})
        return shared

    def arrays(self) -> Arrays:
        """Return all weights by name."""
        return {name: own.detach().numpy().copy() for name, own in self.named_parameters()}

    def forward(self, images: Tensor, graph: Graph) -> Tensor:
        """Return a network's answers to real images `[N, ...]`, normalised by them, `[N, classes]`.

        Gradients reach the slices that the network reads.
        """
        blank = FloatModule(_blank(graph), normalises=True).train()
        answers: Tensor = functional_call(blank, self.slices(graph), (images,))
        return answers

    def slices(self, graph: Graph) -> dict[str, Tensor]:
        """Return a network's parameters as `FloatModule` calls them: views, to learn through.

        Raises:
            KeyError: no network that was included has such a layer.
        """
        own: dict[str, Tensor] = {}
        for name, role in roles(graph).items():
            shape = graph[name].op.weight_shape
            assert shape is not None
            weights = self._of("weights", role)
            own[f"weights_{name}"] = weights[slices(tuple(weights.shape), shape)]
            own[f"bias_{name}"] = self._of("bias", role)[: shape[0]]
            if role in self.extents.normalised:
                own[f"gain_{name}"] = self._of("gain", role)[: shape[0]]
        return own

    @torch.no_grad()
    def inherited(self, graph: Graph) -> FloatModule:
        """Return a network with weights of its own, copied from its slices.

        What normalises it knows nothing of the images yet (`FloatModule.observe`).
        """
        module = FloatModule(_blank(graph), normalises=True)
        for name, values in self.slices(graph).items():
            module.get_parameter(name).copy_(values)
        return module.eval()

    @torch.no_grad()
    def widened(self, graph: Graph, generator: torch.Generator) -> SharedWeights:
        """Return a supernet that has a network, too: itself, or a larger one, random beyond."""
        if self.extents.cover(graph):
            return self
        extents = Extents(dict(self.extents.weights), set(self.extents.normalised))
        extents.include(graph)
        larger = SharedWeights(extents, generator)
        for name, own in self.named_parameters():
            whole = larger.get_parameter(name)
            whole[slices(tuple(whole.shape), tuple(own.shape))] = own
        return larger

    def _of(self, kind: str, role: str) -> nn.Parameter:
        found = self._parameters[f"{kind}_{role}"]
        assert found is not None
        return found

    def _learn(self, kind: str, role: str, values: Tensor) -> None:
        self.register_parameter(f"{kind}_{role}", nn.Parameter(values))


def slices(whole: Shape, part: Shape) -> tuple[slice, ...]:
    """Return where weights `[outputs, inputs, ...]` lie in larger ones of the same role."""
    margins = [w - p for w, p in zip(whole, part, strict=True)]
    first = [0 if axis < 2 else margin // 2 for axis, margin in enumerate(margins)]
    return tuple(slice(start, start + own) for start, own in zip(first, part, strict=True))


class Paths(Epoch):
    """One pass over the training images, in which every step trains some networks."""

    def __init__(
        self, shared: SharedWeights, split: Labelled, recipe: Recipe, generator: torch.Generator
    ) -> None:
        super().__init__(shared, split, recipe, generator, None, None)
        self._graphs: Iterator[Sequence[Graph]] = iter(())

    def follow(self, graphs: Iterable[Sequence[Graph]]) -> None:
        """Take the networks of every step from here."""
        self._graphs = iter(graphs)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cross entropy of the step's networks."""
        losses = [
            functional.cross_entropy(self.module(images, graph), labels)
            for graph in next(self._graphs)
        ]
        return torch.stack(losses).mean()


def _blank(graph: Graph) -> FloatNetwork:
    return FloatNetwork(graph, {node.name: _zeros(node) for node in graph if node.op.has_bias})


def _zeros(node: Node) -> FloatParameters:
    shape = node.op.weight_shape
    assert shape is not None
    return FloatParameters(np.zeros(shape), np.zeros(shape[0]))
