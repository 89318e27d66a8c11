"""The form of a reference network: layers, seeded weights, and the counts that were published.

Members live in `codesign.network.models`, one file each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from codesign.load import member, names
from codesign.network.graph import Graph
from codesign.network.layers import Layers
from codesign.network.network import FloatNetwork
from codesign.network.tensor import Tensor

FOLDER = "network.models"

NORM_RULES: Mapping[int, str] = MappingProxyType(
    {
        0: "weights and biases; batch normalisations are fused or left out",
        2: "weights, biases, and two learned numbers per channel of a batch normalisation",
        4: "weights, biases, and four numbers per channel of a batch normalisation",
    }
)
"""What publications call parameters, by the numbers that they count of a batch normalisation."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A published count: its value, what one unit of its last printed digit is worth, its source.

    MACs are those of convolutions and dense layers, positions over padding included.
    """

    value: int
    digit: int
    source: str

    def agrees(self, count: int) -> bool:
        """Whether `count` would be printed as this figure."""
        return 2 * abs(count - self.value) <= self.digit and (self.digit > 1 or count == self.value)


@dataclass(frozen=True)
class Model(ABC):
    """A known network; `weight_bits` and `activation_bits` are what its integers are to be."""

    title: ClassVar[str]
    input: ClassVar[Tensor]
    published_macs: ClassVar[Figure | None] = None
    published_parameters: ClassVar[Figure | None] = None
    norm_numbers: ClassVar[int] = 2
    """What the publication counts of a batch normalisation, per channel (`NORM_RULES`)."""

    weight_bits: int = 8
    activation_bits: int = 8

    @abstractmethod
    def declare(self, layers: Layers) -> None:
        """Write the layers down, from the input on."""

    @property
    def name(self) -> str:
        """The name of the member's file."""
        return type(self).__module__.rpartition(".")[2]

    def graph(self) -> Graph:
        """Return the network without weights."""
        return self._declared().graph(self.name)

    def network(self, seed: int = 0) -> FloatNetwork:
        """Return the network with weights drawn from a seed."""
        return self._declared().network(self.name, seed)

    def counted_parameters(self) -> int:
        """Return the number of parameters by the publication's own rule.

        Fused layers have a bias per channel: those that the publication lacks are taken off,
        and what it counts of its batch normalisations is put on.
        """
        layers = self._declared()
        fused = layers.graph(self.name).parameters
        return fused - layers.unbiased + self.norm_numbers * layers.normalised

    def _declared(self) -> Layers:
        layers = Layers(self.input, self.weight_bits, self.activation_bits)
        self.declare(layers)
        return layers


def image(size: int, channels: int = 3) -> Tensor:
    """Return the type of a square image, 8 bits a pixel."""
    return Tensor((channels, size, size), 8, signed=False)


def reference(name: str, weight_bits: int = 8, activation_bits: int = 8) -> Model:
    """Return a reference network by name, that is to get integers of these widths.

    Raises:
        InputError: there is none of this name.
    """
    return member(FOLDER, Model, name, "model")(weight_bits, activation_bits)


def references() -> tuple[Model, ...]:
    """Return all reference networks, in order of name."""
    return tuple(reference(name) for name in names(FOLDER))


def is_reference(name: str) -> bool:
    """Whether a reference network has this name."""
    return name in names(FOLDER)
