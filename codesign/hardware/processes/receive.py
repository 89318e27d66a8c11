"""The accelerator's input: AXI4-Stream beats to words."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.process import Process
from codesign.hardware.structure import Loop, Part, Phase, Stream, Structure
from codesign.hardware.wire import beat_bits, element_bytes
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Receive(Process):
    """Unpack one image from AXI4-Stream: a beat carries `lanes` elements of whole bytes."""

    element: Tensor
    lanes: int

    def structure(self) -> Structure:
        """Return the port, the stream and a counter."""
        words = self.element.elements // self.lanes
        bits, signed = self.element.bits, self.element.signed
        wire_bits = 8 * element_bytes(bits)
        return Structure(
            reads=(Stream("beats", 1, beat_bits(self.lanes, bits), False, words),),
            writes=(Stream("image", self.lanes, bits, signed, words),),
            loop=Loop("unpack", {"word": words}, stages=2),
            phases=(Phase(1, (Part(words, words, words),)),),
            facts={"wire_bits": wire_bits},
        )
