"""The accelerator's output: words to AXI4-Stream beats."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import Loop, Part, Phase, Stream, Structure
from codesign.hardware.wire import element_bytes
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Send(Process):
    """Pack one image's outputs into AXI4-Stream beats of one element; the last sets TLAST."""

    element: Tensor

    def structure(self) -> Structure:
        """Return the stream, the port and a counter."""
        words, bits = self.element.elements, self.element.bits
        return Structure(
            reads=(Stream("outputs", 1, bits, self.element.signed, words),),
            writes=(Stream("beats", 1, 8 * element_bytes(bits), False, words),),
            loop=Loop("pack", {"word": words}, streamed()),
            phases=(Phase(1, (Part(words, words, words),)),),
        )
