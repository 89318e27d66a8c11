"""Sum over what lies on the map of the positions of a window, as if there were equally many."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
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
    Stream,
    Structure,
    ceil_log2,
)
from codesign.network.tensor import Tensor, signed_bits


@dataclass(frozen=True, slots=True)
class Average(Process):
    """Add up `positions` pixels and multiply each sum by its multiple.

    `lanes` channels of `together` pixels are added a cycle.

    Windows at the border hold fewer elements. Multiples by row and by column of the output make
    up for that, so that the requantiser divides all sums by the same number.
    """

    positions: int
    row_multiples: tuple[int, ...]
    column_multiples: tuple[int, ...]
    element: Tensor
    requantiser: Requantiser
    lanes: Count
    together: int = 1

    parameters = ("shift", "scale")

    def structure(self) -> Structure:
        """Return the running sums, both tables of multiples, and what multiplies."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.requantiser.output
        rows, columns = len(self.row_multiples), len(self.column_multiples)
        pixels = rows * columns
        results = pixels * words
        parts = self.positions // self.together
        body = (parts - 1) * words
        inputs = self.together * self.lanes
        sum_bits = signed_bits(
            min(0, self.positions * element.low), max(0, self.positions * element.high)
        )
        row_bits, column_bits = max(self.row_multiples), max(self.column_multiples)
        row_bits, column_bits = row_bits.bit_length(), column_bits.bit_length()
        return Structure(
            reads=(Stream("patches", inputs, element.bits, element.signed, results * parts),),
            writes=(Stream("results", self.lanes, output.bits, output.signed, results),),
            loop=Loop(
                "position",
                {"row": rows, "column": columns, "part": parts, "word": words},
                streamed(
                    Step(Operator.MEMORY),
                    Step(Operator.ADD, sum_bits, ceil_log2(self.together) + 1),
                    Step(Operator.MULTIPLY),
                    *self.requantiser.steps,
                ),
            ),
            phases=(Phase(pixels, (Part(body, body, 0 * words), Part(words, words, words))),),
            buffers=(
                Buffer("row_multiples", rows, 1, row_bits, False, Role.CONSTANT),
                Buffer("column_multiples", columns, 1, column_bits, False, Role.CONSTANT),
                running(words, self.lanes, sum_bits, parts),
            ),
            multipliers=(
                Multipliers(
                    "multiples",
                    1 + 0 * words,
                    row_bits + 1,
                    column_bits + 1,
                    results * parts,
                    Arithmetic.LUT,
                ),
                Multipliers("balancing", self.lanes, sum_bits, row_bits + column_bits + 2, results),
                *self.requantiser.multipliers(self.lanes, results),
            ),
            adders=(
                Adders(inputs, sum_bits, results * parts),
                *self.requantiser.adders(self.lanes, results),
            ),
            facts={"together": self.together, "requantiser": self.requantiser},
        )
