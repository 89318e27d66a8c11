"""The form of a calibration: from the values of a tensor to the worth of one integer step.

Members live in `codesign.network.calibrations`, one file each: frozen dataclasses of options.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.load import build, member
from codesign.network.floats import Floats
from codesign.network.histogram import Histogram
from codesign.network.tensor import Tensor

FOLDER = "network.calibrations"

_FINER_POWERS = 5
_FINER_STEPS = np.geomspace(1.0, 1 / 16, 97)


@dataclass(frozen=True)
class Calibration(ABC):
    """A rule that weighs how much to clip against how coarsely to round."""

    @abstractmethod
    def step(self, seen: Histogram, tensor: Tensor, base: float | None) -> float:
        """Return the real value of one integer step.

        Args:
            seen: the tensor's real values; some are not zero.
            tensor: its integer type.
            base: the step is a power of two times that; None permits any step.
        """


def calibration(name: str, options: Mapping[str, Any] | None = None) -> Calibration:
    """Return the member called `name`, with its options.

    Raises:
        InputError: there is no such member, or it has no such option.
    """
    chosen = member(FOLDER, Calibration, name, "calibration")
    return build(chosen, options or {}, f"calibration {name}")


def covering_step(low: float, high: float, tensor: Tensor, base: float | None) -> float:
    """Return the smallest step whose integers reach from `low` to `high`.

    Where steps are powers of two, an upper end that is missed by one step counts as reached, as
    in any fixed-point format: 1.0 is 255/256 in eight bits.
    """
    if base is None:
        return _reach(low, high, tensor.low, tensor.high)
    least = _reach(low, high, tensor.low, tensor.high + 1)
    return math.ldexp(base, math.ceil(math.log2(least / base)))


def steps_to_try(seen: Histogram, tensor: Tensor, base: float | None) -> Floats:
    """Return steps from the one that clips nothing down to about a sixteenth of it."""
    largest = _reach(seen.low, seen.high, tensor.low, tensor.high)
    if base is None:
        return largest * _FINER_STEPS
    first = math.ceil(math.log2(largest / base))
    return np.ldexp(base, first - np.arange(_FINER_POWERS))


def _reach(low: float, high: float, least: int, most: int) -> float:
    """Return the step that brings `low .. high` into `least .. most`; a type may lack a side."""
    below = low / least if low < 0 and least < 0 else 0.0
    above = high / most if high > 0 and most > 0 else 0.0
    return max(below, above) or max(-low, high)
