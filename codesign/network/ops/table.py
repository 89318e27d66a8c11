"""Any function of one number, as a table of its answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike

from codesign.errors import nearest
from codesign.network.functions import FUNCTIONS
from codesign.network.op import Exact, Integers, Op, Reals, Shape
from codesign.network.tensor import Tensor, signed_bits

MAX_ENTRIES = 1 << 16


@dataclass(frozen=True, slots=True)
class Table(Op):
    """`function` of every element, looked up; weights `[channels, entries]` or `[1, entries]`.

    Entry `i` is the answer for the input `domain[0] + i`; answers lie within `image`. With more
    than one channel each has a row of its own. `parameters` are the function's.
    """

    function: str
    parameters: tuple[float, ...]
    domain: tuple[int, int]
    image: tuple[int, int]
    channels: int = 1

    def __post_init__(self) -> None:
        if self.function not in FUNCTIONS:
            remedy = nearest(self.function, FUNCTIONS)
            raise ValueError(f"there is no function '{self.function}'; {remedy}")
        if not 1 <= self.entries <= MAX_ENTRIES or self.image[0] > self.image[1]:
            raise ValueError(f"a table from {self.domain} to {self.image}")
        if self.channels < 1:
            raise ValueError(f"a table of {self.channels} channels")

    @property
    def entries(self) -> int:
        """Number of inputs that have an answer."""
        return self.domain[1] - self.domain[0] + 1

    def typed(self, inputs: Sequence[Tensor], output: Tensor) -> Table:
        """Return the table from the input's whole range to the output's."""
        (source,) = inputs
        domain, image = (source.low, source.high), (output.low, output.high)
        return replace(self, domain=domain, image=image)

    def answers(self, source: float, result: float) -> Integers:
        """Return the weights for real steps of the input and of the answer.

        Rounds half to even and saturates, as every requantisation does.
        """
        inputs = source * np.arange(self.domain[0], self.domain[1] + 1, dtype=np.float64)
        rows = np.broadcast_to(inputs, (1, self.channels, self.entries))
        answers = np.rint(self._computed(rows)[0] / result)
        clipped: Integers = np.clip(answers, *self.image).astype(np.int64)
        return clipped

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return the input's shape."""
        (shape,) = inputs
        if self.channels not in (1, shape[0]):
            raise ValueError(f"a table of {self.channels} channels was given {shape}")
        return shape

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Nothing is multiplied."""
        return 0

    def accumulate(
        self, inputs: Sequence[Exact], weights: Integers | None, dtype: DTypeLike = np.int64
    ) -> Exact:
        """Return `N x` the input's shape."""
        assert weights is not None
        places = inputs[0].astype(np.int64) - self.domain[0]
        table = weights.astype(dtype)
        if self.channels == 1:
            shared: Exact = table[0].take(places)
            return shared
        rows = np.arange(self.channels).reshape(-1, *(1,) * (places.ndim - 2))
        answers: Exact = table[rows, places]
        return answers

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """The range of the answers."""
        if weights is None:
            return self.image
        return int(weights.min()), int(weights.max())

    def real(self, inputs: Sequence[Reals], weights: Reals | None) -> Reals:
        """Return `N x` the input's shape."""
        return self._computed(inputs[0])

    @property
    def weight_shape(self) -> Shape:
        """`[channels, entries]`."""
        return (self.channels, self.entries)

    @property
    def weight_bits(self) -> int:
        """Signed bits of one answer."""
        return signed_bits(*self.image)

    def _computed(self, values: Reals) -> Reals:
        return FUNCTIONS[self.function].compute(values, *self.parameters)
