"""Sum of two streams, brought to one scale."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import (
    Adders,
    Count,
    Loop,
    Multipliers,
    Part,
    Phase,
    Stream,
    Structure,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Add(Process):
    """Add two tensors word by word and requantise the sum once.

    With power-of-two scales both factors are powers of two: shifts, which cost nothing.
    """

    left: Tensor
    right: Tensor
    factor_bits: int
    requantiser: Requantiser
    lanes: Count

    parameters = ("shift", "scale", "factors")

    def structure(self) -> Structure:
        """Return one rescaling adder per lane."""
        words: Count = self.left.elements // self.lanes
        output = self.requantiser.output
        factors = tuple(
            Multipliers(name, self.lanes, tensor.bits, self.factor_bits, words)
            for name, tensor in (("left_rescaling", self.left), ("right_rescaling", self.right))
            if self.requantiser.multiplies
        )
        return Structure(
            reads=(
                Stream("left", self.lanes, self.left.bits, self.left.signed, words),
                Stream("right", self.lanes, self.right.bits, self.right.signed, words),
            ),
            writes=(Stream("results", self.lanes, output.bits, output.signed, words),),
            loop=Loop(
                "sum",
                {"word": words},
                streamed(
                    *(Step(Operator.MULTIPLY) for _ in factors[:1]),
                    Step(Operator.ADD, self.requantiser.sum_bits),
                    *self.requantiser.steps,
                ),
            ),
            phases=(Phase(1, (Part(words, words, words),)),),
            multipliers=(*factors, *self.requantiser.multipliers(self.lanes, words)),
            adders=(
                Adders(self.lanes, self.requantiser.sum_bits, words),
                *self.requantiser.adders(self.lanes, words),
            ),
            facts={"requantiser": self.requantiser},
        )
