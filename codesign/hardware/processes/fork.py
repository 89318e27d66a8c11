"""One stream for two readers."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import Count, Loop, Part, Phase, Stream, Structure
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Fork(Process):
    """Copy every word of a stream to two others."""

    element: Tensor
    lanes: Count

    def structure(self) -> Structure:
        """Return three ports and a counter."""
        words: Count = self.element.elements // self.lanes
        bits, signed = self.element.bits, self.element.signed
        return Structure(
            reads=(Stream("source", self.lanes, bits, signed, words),),
            writes=(
                Stream("first", self.lanes, bits, signed, words),
                Stream("second", self.lanes, bits, signed, words),
            ),
            loop=Loop("copy", {"word": words}, streamed()),
            phases=(Phase(1, (Part(words, words, words),)),),
        )
