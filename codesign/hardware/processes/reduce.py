"""Maximum or sum over the positions of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.running import running
from codesign.hardware.structure import (
    Adders,
    Count,
    Loop,
    Part,
    Phase,
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
    Patches that come `beside` each other in a word are reduced each for itself.
    """

    maximum: bool
    pixels: int
    positions: int
    element: Tensor
    requantiser: Requantiser
    lanes: Count
    together: int = 1
    beside: int = 1

    parameters = ("shift", "scale")

    def structure(self) -> Structure:
        """Return the running results and one operator per lane."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.requantiser.output
        places = self.pixels // self.beside
        results = places * words
        parts = self.positions // self.together
        body = (parts - 1) * words
        given = self.beside * self.lanes
        inputs = self.together * given
        return Structure(
            reads=(Stream("patches", inputs, element.bits, element.signed, results * parts),),
            writes=(Stream("results", given, output.bits, output.signed, results),),
            loop=Loop(
                "position",
                {"pixel": places, "part": parts, "word": words},
                streamed(
                    Step(Operator.MEMORY),
                    Step(Operator.ADD, self.requantiser.sum_bits, ceil_log2(self.together) + 1),
                    *self.requantiser.steps,
                ),
            ),
            phases=(Phase(places, (Part(body, body, 0 * words), Part(words, words, words))),),
            buffers=(running(words, given, self.requantiser.sum_bits, parts),),
            multipliers=self.requantiser.multipliers(given, results),
            adders=(
                Adders(inputs, self.requantiser.sum_bits, results * parts),
                *self.requantiser.adders(given, results),
            ),
            facts={
                "maximum": self.maximum,
                "together": self.together,
                "beside": self.beside,
                "requantiser": self.requantiser,
            },
        )
