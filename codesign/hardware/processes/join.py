"""Several streams as one, channel after channel."""

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

UNIT_BITS = 2
"""Signed bits of the factor 1, which multiplies nothing."""


@dataclass(frozen=True, slots=True)
class Join(Process):
    """Pass on the channels of each part in turn, pixel by pixel, all brought to one scale."""

    parts: tuple[Tensor, ...]
    factor_bits: int
    requantiser: Requantiser
    lanes: Count

    parameters = ("shift", "scale", "factors")

    def structure(self) -> Structure:
        """Return one rescaling per lane."""
        output = self.requantiser.output
        pixels = output.pixels
        words = [part.channels // self.lanes for part in self.parts]
        every: Count = output.channels // self.lanes
        rescaled = self.factor_bits > UNIT_BITS and self.requantiser.multiplies
        parts = tuple(
            Stream(f"part{n}", self.lanes, part.bits, part.signed, pixels * count)
            for n, (part, count) in enumerate(zip(self.parts, words, strict=True))
        )
        rescalings = tuple(
            Multipliers(f"rescaling{n}", self.lanes, part.bits, self.factor_bits, pixels * count)
            for n, (part, count) in enumerate(zip(self.parts, words, strict=True))
            if rescaled
        )
        return Structure(
            reads=parts,
            writes=(Stream("results", self.lanes, output.bits, output.signed, pixels * every),),
            loop=Loop(
                "next",
                {"pixel": pixels, "word": every},
                streamed(Step(Operator.SELECT, times=2), *self.requantiser.steps),
            ),
            phases=(Phase(pixels, tuple(self._part(n, count) for n, count in enumerate(words))),),
            multipliers=(
                *rescalings,
                *self.requantiser.multipliers(self.lanes, pixels * every),
            ),
            # the choice of the part, and what requantises
            adders=(
                Adders(len(self.parts), 16, pixels * every),
                *self.requantiser.adders(self.lanes, pixels * every),
            ),
            facts={
                "ends": tuple(sum(words[: n + 1]) for n in range(len(words))),
                "rescaled": rescaled,
                "requantiser": self.requantiser,
            },
        )

    def _part(self, number: int, words: Count) -> Part:
        """Return the iterations that read one part only."""
        reads = tuple(words if n == number else 0 * words for n in range(len(self.parts)))
        return Part(words, reads, words)
