"""A design as it runs: rows flow through windows, folds, finite FIFOs and joins.

Every process starts iteration t no earlier than `ii` after iteration t - 1, than the words it
reads are there, and than the FIFOs it writes have room. Blocking reads and writes form a Kahn
process network, so start times do not depend on the order in which processes are evaluated.
Words and free places are tokens with a time: an iteration takes some, gives others, and starts
with the latest that it took. Iterations that move nothing only add to the pace.

Fed as fast as it takes them, a pipeline may need hundreds of images until everything before its
slowest process has felt that one through the FIFOs. Fed at the pace of that process it repeats
itself within a few, if it can keep that pace at all. Then there is a schedule of this interval,
and blocking processes, which start as early as they can, are no slower: so the interval in the
long run is proven.

The recurrence is exact for the processes as described; what it cannot know is whether synthesis
meets the claimed `ii` and `stages`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from codesign.cost.latency import process_interval
from codesign.cost.timing import Stall, Timing
from codesign.design import Design, Fifo, Instance
from codesign.hardware.structure import Part, Phase, Structure

Times = NDArray[np.int64]
_Give = tuple[Callable[[int], None], int]
"""Where a token goes, and how long after the start of the iteration it is there."""
_PLACE_DELAY = 2
"""Cycles from the iteration that reads a word to the first that may leave one in its place."""
PATIENCE = 8
"""Images after which a pipeline that does not repeat itself is taken never to do so."""


class Deadlock(Exception):
    """Every unfinished process waits; the text names them and their FIFOs."""


def simulate(design: Design, images: int = 1, bounded: bool = True) -> Timing:
    """Run `images` back-to-back images through a design.

    Args:
        design: what to run.
        images: how many; the interval needs at least 4 to settle.
        bounded: whether FIFOs have their depth; unbounded ones never block a writer.

    Raises:
        Deadlock: FIFOs are too shallow for the graph's joins.
    """
    pipeline = Pipeline(design)
    if not bounded:
        return pipeline.run(images, None)
    depths = {fifo.name: fifo.depth for fifo in design.fifos}
    timing = pipeline.run(images, depths)
    if images > 1 and timing.period is None:
        fed = pipeline.run(PATIENCE, depths, pace=pipeline.slowest)
        return replace(timing, period=fed.period)
    return timing


class Pipeline:
    """The processes of a design, to be run with FIFOs of one depth or another."""

    def __init__(self, design: Design) -> None:
        inner = {fifo.name for fifo in design.fifos}
        self._runners = {i.name: _Runner(i, inner) for i in design.instances}
        self._channels = {
            fifo.name: _Channel(fifo, self._runners[fifo.source], self._runners[fifo.sink])
            for fifo in design.fifos
        }
        self._feed = self._runners[design.instances[0].name]
        self._sends = [self._runners[send.name] for send in design.sends]
        self.slowest = max(runner.interval for runner in self._runners.values())

    def run(self, images: int, depths: Mapping[str, int] | None, pace: int = 0) -> Timing:
        """Run images with FIFOs of these depths [words], or with unbounded ones.

        They are fed back to back, or `pace` cycles apart where that is later. As soon as it is
        proven that the pipeline keeps the pace, the remaining images are not simulated but copied.

        Raises:
            Deadlock: FIFOs are too shallow for the graph's joins.
        """
        for channel in self._channels.values():
            channel.clear(None if depths is None else depths[channel.name])
        for runner in self._runners.values():
            runner.begin(self._channels)
        self._feed.pace = pace
        for image in range(images):
            if depths is None:
                for runner in self._runners.values():
                    runner.run_freely(self._channels)
                continue
            self._run_bounded(images - image)
            if pace and image and self._keeps(pace):
                for runner in self._runners.values():
                    runner.repeat(pace, images - image - 1)
                return self._timing(period=pace)
        return self._timing(period=None)

    def _run_bounded(self, images: int) -> None:
        """Run one image; with it, `images` are to come."""
        running = {runner: runner.image() for runner in self._runners.values()}
        stuck = _advance(running)
        if not stuck:
            return
        # those who are through with this image get stuck in a later one, or finish
        for runner in self._runners.values():
            if runner not in stuck:
                running[runner] = runner.images(images - 1)
        stuck = _advance(running)
        raise Deadlock("; ".join(f"{r.name} waits for {t.awaited}" for r, t in stuck.items()))

    def _keeps(self, pace: int) -> bool:
        """Return whether all further images do exactly what the last one did, `pace` apart.

        They do if as many images as the FIFOs hold already did so. One is enough if no image ever
        followed the one before in less: what lies further back is then no later than if it had
        been periodic, too, so that it is enough to ask whether that would leave room.
        """
        lags = [runner.lags() for runner in self._runners.values()]
        shortest = np.min([least for least, _ in lags], axis=0)
        longest = np.max([most for _, most in lags], axis=0)
        unlike = np.flatnonzero((shortest != pace) | (longest != pace))
        alike = len(shortest) - 1 - int(unlike[-1]) if len(unlike) else len(shortest)
        if alike == 0:
            return False
        channels = self._channels.values()
        if alike >= max((channel.reach for channel in channels), default=1):
            return True
        return bool(shortest.min() >= pace) and all(c.has_room(pace) for c in channels)

    def _timing(self, period: int | None) -> Timing:
        left = [runner.ends() for runner in self._sends]
        return Timing(
            ends=tuple(max(image) for image in zip(*left, strict=True)),
            occupancy={name: channel.occupancy() for name, channel in self._channels.items()},
            stalls={name: runner.stall(self._channels) for name, runner in self._runners.items()},
            period=period,
        )


def _advance(running: Mapping[_Runner, Iterator[_Tokens]]) -> dict[_Runner, _Tokens]:
    """Run processes as far as they go; return those that are stuck, with what they wait for."""
    waiting: dict[_Runner, _Tokens | None] = dict.fromkeys(running)
    moved = True
    while moved:
        moved = False
        for runner, awaited in list(waiting.items()):
            if awaited is None or awaited:
                moved = True
                missing = next(running[runner], None)
                if missing is None:
                    del waiting[runner]
                else:
                    waiting[runner] = missing
    return {runner: awaited for runner, awaited in waiting.items() if awaited is not None}


class _Tokens(deque[int]):
    """Words that can be read, or places that can be written: from when on each is there."""

    def __init__(self, awaited: str, times: Sequence[int] = ()) -> None:
        super().__init__(times)
        self.awaited = awaited


class _Channel:
    """One FIFO, between two processes."""

    def __init__(self, fifo: Fifo, source: _Runner, sink: _Runner) -> None:
        self.name = fifo.name
        self.count = int(fifo.stream.words)
        self.source, self.sink = source, sink
        self.clear(None)

    def clear(self, depth: int | None) -> None:
        """Empty it and give it a depth [words], or no bound."""
        self.depth = depth
        self.words = _Tokens(f"words in {self.name}")
        self.places = _Tokens(f"room in {self.name}", (0,) * (depth or 0))

    def ready(self) -> Times:
        """Return when each word could be read, `[images, words]`."""
        return self.source.when(self.source.writes_at) + self.source.stages

    def freed(self) -> Times:
        """Return when the place of each word was free again, `[images, words]`."""
        return self.sink.when(self.sink.reads_at[self.name]) + _PLACE_DELAY

    def room(self) -> Times:
        """Return when each word could be written, `[images, words]`."""
        freed = self.freed()
        room = np.zeros_like(freed)
        if self.depth is not None and self.depth < freed.size:
            room.ravel()[self.depth :] = freed.ravel()[: -self.depth]
        return room

    @property
    def reach(self) -> int:
        """How many images ago a place may have been freed that is needed now; at least 1."""
        return max(1, -(-(self.depth or 0) // self.count))

    def has_room(self, pace: int) -> bool:
        """Return whether the last image, if all were like it and `pace` apart, finds room."""
        if self.depth is None:
            return True
        image, word = np.divmod(np.arange(self.count) - self.depth, self.count)
        return bool(np.all(self.ready()[-1] >= self.freed()[-1][word] + image * pace))

    def occupancy(self) -> int:
        """The least depth that would have held up no writer: most words held at once."""
        ready = self.ready().ravel()
        freed = np.searchsorted(self.freed().ravel(), ready, side="right")
        return int((np.arange(1, len(ready) + 1) - freed).max(initial=0))


class _Runner:
    """One process: the iterations of an image that move words, and when they started."""

    def __init__(self, instance: Instance, inner: AbstractSet[str]) -> None:
        structure = instance.structure
        loop = structure.loop
        self.name = instance.name
        self.stages = int(loop.stages)
        # the ends of the accelerator have ports without a FIFO
        self.inputs = [name for name in instance.reads if name in inner]
        self.outputs = [name for name in instance.writes if name in inner]
        reads, writes = schedule(structure)
        moving = np.unique(np.concatenate([*reads, writes]))
        self.reads_at = {
            name: np.searchsorted(moving, port)
            for name, port in zip(self.inputs, reads, strict=False)
        }
        self.writes_at = np.searchsorted(moving, writes)
        idle = int(loop.trips) - 1 - int(moving[-1])
        self.tail = idle * loop.ii + self.stages
        self.restart = idle * loop.ii + int(loop.gap)
        self.steps = np.diff(moving, prepend=0) * loop.ii
        self.interval = int(process_interval(structure))
        self.pace = 0
        self.history: list[Times] = []
        self.moves: list[tuple[tuple[_Tokens, ...], tuple[_Give, ...]]] = []

    def begin(self, channels: Mapping[str, _Channel]) -> None:
        """Stand before the first image, at empty FIFOs."""
        self.history = []
        inputs = [channels[name] for name in self.inputs]
        outputs = [channels[name] for name in self.outputs]
        ports: list[tuple[NDArray[np.intp], _Tokens, _Give]] = [
            (self.reads_at[c.name], c.words, (c.places.append, _PLACE_DELAY - c.source.stages))
            for c in inputs
        ]
        ports += [(self.writes_at, c.places, (c.words.append, self.stages)) for c in outputs]
        which = np.zeros(len(self.steps), np.int64)
        for bit, (rows, _, _) in enumerate(ports):
            which[rows] |= 1 << bit
        kinds = {}
        for code in np.unique(which).tolist():
            own = [port for bit, port in enumerate(ports) if code >> bit & 1]
            kinds[code] = tuple(take for _, take, _ in own), tuple(give for _, _, give in own)
        self.moves = [kinds[code] for code in which.tolist()]

    def image(self) -> Iterator[_Tokens]:
        """Run the next image; yield the tokens that are missing, whenever some are."""
        start, steps = self._before()
        starts: list[int] = []
        for step, (takes, gives) in zip(steps.tolist(), self.moves, strict=True):
            start += step
            for tokens in takes:
                while not tokens:
                    yield tokens
                time = tokens.popleft()
                if time > start:  # noqa: PLR1730 (this line runs a million times a second)
                    start = time
            for give, delay in gives:
                give(start + delay)
            starts.append(start)
        self.history.append(np.array(starts, np.int64))

    def images(self, count: int) -> Iterator[_Tokens]:
        """Run several images in a row, likewise."""
        for _ in range(count):
            yield from self.image()

    def run_freely(self, channels: Mapping[str, _Channel]) -> None:
        """Run the next image of a process whose words are all known, and that never lacks room."""
        start, steps = self._before()
        pace = start + np.cumsum(steps)
        late = np.zeros(len(pace), np.int64)
        for name, rows in self.reads_at.items():
            source = channels[name].source
            ready = source.history[-1][source.writes_at] + source.stages
            late[rows] = np.maximum(late[rows], ready - pace[rows])
        self.history.append(pace + np.maximum.accumulate(late))

    def repeat(self, pace: int, images: int) -> None:
        """Let further images do what the last one did, `pace` cycles apart."""
        last = self.history[-1]
        self.history += [last + number * pace for number in range(1, images + 1)]

    def _before(self) -> tuple[int, Times]:
        """Return when the image before moved its last words, and the steps from there on."""
        if not self.history:
            return 0, self.steps
        before, steps = int(self.history[-1][-1]), self.steps.copy()
        steps[0] += max(self.restart, len(self.history) * self.pace - before)
        return before, steps

    def when(self, rows: NDArray[np.intp]) -> Times:
        """Return when some of the iterations started, `[images, rows]`."""
        return np.array([starts[rows] for starts in self.history])

    def lags(self) -> tuple[Times, Times]:
        """Return by how much iterations came after those of the image before: least and most."""
        lags = np.diff(self.history, axis=0)
        return lags.min(axis=1), lags.max(axis=1)

    def ends(self) -> list[int]:
        """Return when the last iteration of each image has left the pipeline."""
        return [int(starts[-1]) + self.tail for starts in self.history]

    def stall(self, channels: Mapping[str, _Channel]) -> Stall:
        """Return where the cycles of the last image went."""
        starts = self.history.pop()
        before, steps = self._before()
        self.history.append(starts)
        pace = np.concatenate(([before], starts[:-1])) + steps
        waits: dict[str, int] = {}
        reached = pace
        for name, rows in self.reads_at.items():
            late = np.maximum(channels[name].ready()[-1] - pace[rows], 0)
            waits[name] = int(late.sum())
            reached = reached.copy()
            reached[rows] = np.maximum(reached[rows], pace[rows] + late)
        for name in self.outputs:
            room = channels[name].room()[-1] - self.stages
            waits[name] = int(np.maximum(room - reached[self.writes_at], 0).sum())
        ends = [0, *self.ends()]
        for_words, for_room = int((reached - pace).sum()), int((starts - reached).sum())
        longest = max(waits, key=waits.__getitem__, default="")
        return Stall(
            works=ends[-1] - ends[-2] - for_words - for_room,
            for_words=for_words,
            for_room=for_room,
            fifo=longest if waits.get(longest) else "",
        )


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
