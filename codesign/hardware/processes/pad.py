"""Zeros around a streamed map."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import Adders, Count, Loop, Part, Phase, Stream, Structure
from codesign.network.tensor import Tensor, map_shape


@dataclass(frozen=True, slots=True)
class Pad(Process):
    """Write `padding` zeros (top, left, bottom, right) around the map that is read."""

    element: Tensor
    output: Tensor
    padding: tuple[int, int, int, int]
    lanes: Count

    def structure(self) -> Structure:
        """Return counters and four comparisons."""
        channels, rows, columns = map_shape(self.element.shape)
        top, left, bottom, right = self.padding
        words: Count = channels // self.lanes
        wide = (left + columns + right) * words
        written = (top + rows + bottom) * wide
        return Structure(
            reads=(self._stream("source", self.element, rows * columns * words),),
            writes=(self._stream("padded", self.output, written),),
            loop=Loop(
                "place",
                {"row": top + rows + bottom, "column": left + columns + right, "word": words},
                streamed(Step(Operator.COMPARE), Step(Operator.SELECT)),
            ),
            phases=(
                Phase(1, (Part(top * wide, 0 * words, top * wide),)),
                Phase(
                    rows,
                    (
                        Part(left * words, 0 * words, left * words),
                        Part(columns * words, columns * words, columns * words),
                        Part(right * words, 0 * words, right * words),
                    ),
                ),
                Phase(1, (Part(bottom * wide, 0 * words, bottom * wide),)),
            ),
            adders=(Adders(4, 16, written),),
            facts={"top": top, "left": left, "below": top + rows, "beyond": left + columns},
        )

    def _stream(self, name: str, element: Tensor, words: Count) -> Stream:
        return Stream(name, self.lanes, element.bits, element.signed, words)
