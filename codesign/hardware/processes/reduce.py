"""Maximum or sum over the positions of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import (
    Adders,
    Buffer,
    Count,
    Loop,
    Part,
    Phase,
    Role,
    Stream,
    Structure,
    ceil_log2,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Reduce(Process):
    """Reduce `positions` pixels to one, `pixels` times: `lanes` channels of `together` a cycle.

    The running results of all channels lie in LUTRAM, whose asynchronous read lets a result be
    read, updated and written in one cycle. Where all positions come together, nothing runs.
    """

    maximum: bool
    pixels: int
    positions: int
    element: Tensor
    requantiser: Requantiser
    lanes: Count
    together: int = 1

    parameters = ("shift", "scale")

    def structure(self) -> Structure:
        """Return the running results and one operator per lane."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.requantiser.output
        results = self.pixels * words
        parts = self.positions // self.together
        body = (parts - 1) * words
        inputs = self.together * self.lanes
        return Structure(
            reads=(Stream("patches", inputs, element.bits, element.signed, results * parts),),
            writes=(Stream("results", self.lanes, output.bits, output.signed, results),),
            loop=Loop(
                "position",
                {"pixel": self.pixels, "part": parts, "word": words},
                streamed(
                    Step(Operator.MEMORY),
                    Step(Operator.ADD, self.requantiser.sum_bits, ceil_log2(self.together) + 1),
                    *self.requantiser.steps,
                ),
            ),
            phases=(Phase(self.pixels, (Part(body, body, 0 * words), Part(words, words, words))),),
            buffers=(
                Buffer(
                    "running",
                    words,
                    self.lanes,
                    self.requantiser.sum_bits,
                    True,
                    Role.MEMORY,
                    when=int(parts > 1),
                ),
            ),
            multipliers=self.requantiser.multipliers(self.lanes, results),
            adders=(
                Adders(inputs, self.requantiser.sum_bits, results * parts),
                *self.requantiser.adders(self.lanes, results),
            ),
            facts={
                "maximum": self.maximum,
                "together": self.together,
                "requantiser": self.requantiser,
            },
        )
