"""Weighted sum over the positions of a window, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed, summed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.running import running
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
    ceil_log2,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Depthwise(Process):
    """Weigh `positions` pixels and add them up: `lanes` channels of `together` pixels a cycle.

    The running sums of all channels lie in LUTRAM, as those of `Reduce` do. Patches that come
    `beside` each other in a word share the weights.
    """

    pixels: int
    positions: int
    element: Tensor
    weight_bits: int
    requantiser: Requantiser
    lanes: Count
    arithmetic: Count = Arithmetic.DSP
    storage: Count = Storage.BRAM
    together: int = 1
    beside: int = 1

    parameters = ("shift",)

    def structure(self) -> Structure:
        """Return weights, running sums and one multiplier per lane."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.requantiser.output
        places = self.pixels // self.beside
        results = places * words
        parts = self.positions // self.together
        body = (parts - 1) * words
        weights = self.together * self.lanes
        inputs, given = self.beside * weights, self.beside * self.lanes
        sum_bits = self.requantiser.sum_bits
        return Structure(
            reads=(Stream("patches", inputs, element.bits, element.signed, results * parts),),
            writes=(Stream("results", given, output.bits, output.signed, results),),
            loop=Loop(
                "tap",
                {"pixel": places, "part": parts, "word": words},
                streamed(
                    *summed(ceil_log2(self.together), element.bits + self.weight_bits, sum_bits),
                    *self.requantiser.steps,
                ),
            ),
            phases=(Phase(places, (Part(body, body, 0 * words), Part(words, words, words))),),
            buffers=(
                Buffer(
                    "weights",
                    parts * words,
                    weights,
                    self.weight_bits,
                    True,
                    Role.CONSTANT,
                    self.storage,
                ),
                *self.requantiser.tables(words, self.lanes),
                running(words, given, sum_bits, parts),
            ),
            multipliers=(
                Multipliers(
                    "products",
                    inputs,
                    element.bits,
                    self.weight_bits,
                    results * parts,
                    self.arithmetic,
                ),
                *self.requantiser.multipliers(given, results),
            ),
            adders=(
                Adders(inputs, sum_bits, results * parts),
                *self.requantiser.adders(given, results),
            ),
            facts={
                "together": self.together,
                "beside": self.beside,
                "requantiser": self.requantiser,
            },
        )
