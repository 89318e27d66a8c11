"""Some neighbouring channels of a stream."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import Adders, Count, Loop, Part, Phase, Stream, Structure
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Select(Process):
    """Pass channels `start` up to, not including, `stop` on, and drop the others."""

    element: Tensor
    start: int
    stop: int
    lanes: Count

    def structure(self) -> Structure:
        """Return a counter and two comparisons."""
        element = self.element
        words: Count = element.channels // self.lanes
        first, after = self.start // self.lanes, self.stop // self.lanes
        kept = after - first
        return Structure(
            reads=(
                Stream("source", self.lanes, element.bits, element.signed, element.pixels * words),
            ),
            writes=(
                Stream("chosen", self.lanes, element.bits, element.signed, element.pixels * kept),
            ),
            loop=Loop(
                "pass", {"pixel": element.pixels, "word": words}, streamed(Step(Operator.COMPARE))
            ),
            phases=(
                Phase(
                    element.pixels,
                    (
                        Part(first, first, 0 * words),
                        Part(kept, kept, kept),
                        Part(words - after, words - after, 0 * words),
                    ),
                ),
            ),
            adders=(Adders(2, 16, element.pixels * words),),
            facts={"first": first, "after": after},
        )
