"""Conversion between stream widths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import (
    Buffer,
    Count,
    Loop,
    Part,
    Phase,
    Role,
    Stream,
    Structure,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Resize(Process):
    """Regroup the elements of a stream from `narrow`er or wider words to others.

    One chunk of gcd(lanes_in, lanes_out) elements moves per cycle.
    """

    element: Tensor
    lanes_in: Count
    lanes_out: Count

    def structure(self) -> Structure:
        """Return two word registers and the chunk counters."""
        bits, signed = self.element.bits, self.element.signed
        elements = self.element.elements
        common = np.gcd(self.lanes_in, self.lanes_out)
        chunk: Count = common if np.ndim(common) else int(common)
        words_in: Count = elements // self.lanes_in
        words_out: Count = elements // self.lanes_out
        return Structure(
            reads=(Stream("source", self.lanes_in, bits, signed, words_in),),
            writes=(Stream("regrouped", self.lanes_out, bits, signed, words_out),),
            loop=Loop("move", {"t": elements // chunk}, streamed(Step(Operator.SELECT))),
            phases=(Phase(1, (Part(elements // chunk, words_in, words_out),)),),
            buffers=(
                Buffer("held", 1, self.lanes_in, bits, signed, Role.REGISTER),
                Buffer("built", 1, self.lanes_out, bits, signed, Role.REGISTER),
            ),
            registers=16,
            facts={
                "chunk": chunk,
                "chunks_in": self.lanes_in // chunk,
                "chunks_out": self.lanes_out // chunk,
            },
        )
