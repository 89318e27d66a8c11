"""Weighted sum over the positions of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import (
    Adders,
    Arithmetic,
    Buffer,
    Count,
    Loop,
    Multipliers,
    Part,
    Phase,
    Role,
    Storage,
    Stream,
    Structure,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Depthwise(Process):
    """Weigh `positions` pixels and add them up, `pixels` times, `lanes` channels a cycle.

    The running sums of all channels lie in LUTRAM, as those of `Reduce` do.
    """

    pixels: int
    positions: int
    element: Tensor
    weight_bits: int
    requantiser: Requantiser
    lanes: Count
    arithmetic: Count = Arithmetic.DSP
    storage: Count = Storage.BRAM

    parameters = ("shift",)

    def structure(self) -> Structure:
        """Return weights, running sums and one multiplier per lane."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.requantiser.output
        results = self.pixels * words
        body = (self.positions - 1) * words
        sum_bits = self.requantiser.sum_bits
        return Structure(
            reads=(
                Stream(
                    "patches", self.lanes, element.bits, element.signed, results * self.positions
                ),
            ),
            writes=(Stream("results", self.lanes, output.bits, output.signed, results),),
            loop=Loop(
                "tap",
                {"pixel": self.pixels, "place": self.positions, "word": words},
                stages=6 + self.requantiser.stages,
            ),
            phases=(Phase(self.pixels, (Part(body, body, 0 * words), Part(words, words, words))),),
            buffers=(
                Buffer(
                    "weights",
                    self.positions * words,
                    self.lanes,
                    self.weight_bits,
                    True,
                    Role.CONSTANT,
                    self.storage,
                ),
                Buffer("bias", words, self.lanes, sum_bits, True, Role.CONSTANT),
                *self.requantiser.table(words, self.lanes),
                Buffer("running", words, self.lanes, sum_bits, True, Role.MEMORY),
            ),
            multipliers=(
                Multipliers(
                    "products",
                    self.lanes,
                    element.bits,
                    self.weight_bits,
                    results * self.positions,
                    self.arithmetic,
                ),
                *self.requantiser.multipliers(self.lanes, results),
            ),
            adders=(
                Adders(self.lanes, sum_bits, results * self.positions),
                *self.requantiser.adders(self.lanes, results),
            ),
            facts={"requantiser": self.requantiser},
        )
