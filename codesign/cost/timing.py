"""What a simulated pipeline shows: when images leave, what FIFOs hold, who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Stall:
    """Where the cycles of one process go, from its end of one image to that of the next."""

    works: int
    """Iterations, and the return and restart of its function."""
    for_words: int
    """Waits for words to read."""
    for_room: int
    """Waits for room to write."""
    fifo: str
    """The FIFO that holds it up longest; "" if none does."""

    @property
    def waits(self) -> int:
        """Cycles without an iteration."""
        return self.for_words + self.for_room

    @property
    def cycles(self) -> int:
        """All of them: the interval, as soon as the pipeline is steady."""
        return self.works + self.waits


@dataclass(frozen=True, slots=True)
class Timing:
    """What a simulation saw, in cycles and words."""

    ends: tuple[int, ...]
    """When each image's last output has left."""
    occupancy: Mapping[str, int]
    """Most words that each FIFO held."""
    stalls: Mapping[str, Stall] = field(default_factory=dict)
    """What each process did during the last image that was simulated."""
    period: int | None = None
    """Cycles between images in the long run, where that is proven."""

    @property
    def latency(self) -> int:
        """Cycles from the first input word to the last output word of the first image."""
        return self.ends[0]

    @property
    def interval(self) -> float:
        """Cycles between images in the long run.

        Where it is not proven, the mean over the second half of the images that were simulated;
        a single image has no interval, its latency is returned.
        """
        if self.period is not None:
            return float(self.period)
        if len(self.ends) == 1:
            return float(self.ends[0])
        start = (len(self.ends) - 1) // 2
        return (self.ends[-1] - self.ends[start]) / (len(self.ends) - 1 - start)

    @property
    def fill(self) -> float:
        """Cycles that a batch takes beyond one interval per image: to fill and to drain."""
        return self.ends[-1] - len(self.ends) * self.interval

    def batch_latency(self, images: int) -> float:
        """Return the cycles from the first word in to the last word out of `images` in a row.

        Exact as far as was simulated; from there on one interval per image.
        """
        if images < 1:
            raise ValueError(f"a batch has at least one image, not {images}")
        if images <= len(self.ends):
            return float(self.ends[images - 1])
        return self.fill + images * self.interval
