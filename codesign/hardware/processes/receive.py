"""The accelerator's input: AXI4-Stream beats to words."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed
from codesign.hardware.loading import deal
from codesign.hardware.process import Process
from codesign.hardware.structure import (
    LOAD_ENTRY,
    Count,
    Load,
    Loop,
    Part,
    Phase,
    Stream,
    Structure,
)
from codesign.hardware.wire import beat_bits, port_registers, wire_bits
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Receive(Process):
    """Unpack one image from AXI4-Stream: a beat carries `lanes` elements of whole bytes.

    Before the first image come the words of memories that have no initial content, if there are
    such (`hardware/loading.py`): as if a beat carried a single element, whatever it can carry.
    """

    element: Tensor
    lanes: Count
    wanted: tuple[Load, ...] = ()
    """What processes load, in the order in which it comes."""

    def structure(self) -> Structure:
        """Return the port, the stream and a counter."""
        words: Count = self.element.elements // self.lanes
        bits, signed = self.element.bits, self.element.signed
        narrowest, beat = wire_bits(bits), beat_bits(self.lanes, bits)
        loads = tuple(deal(load, narrowest, number) for number, load in enumerate(self.wanted))
        return Structure(
            reads=(Stream("beats", 1, beat, False, words),),
            writes=(Stream("image", self.lanes, bits, signed, words),),
            loop=Loop("unpack", {"word": words}, streamed(), entry=LOAD_ENTRY if loads else 0),
            phases=(Phase(1, (Part(words, words, words),)),),
            loads=loads,
            registers=port_registers(beat),
            facts={"wire_bits": narrowest, "is_dealing": bool(loads)},
        )
