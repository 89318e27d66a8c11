"""Fully connected layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from codesign.network.op import Integers, Op, Shape, dot_range, exact_matmul, extreme_weights
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Dense(Op):
    """Matrix times vector; weights `[outputs, inputs]`. A map is flattened in order C, H, W."""

    inputs: int
    outputs: int
    bits: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """Return `(outputs,)`."""
        (shape,) = inputs
        if prod(shape) != self.inputs:
            raise ValueError(f"a dense layer of {self.inputs} inputs was given {shape}")
        return (self.outputs,)

    def macs(self, inputs: Sequence[Shape]) -> int:
        """Count one multiply-accumulate per weight."""
        self.output_shape(inputs)
        return self.inputs * self.outputs

    def accumulate(self, inputs: Sequence[Integers], weights: Integers | None) -> Integers:
        """Return `N x outputs`."""
        assert weights is not None
        vectors = inputs[0].reshape(len(inputs[0]), -1)
        bound = int(np.abs(weights.astype(np.int64)).sum(axis=1).max()) * int(
            np.abs(vectors).max(initial=0)
        )
        return exact_matmul(vectors, weights.T, bound)

    def accumulator_range(
        self, inputs: Sequence[Tensor], weights: Integers | None
    ) -> tuple[int, int]:
        """Bound the sum of `inputs` products."""
        if weights is None:
            weights = extreme_weights(self.bits, self.inputs)
        return dot_range(inputs[0], weights)

    @property
    def weight_shape(self) -> Shape:
        """`[outputs, inputs]`."""
        return (self.outputs, self.inputs)

    @property
    def weight_bits(self) -> int:
        """Bits of one signed weight."""
        return self.bits

    @property
    def has_bias(self) -> bool:
        """One integer per output."""
        return True
