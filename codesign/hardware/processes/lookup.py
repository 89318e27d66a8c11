"""A function of one number, looked up."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import (
    Adders,
    Buffer,
    Count,
    Loop,
    Part,
    Phase,
    Role,
    Storage,
    Stream,
    Structure,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Lookup(Process):
    """Replace every element by its entry in a table; each lane has a copy of its own.

    With one table per channel, a lane's copy holds those of the channels that pass through it.
    """

    element: Tensor
    output: Tensor
    shared: bool
    lanes: Count
    storage: Count = Storage.LUTRAM

    @property
    def entries(self) -> int:
        """Entries of one table."""
        return self.element.high - self.element.low + 1

    def structure(self) -> Structure:
        """Return one table per lane."""
        words: Count = self.element.channels // self.lanes
        element, output = self.element, self.output
        tables: Count = 1 + 0 * words if self.shared else words
        count = element.pixels * words
        return Structure(
            reads=(Stream("source", self.lanes, element.bits, element.signed, count),),
            writes=(Stream("results", self.lanes, output.bits, output.signed, count),),
            loop=Loop(
                "answer", {"pixel": element.pixels, "word": words}, streamed(Step(Operator.MEMORY))
            ),
            phases=(Phase(1, (Part(count, count, count),)),),
            buffers=(
                Buffer(
                    "table",
                    tables * self.entries,
                    1,
                    output.bits,
                    output.signed,
                    Role.CONSTANT,
                    self.storage,
                    copies=self.lanes,
                ),
            ),
            # the address: the input from its lowest value on, and the channel's table
            adders=(Adders(self.lanes, element.bits + 1, count),),
            facts={"entries": self.entries, "lowest": element.low, "shared": self.shared},
        )
