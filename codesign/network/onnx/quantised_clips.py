"""Clips in front of a quantiser, which only narrow the range of its integers.

Rounding keeps order, so a clip to real bounds and then rounding is rounding and then a clip to the
rounded bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from codesign.network.onnx import model_file
from codesign.network.onnx.quantised_types import Quantiser

_FREE = (("min", -math.inf), ("max", math.inf))


@dataclass(frozen=True, slots=True)
class Clip:
    """A tensor clipped to `low .. high`."""

    tensor: str
    low: float
    high: float

    def narrowed(self, quantiser: Quantiser) -> Quantiser:
        """Return the quantiser of the tensor that gives the integers of the clipped one."""
        low, high = (
            float(np.clip(np.rint(bound / quantiser.scale) + quantiser.zero, *_ends(quantiser)))
            for bound in (self.low, self.high)
        )
        return replace(quantiser, low=int(low), high=int(high))


def _ends(quantiser: Quantiser) -> tuple[int, int]:
    return quantiser.low, quantiser.high


def clip(node: onnx.NodeProto, constant: Callable[[str], NDArray[Any] | None]) -> Clip | None:
    """Return what a Clip does, or None if its bounds are computed or make no sense.

    Args:
        node: a Clip; its bounds are inputs, or attributes in early operator sets.
        constant: returns a constant of the model by name, or None.
    """
    attributes = model_file.attributes(node)
    bounds = [float(attributes.get(name, default)) for name, default in _FREE]
    for index, name in enumerate(node.input[1:3]):
        if name:
            stored = constant(name)
            if stored is None or stored.size != 1 or stored.dtype.kind not in "fiu":
                return None
            bounds[index] = float(stored.reshape(()))
    low, high = bounds
    return Clip(node.input[0], low, high) if low <= high else None
