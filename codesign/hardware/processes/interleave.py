"""Channels laid side by side as the pixels of a larger map."""

from __future__ import annotations

from collections.abc import Iterator
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
from codesign.network.tensor import Tensor, map_shape


@dataclass(frozen=True, slots=True)
class Interleave(Process):
    """Write every pixel as `factors` (rows, columns) pixels, and `crop` the map to `output`.

    A pixel brings, for each of `groups`, its channels of all the pixels to be. While those of
    one row come in and fill a half of the memory, the rows that the row before became leave the
    other. Where words leave in the order in which they come, there is no memory.

    Source: Shi et al., Real-time single image and video super-resolution, CVPR 2016, section 3.2
    (periodic shuffling).
    """

    pixels: tuple[int, int]
    """Rows and columns of the map that is read."""
    factors: tuple[int, int]
    groups: int
    crop: tuple[int, int]
    """Rows and columns of the larger map that are left out at the top and at the left."""
    output: Tensor
    lanes: Count
    storage: Count = Storage.BRAM

    def structure(self) -> Structure:
        """Return the memory, its addresses, and the schedule of bands: what one row becomes."""
        (rows, columns), (down, across) = self.pixels, self.factors
        channels, output_rows, output_columns = map_shape(self.output.shape)
        words: Count = channels // self.groups // self.lanes
        pixel_words = self.groups * words
        band = columns * down * across * pixel_words
        delay = int(self.reorders)
        written = output_rows * output_columns * pixel_words
        bits, signed = self.output.bits, self.output.signed
        return Structure(
            reads=(Stream("source", self.lanes, bits, signed, rows * band),),
            writes=(Stream("interleaved", self.lanes, bits, signed, written),),
            loop=Loop(
                "place",
                {
                    "band": rows + delay,
                    "row": down,
                    "column": columns,
                    "phase": across,
                    "group": self.groups,
                    "word": words,
                },
                streamed(Step(Operator.MEMORY), Step(Operator.SELECT))
                if self.reorders
                else streamed(Step(Operator.SELECT)),
            ),
            phases=tuple(self._phases(pixel_words)),
            buffers=(
                Buffer(
                    "bands",
                    min(rows, 2) * band,
                    self.lanes,
                    bits,
                    signed,
                    Role.MEMORY,
                    self.storage,
                    when=delay,
                ),
            ),
            # two addresses, of which one has four strides, and the comparisons of the crop
            adders=(Adders(4 + 6 * delay, 16, (rows + delay) * band),),
            registers=16 * delay,
            facts={
                "rows": rows,
                "top": self.crop[0],
                "below": output_rows + self.crop[0] - (rows - 1) * down,
                "left": self.crop[1],
                "beyond": output_columns + self.crop[1] - (columns - 1) * across,
                "half": band,
                "column_stride": down * across * pixel_words,
                "group_stride": down * across * words,
                "row_stride": across * words,
                "read_back": self._read_back(words),
            },
        )

    @property
    def reorders(self) -> bool:
        """Whether words leave in another order than that in which they come."""
        return self.factors[0] > 1 or (self.groups > 1 and self.factors[1] > 1)

    @property
    def passes(self) -> bool:
        """Whether all words leave as they come, so that the process is not needed."""
        size = tuple(p * f for p, f in zip(self.pixels, self.factors, strict=True))
        return not self.reorders and map_shape(self.output.shape)[1:] == size

    def _phases(self, pixel_words: Count) -> Iterator[Phase]:
        """Yield the bands that differ: the first, those like the second, the last."""
        (rows, columns), (down, across) = self.pixels, self.factors
        if self.reorders:
            band = columns * down * across * pixel_words
            yield Phase(1, (Part(band, band, 0 * band),))
        last = rows - 1
        for number, times in ((0, 1), (1, max(0, rows - 2)), (last, int(rows > 1))):
            reads = not self.reorders or number < last
            yield Phase(times, self._band(number, pixel_words, int(reads)))

    def _band(self, number: int, pixel_words: Count, reads: int) -> tuple[Phase, ...]:
        """Return the rows before the crop's edge, those within, and those beyond."""
        (_, columns), (down, across) = self.pixels, self.factors
        _, output_rows, output_columns = map_shape(self.output.shape)
        (top, left), width = self.crop, columns * across
        first = max(0, top - number * down)
        end = min(down, top + output_rows - number * down)

        def part(pixels: int, writes: int) -> Part:
            cycles = pixels * pixel_words
            return Part(cycles, reads * cycles, writes * cycles)

        within = (part(left, 0), part(output_columns, 1), part(width - left - output_columns, 0))
        return (
            Phase(first, (part(width, 0),)),
            Phase(end - first, within),
            Phase(down - end, (part(width, 0),)),
        )

    def _read_back(self, words: Count) -> Count:
        """Return the fewest iterations from storing a word to reading it.

        That is the last pixel's first word of the last group, which moves up the furthest.
        """
        (_, columns), (down, across) = self.pixels, self.factors
        band = columns * down * across * self.groups
        earlier = (columns - 1) * across * self.groups * (down - 1)
        return words * (band - earlier - (self.groups - 1) * (down * across - 1))
