"""Nearest-neighbour enlargement of a streamed map."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step, streamed
from codesign.hardware.process import Process
from codesign.hardware.structure import (
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
from codesign.network.tensor import Tensor, map_shape


@dataclass(frozen=True, slots=True)
class Upsample(Process):
    """Write every pixel `factors` (rows, columns) times; one row of the map is kept."""

    element: Tensor
    factors: tuple[int, int]
    lanes: Count
    storage: Count = Storage.LUTRAM

    def structure(self) -> Structure:
        """Return the kept row."""
        element, (down, across) = self.element, self.factors
        channels, rows, columns = map_shape(element.shape)
        words: Count = channels // self.lanes
        row_words = columns * words
        again = (across - 1) * words
        later = (down - 1) * across * row_words
        return Structure(
            reads=(Stream("source", self.lanes, element.bits, element.signed, rows * row_words),),
            writes=(
                Stream(
                    "enlarged",
                    self.lanes,
                    element.bits,
                    element.signed,
                    rows * down * across * row_words,
                ),
            ),
            loop=Loop(
                "copy",
                {
                    "row": rows,
                    "down": down,
                    "column": columns,
                    "across": across,
                    "word": words,
                },
                streamed(Step(Operator.MEMORY), Step(Operator.SELECT)),
            ),
            phases=(
                Phase(
                    rows,
                    (
                        *(Part(words, words, words), Part(again, 0 * words, again)) * columns,
                        Part(later, 0 * words, later),
                    ),
                ),
            ),
            buffers=(
                Buffer(
                    "kept",
                    row_words,
                    self.lanes,
                    element.bits,
                    element.signed,
                    Role.MEMORY,
                    self.storage,
                ),
            ),
        )
