"""Product of two streams, or of a map and one factor per channel."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import (
    Arithmetic,
    Buffer,
    Count,
    Loop,
    Multipliers,
    Part,
    Phase,
    Role,
    Stream,
    Structure,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Weigh(Process):
    """Multiply word by word; factors per channel are read with the first pixel and kept."""

    element: Tensor
    factor: Tensor
    requantiser: Requantiser
    lanes: Count
    arithmetic: Count = Arithmetic.DSP

    parameters = ("shift", "scale")

    def structure(self) -> Structure:
        """Return one multiplier per lane, and the kept factors."""
        element, factor, output = self.element, self.factor, self.requantiser.output
        kept = factor.pixels < element.pixels
        words: Count = element.channels // self.lanes
        count = element.pixels * words
        rest = count - words if kept else 0 * words
        # two unsigned factors make a product that needs a sign bit of its own
        sign = not (element.signed or factor.signed)
        return Structure(
            reads=(
                Stream("left", self.lanes, element.bits, element.signed, count),
                Stream("right", self.lanes, factor.bits, factor.signed, count - rest),
            ),
            writes=(Stream("results", self.lanes, output.bits, output.signed, count),),
            loop=Loop(
                "weigh",
                {"pixel": element.pixels, "word": words},
                streamed(Step(Operator.MULTIPLY), *self.requantiser.steps),
            ),
            phases=(
                Phase(1, (Part(count - rest, (count - rest,) * 2, count - rest),)),
                Phase(1, (Part(rest, (rest, 0 * rest), rest),)),
            ),
            buffers=(
                Buffer(
                    "factors",
                    words,
                    self.lanes,
                    factor.bits,
                    factor.signed,
                    Role.MEMORY,
                    when=int(kept),
                ),
            ),
            multipliers=(
                Multipliers(
                    "weighing",
                    self.lanes,
                    element.bits + sign,
                    factor.bits,
                    count,
                    self.arithmetic,
                ),
                *self.requantiser.multipliers(self.lanes, count),
            ),
            adders=self.requantiser.adders(self.lanes, count),
            facts={"requantiser": self.requantiser},
        )
