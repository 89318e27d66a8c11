"""A design as it runs: rows flow through windows, folds, finite FIFOs and joins.

Every process starts iteration t no earlier than `ii` after iteration t - 1, than the words it
reads are there, and than the FIFOs it writes have room. Blocking reads and writes form a Kahn
process network, so start times do not depend on the order in which processes are evaluated:
each is advanced as far as its FIFOs allow, a whole stretch at a time, by a running maximum.
The recurrence is exact for the processes as described; what it cannot know is whether synthesis
meets the claimed `ii` and `stages`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from codesign.design import Design, Fifo, Instance
from codesign.hardware.structure import Part, Phase, Structure

Times = NDArray[np.int64]
_NEVER = -(1 << 60)


class Deadlock(Exception):
    """Every unfinished process waits; the text names them and their FIFOs."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What a simulation saw, in cycles and words."""

    ends: tuple[int, ...]
    """When each image's last output has left."""
    occupancy: Mapping[str, int]
    """Most words that each FIFO held."""

    @property
    def latency(self) -> int:
        """Cycles from the first input word to the last output word of the first image."""
        return self.ends[0]

    @property
    def interval(self) -> float:
        """Cycles between images, over the second half of those simulated.

        A single image has no interval; its latency is returned.
        """
        if len(self.ends) == 1:
            return float(self.ends[0])
        start = (len(self.ends) - 1) // 2
        return (self.ends[-1] - self.ends[start]) / (len(self.ends) - 1 - start)


def simulate(design: Design, images: int = 1, bounded: bool = True) -> Timing:
    """Run `images` back-to-back images through a design.

    Args:
        design: what to run.
        images: how many; the interval needs at least 4 to settle.
        bounded: whether FIFOs have their depth; unbounded ones never block a writer.

    Raises:
        Deadlock: FIFOs are too shallow for the graph's joins.
    """
    channels = {fifo.name: _Channel(fifo, images, bounded) for fifo in design.fifos}
    runners = [_Runner(instance, channels, images) for instance in design.instances]
    unfinished = list(runners)
    while unfinished:
        moved = [runner.advance() for runner in unfinished]
        if not any(moved):
            raise Deadlock("; ".join(runner.waits_for() for runner in unfinished))
        unfinished = [runner for runner in unfinished if not runner.done]
    occupancy = {name: channel.occupancy() for name, channel in channels.items()}
    left = [runner.ends() for runner in runners[-len(design.sends) :]]
    return Timing(tuple(map(max, zip(*left, strict=True))), occupancy)


class _Channel:
    """The words of one FIFO: when each could be read, and when each was."""

    def __init__(self, fifo: Fifo, images: int, bounded: bool) -> None:
        words = int(fifo.stream.words) * images
        self.name = fifo.name
        self.depth = fifo.depth if bounded else words
        self.ready = np.zeros(words, np.int64)
        self.taken = np.zeros(words, np.int64)
        self.written = 0
        self.read = 0

    def occupancy(self) -> int:
        """The least depth that would have held up no writer: most words held at once."""
        # as `_room` has it, a word's place is free two cycles after the word was read
        read_before = np.searchsorted(self.taken, self.ready - 1, side="left")
        return int((np.arange(1, len(self.ready) + 1) - read_before).max(initial=0))


class _Runner:
    """One process, advanced in stretches of iterations."""

    def __init__(self, instance: Instance, channels: Mapping[str, _Channel], images: int) -> None:
        structure = instance.process.structure()
        loop = structure.loop
        self.name = instance.name
        self.ii, self.stages = loop.ii, int(loop.stages)
        self.trips = int(loop.trips)
        self.inputs = [channels[name] for name in instance.reads if name in channels]
        self.outputs = [channels[name] for name in instance.writes if name in channels]
        reads, writes = schedule(structure)
        starts = np.arange(images)[:, None] * self.trips
        # the ends of the accelerator have ports without a FIFO
        self.read_at = [(port + starts).ravel() for port in reads[: len(self.inputs)]]
        self.write_at = (writes + starts).ravel()
        self.total = self.trips * images
        pace = np.arange(self.total, dtype=np.int64) * self.ii
        pace += np.arange(self.total) // self.trips * (int(loop.gap) - self.ii)
        self.pace = pace
        self.starts = np.zeros(self.total, np.int64)
        self.position = 0
        self.reads_done = [0] * len(self.inputs)
        self.writes_done = 0
        self.slack = 0

    @property
    def done(self) -> bool:
        """Whether every iteration has been placed in time."""
        return self.position == self.total

    def advance(self) -> bool:
        """Place as many iterations as FIFOs allow; return whether there were any."""
        end, _ = self._limit()
        if end == self.position:
            return False
        first, stretch = self.position, slice(self.position, end)
        earliest = np.full(end - first, _NEVER)
        writes = int(np.searchsorted(self.write_at, end))
        write_span = slice(self.writes_done, writes)
        write_rows = self.write_at[write_span] - first
        spans = [
            slice(done, int(np.searchsorted(read_at, end)))
            for done, read_at in zip(self.reads_done, self.read_at, strict=True)
        ]
        for channel, span, read_at in zip(self.inputs, spans, self.read_at, strict=True):
            rows = read_at[span] - first
            earliest[rows] = np.maximum(earliest[rows], channel.ready[span])
        for channel in self.outputs:
            room = self._room(channel, self.writes_done, writes)
            earliest[write_rows] = np.maximum(earliest[write_rows], room - self.stages + 2)
        lag = np.maximum.accumulate(earliest - self.pace[stretch])
        lag = np.maximum(lag, self.slack)
        self.starts[stretch] = self.pace[stretch] + lag
        self.slack = int(lag[-1])
        for channel, span, read_at in zip(self.inputs, spans, self.read_at, strict=True):
            channel.taken[span] = self.starts[read_at[span]]
            channel.read = span.stop
        for channel in self.outputs:
            channel.ready[write_span] = self.starts[self.write_at[write_span]] + self.stages
            channel.written = writes
        self.position, self.writes_done = end, writes
        self.reads_done = [span.stop for span in spans]
        return True

    def ends(self) -> tuple[int, ...]:
        """Return when the last iteration of each image has left the pipeline."""
        last = self.starts[self.trips - 1 :: self.trips]
        return tuple(int(time) + self.stages for time in last)

    def waits_for(self) -> str:
        """Say which FIFO holds the process up."""
        return f"{self.name} waits for {self._limit()[1]}"

    def _limit(self) -> tuple[int, str]:
        """Return the first iteration that cannot run yet, and the FIFO that is to blame."""
        end, blame = self.total, ""
        for channel, read_at in zip(self.inputs, self.read_at, strict=True):
            if channel.written < len(read_at):
                stop = int(read_at[channel.written])
                if stop < end:
                    end, blame = stop, f"words in {channel.name}"
        for channel in self.outputs:
            full = channel.read + channel.depth
            if full < len(self.write_at):
                stop = int(self.write_at[full])
                if stop < end:
                    end, blame = stop, f"room in {channel.name}"
        return max(end, self.position), blame

    @staticmethod
    def _room(channel: _Channel, first: int, last: int) -> Times:
        """Return when the word `depth` places before each of these was read."""
        room = np.full(last - first, _NEVER)
        freed = max(first, channel.depth)
        if freed < last:
            room[freed - first :] = channel.taken[freed - channel.depth : last - channel.depth]
        return room


def schedule(structure: Structure) -> tuple[list[Times], Times]:
    """Return the iterations of one image that read, by port, and those that write, in order."""
    reads = [
        _iterations(structure.phases, partial(_early, port=port))
        for port in range(len(structure.reads))
    ]
    return reads, _iterations(structure.phases, _late)


def _iterations(parts: tuple[Part | Phase, ...], traffic: Callable[[Part], Times]) -> Times:
    """Return the iterations in which there is some traffic, over all parts and phases."""
    found: list[Times] = []
    start = 0
    for part in parts:
        if isinstance(part, Part):
            own = traffic(part)
        else:
            once = _iterations(part.parts, traffic)
            length = int(part.duration) // max(int(part.times), 1)
            begins = np.arange(int(part.times), dtype=np.int64)[:, None] * length
            own = (begins + once).ravel()
        found.append(start + own)
        start += int(part.duration)
    return np.concatenate(found)


def _early(part: Part, port: int) -> Times:
    """Spread the reads of a port over one part, as `Part` defines it."""
    cycles, reads = int(part.cycles), int(part.reads_of(port))
    return -(-np.arange(reads, dtype=np.int64) * cycles // max(reads, 1))


def _late(part: Part) -> Times:
    """Spread the writes over one part, as `Part` defines it."""
    cycles, writes = int(part.cycles), int(part.writes)
    return -(-np.arange(1, writes + 1, dtype=np.int64) * cycles // max(writes, 1)) - 1
