"""Several tensors as one, channel after channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from codesign.network.op import Exact, Integers, Op, Reals, Shape, joined_range
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """The channels of `parts` inputs in a row; weights `[parts]` bring them to one scale.

    The weights are positive; `bits` counts their (unused) sign bit. Inputs of one scale have
    weights of 1.
    """

    rescales: ClassVar[bool] = True

    parts: int
    bits: int

    def __post_init__(self) -> None:
        if self.parts < 1:
            raise ValueError(f"a concatenation has at least one part, not {self.parts}")

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return all channels, over the common rows and columns."""
        if len(inputs) != self.parts or len({shape[1:] for shape in inputs}) != 1:
            raise ValueError(f"a concatenation of {self.parts} was given {list(inputs)}")
        return (sum(shape[0] for shape in inputs), *inputs[0][1:])

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Rescaling is requantisation, which MACs do not count."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` all channels."""
        assert weights is not None
        scaled = [
            part.astype(dtype, copy=False) * int(weight)
            for part, weight in zip(inputs, weights, strict=True)
        ]
        return np.concatenate(scaled, axis=1)

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The widest range of a rescaled input."""
        lows, highs = zip(*joined_range(inputs, weights, self.bits), strict=True)
        return min(lows), max(highs)

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` all channels."""
        return np.concatenate(inputs, axis=1)

    def unit(self, sources: Sequence[float], weights: NDArray[Any] | None) -> Reals:
        """One step of an input, divided by its weight; the coarsest one's is the most exact."""
        assert weights is not None
        coarsest = int(np.argmax(sources))
        return np.array([sources[coarsest] / int(weights[coarsest])])

    @property
    def weight_shape(self) -> Shape:
        """One factor per input."""
        return (self.parts,)

    @property
    def weight_bits(self) -> int:
        """Bits of one factor, its sign included."""
        return self.bits
