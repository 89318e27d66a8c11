"""Sliding window over a streamed map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
from codesign.network.windows import Window as Geometry

_CHAIN = streamed(Step(Operator.MEMORY), Step(Operator.SELECT))
"""What is on the map is selected."""


@dataclass(frozen=True, slots=True)
class Window(Process):
    """Turn a map, streamed by rows, columns and channels, into the patches under a window.

    `extent + stride` rows circle in a line buffer: while the patches of one output row leave,
    the `stride` rows that the next one needs come in, evenly spread. Patches are ordered by
    kernel row, kernel column and channel.

    Source: Umuroglu et al., FINN, FPGA 2017, section 4.2 (sliding window unit).
    """

    map: Tensor
    geometry: Geometry
    pad_value: int
    lanes: Count
    storage: Count = Storage.BRAM

    def structure(self) -> Structure:
        """Return line buffer, address counters and the row schedule."""
        channels, rows, columns = self.map.shape
        kernel_rows, kernel_columns = self.geometry.kernel
        row_stride, column_stride = self.geometry.stride
        down, right = self.geometry.dilation
        extent_rows, extent_columns = self.geometry.extent
        top, left, _, _ = self.geometry.padding
        output_rows, output_columns = self.geometry.output_size(self.map.shape)
        words: Count = channels // self.lanes
        row_words = columns * words
        buffered_rows = min(extent_rows + row_stride, rows)
        first_rows = min(extent_rows - top, rows)
        row_reads = row_stride * row_words
        row_writes = output_columns * kernel_rows * kernel_columns * words
        row_cycles = _larger(row_reads, row_writes)
        # the last rows to come in may be fewer than the stride
        whole_rows, rest = divmod(rows - first_rows, row_stride)
        silent_rows = output_rows - whole_rows - bool(rest)
        phases = (
            Phase(1, (Part(first_rows * row_words, first_rows * row_words, 0 * words),)),
            Phase(whole_rows, (Part(row_cycles, row_reads, row_writes),)),
            Phase(int(bool(rest)), (Part(row_cycles, rest * row_words, row_writes),)),
            Phase(silent_rows, (Part(row_cycles, 0 * words, row_writes),)),
        )
        return Structure(
            reads=(Stream("source", self.lanes, self.map.bits, self.map.signed, rows * row_words),),
            writes=(
                Stream(
                    "patches", self.lanes, self.map.bits, self.map.signed, output_rows * row_writes
                ),
            ),
            loop=Loop("step", {"t": first_rows * row_words + output_rows * row_cycles}, _CHAIN),
            phases=phases,
            buffers=(
                Buffer(
                    "lines",
                    buffered_rows * row_words,
                    self.lanes,
                    self.map.bits,
                    self.map.signed,
                    Role.MEMORY,
                    self.storage,
                ),
            ),
            # two even spreads, four nested counters, two addresses and their comparisons
            adders=(Adders(12, 16, output_rows * row_cycles),),
            registers=10 * 16,
            facts={
                "first_words": first_rows * row_words,
                "rest_words": (rows - first_rows) * row_words,
                "row_cycles": row_cycles,
                "row_reads": row_reads,
                "row_writes": row_writes,
                "first_write_credit": row_writes % row_cycles,
                "row_words": row_words,
                "rows": rows,
                "kernel_rows": kernel_rows,
                "down": down,
                "right": right,
                "words": words,
                "patch_row_words": kernel_columns * words,
                "extent_words": extent_columns * words,
                "kernel_row_step": (down % buffered_rows) * row_words,
                "output_columns": output_columns,
                "row_stride": row_stride,
                "column_step": column_stride * words,
                "left_words": left * words,
                "top": top,
                "first_base": (-top % buffered_rows) * row_words,
                "base_step": (row_stride % buffered_rows) * row_words,
                "pad_value": self.pad_value,
                "read_back": self._read_back(words),
            },
        )

    def _read_back(self, words: Count) -> Count:
        """Return the fewest iterations from storing a word to reading it, at the least.

        A patch begins when its newest row is complete, and reads the rows before it first.
        """
        _, rows, columns = self.map.shape
        kernel_rows, kernel_columns = self.geometry.kernel
        row_stride, column_stride = self.geometry.stride
        down, right = self.geometry.dilation
        top = self.geometry.padding[0]
        first_rows = min(self.geometry.extent[0] - top, rows)
        # the map's last row may stand higher in its first patch, above padding
        last = rows - 1 + top - -(-(rows - first_rows) // row_stride) * row_stride
        before = min(kernel_rows - 1, max(last, 0) // down)
        # patches that skip columns gain on the words that come in, and so do those that spread
        _, output_columns = self.geometry.output_size(self.map.shape)
        gained = max(0, (output_columns - 1) * (column_stride - self.geometry.positions))
        gained += (kernel_columns - 1) * (right - 1)
        return (columns - gained + before * min(columns, kernel_columns)) * words


def _larger(one: Count, other: Count) -> Count:
    larger = np.maximum(one, other)
    return int(larger) if larger.ndim == 0 else larger
