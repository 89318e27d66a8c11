"""One trained network from an ONNX file; only its widths may vary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from codesign.errors import InputError
from codesign.network import onnx
from codesign.network.family import Family
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.space import Choice, Point, Space


@dataclass(frozen=True)
class Onnx(Family):
    """A model as it is. A quantised one has its widths; a float one is given some of these."""

    model: str = ""
    weight_bits: tuple[int, ...] = (8,)
    activation_bits: tuple[int, ...] = (8,)

    def __post_init__(self) -> None:
        Family.__post_init__(self)
        if not self.model:
            raise InputError("network.model", "is empty", "name an ONNX file")
        for key in ("weight_bits", "activation_bits"):
            values = getattr(self, key)
            if not values or min(values) < 2 or max(values) > 8 or len(set(values)) < len(values):
                raise ValueError(f"{key} are different integers of 2 to 8, got {list(values)}")

    def space(self) -> Space:
        """Return the widths to choose from; a quantised model leaves no choice."""
        if isinstance(self._load(8, 8), Network):
            return Space((Choice("weight_bits", (8,)), Choice("activation_bits", (8,))))
        return Space(
            (
                Choice("weight_bits", self.weight_bits),
                Choice("activation_bits", self.activation_bits),
            )
        )

    def decode(self, point: Point) -> Graph:
        """Return the model's graph with the point's widths."""
        return self.start(point).graph

    def start(self, point: Point) -> Network | FloatNetwork:
        """Return the model with its learned numbers."""
        return self._load(int(point["weight_bits"]), int(point["activation_bits"]))

    def _load(self, weight_bits: int, activation_bits: int) -> Network | FloatNetwork:
        path = Path(self.model).expanduser()
        return onnx.load(path, weight_bits=weight_bits, activation_bits=activation_bits)
