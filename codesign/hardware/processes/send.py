"""The accelerator's output: words to AXI4-Stream beats."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import Count, Loop, Part, Phase, Stream, Structure
from codesign.hardware.wire import beat_bits, port_registers, wire_bits
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Send(Process):
    """Pack one image's outputs into AXI4-Stream beats of `lanes` elements; the last sets TLAST."""

    element: Tensor
    lanes: Count = 1

    def structure(self) -> Structure:
        """Return the stream, the port and a counter."""
        words: Count = self.element.elements // self.lanes
        bits = self.element.bits
        beat = beat_bits(self.lanes, bits)
        return Structure(
            reads=(Stream("outputs", self.lanes, bits, self.element.signed, words),),
            writes=(Stream("beats", 1, beat, False, words),),
            loop=Loop("pack", {"word": words}, streamed()),
            phases=(Phase(1, (Part(words, words, words),)),),
            registers=port_registers(beat),
            facts={"wire_bits": wire_bits(bits)},
        )
