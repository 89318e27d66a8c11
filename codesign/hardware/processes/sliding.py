"""Sliding window that gives several positions of a patch in one cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

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
from codesign.hardware.superpixels import Superpixels
from codesign.network.tensor import Tensor
from codesign.network.windows import Window as Geometry

_READS, _LEAVES = 1, 2
"""What happens at a place: a pixel comes in; a patch leaves."""

_CHAIN = streamed(Step(Operator.MEMORY), Step(Operator.COMPARE), Step(Operator.SELECT, times=2))
"""What is on the map is selected, then the part of the patch that leaves."""

_Run = tuple[int, int]
"""So many places in a row, and what happens at each."""


@dataclass(frozen=True, slots=True)
class Sliding(Process):
    """Turn a map, streamed by rows, columns and channels, into patches of `together` positions.

    Pixels move through delay lines: `lines` holds the rows above the pixel that comes in,
    `columns` the columns before that. Together they are the patch that ends in this pixel, so one
    comes in and a whole patch goes out in the same cycle. With fewer `together` the patch stays
    in `columns` until its last part has left, and the pixels wait. Words are ordered by the part
    of the patch and by channels, elements in a word by kernel row, kernel column and channel.

    With several `pixels` a word of the map holds so many of a row, and the patches of as many
    outputs leave side by side (`codesign.hardware.superpixels`): in a word part by part, patch by
    patch.

    Padding takes no cycles: what lies beside the map is masked. Places are counted along the rows
    of the map, one after the other; a patch leaves at the place of its last pixel, which may
    stand in the next row if that pixel is padding.

    Source: Bosi, Bois and Savaria, Reconfigurable pipelined 2-D convolvers for fast digital
    signal processing, IEEE TVLSI 7(3), 1999 (line buffers and shift registers).
    """

    map: Tensor
    geometry: Geometry
    pad_value: int
    lanes: Count
    together: int
    storage: Count = Storage.BRAM
    pixels: int = 1

    def structure(self) -> Structure:
        """Return both delay lines, the masks and the schedule of places."""
        channels, rows, _ = self.map.shape
        view = self._view
        geometry, columns = view.geometry, view.columns
        (kernel_rows, kernel_columns), (down, right) = geometry.kernel, geometry.dilation
        bits, signed = self.map.bits, self.map.signed
        row_stride, column_stride = geometry.stride
        top, left, _, _ = geometry.padding
        output_rows, output_columns = geometry.output_size((channels, rows, columns))
        words: Count = channels // self.lanes
        parts = self.geometry.positions // self.together
        places = _Places.of(geometry, rows, columns)
        phases = tuple(_phases(places.runs, words, parts))
        writes = output_rows * output_columns * parts * words
        # a patch that leaves in parts has to stay whole
        kept = kernel_columns - 1 + int(parts > 1)
        leaving = view.given * self.together * self.lanes
        return Structure(
            reads=(
                Stream("source", view.taken * self.lanes, bits, signed, rows * columns * words),
            ),
            writes=(Stream("patches", leaving, bits, signed, writes),),
            loop=Loop("step", {"t": sum(phase.duration for phase in phases)}, _CHAIN),
            phases=phases,
            buffers=(
                *self._delay("lines", down * places.width * words, kernel_rows - 1, self.storage),
                *self._delay("columns", right * words, kept * kernel_rows, Storage.LUTRAM),
            ),
            adders=(
                # counters with their comparisons, and whether each row and column is on the map
                Adders(10 + 2 * self._masks, 16, writes),
                # selection: of padding or map, and of the part that leaves
                Adders(self._selects * self.lanes, bits, writes),
            ),
            registers=10 * 16,
            facts={
                "words": words,
                "rows": rows,
                "columns_read": columns,
                "width": places.width,
                "kernel_rows": kernel_rows,
                "kernel_columns": kernel_columns,
                "kept": kept,
                "parts": parts,
                "down": down,
                "right": right,
                "padded": any(self.geometry.padding),
                "pad_value": self.pad_value,
                "top": top,
                "left": left,
                "row_stride": row_stride,
                "column_stride": column_stride,
                "output_columns": output_columns,
                "first_wait": places.first,
                "row_wait": places.row_gap,
                "taken": view.taken,
                "given": view.given,
                "shift": view.shift,
                "taps": self.geometry.kernel[1],
                "tap_step": self.geometry.dilation[1],
                "patch_step": self.geometry.stride[1],
            },
        )

    @property
    def _view(self) -> Superpixels:
        """The window over words of the map."""
        return Superpixels.of(self.geometry, self.map.shape[2], self.pixels)

    @property
    def _masks(self) -> int:
        """Rows and columns of the kernel that may lie beside the map."""
        return sum(self._view.geometry.kernel) if any(self.geometry.padding) else 0

    @property
    def _selects(self) -> int:
        """Two-way selections per channel."""
        positions = self.geometry.positions
        each = positions * int(any(self.geometry.padding)) + positions - self.together
        return self._view.given * each

    def _delay(self, name: str, words: Count, places: int, storage: Count) -> Iterator[Buffer]:
        """Yield the memory of a delay line, unless the kernel needs none."""
        if places > 0:
            lanes = places * self.pixels * self.lanes
            yield Buffer(name, words, lanes, self.map.bits, self.map.signed, Role.MEMORY, storage)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where on the way along the map's rows pixels come in and patches leave."""

    width: int
    """Places in a row: its columns, or more where a row has more patches than columns."""
    first: int
    """Places before that of the first patch."""
    row_gap: int
    """Places from the last patch of a row to the first of the next."""
    runs: tuple[tuple[int, tuple[_Run, ...]], ...]
    """All places: how often runs are repeated, and the runs."""

    @staticmethod
    @cache
    def of(geometry: Geometry, rows: int, columns: int) -> _Places:
        """Return the places of a window over a map."""
        output_rows, output_columns = geometry.output_size((1, rows, columns))
        row_stride, column_stride = geometry.stride
        top, left, _, _ = geometry.padding
        span = (output_columns - 1) * column_stride + 1
        width = max(columns, -(-span // row_stride))
        row = row_stride * width
        extent_rows, extent_columns = geometry.extent
        first = (extent_rows - 1 - top) * width + extent_columns - 1 - left
        reads = (np.arange(rows)[:, None] * width + np.arange(columns)).ravel()
        leaves = first + np.arange(output_rows)[:, None] * row
        leaves = (leaves + np.arange(output_columns) * column_stride).ravel()
        happens = np.zeros(max(reads[-1], leaves[-1]) + 1, np.int64)
        happens[reads] += _READS
        happens[leaves] += _LEAVES
        last = first + output_rows * row
        sections = [happens[:first]]
        sections += [happens[start : start + row] for start in range(first, last, row)]
        sections.append(happens[last:])
        repeated = groupby(_run_lengths(section) for section in sections)
        runs = tuple((len(tuple(same)), run) for run, same in repeated if run)
        return _Places(width, first, row - span + 1, runs)


def _run_lengths(happens: np.ndarray) -> tuple[_Run, ...]:
    return tuple((len(tuple(same)), what) for what, same in groupby(happens.tolist()))


def _phases(
    runs: Sequence[tuple[int, tuple[_Run, ...]]], words: Count, parts: int
) -> Iterator[Phase]:
    """Yield the schedule of places at which `words` come in and `parts` of them leave."""
    for times, run in runs:
        yield Phase(times, tuple(_alternating(run, words, parts)))


def _alternating(run: Sequence[_Run], words: Count, parts: int) -> Iterator[Part | Phase]:
    """Yield runs, those that take turns (a patch at every other place) as one phase."""
    position = 0
    while position < len(run):
        pair = run[position : position + 2]
        times = 1
        while len(pair) == 2 and run[position + 2 * times : position + 2 * times + 2] == pair:
            times += 1
        taken = pair if times > 1 else run[position : position + 1]
        own = [part for one in taken for part in _run_parts(one, words, parts)]
        if times > 1:
            yield Phase(times, tuple(own))
        else:
            yield from own
        position += times * len(taken)


def _run_parts(run: _Run, words: Count, parts: int) -> Iterator[Part | Phase]:
    """Yield one run: a pixel comes in with the first part of the patch that leaves with it."""
    places, what = run
    reads, writes = what & _READS, (what & _LEAVES) // _LEAVES
    if parts == 1 or not writes:
        cycles = places * words
        yield Part(cycles, cycles * reads, cycles * writes)
        return
    rest = (parts - 1) * words
    yield Phase(places, (Part(words, words * reads, words), Part(rest, 0 * rest, rest)))
