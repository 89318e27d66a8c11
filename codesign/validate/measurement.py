"""What a tool reported of a project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Measurement:
    """One tool's verdict on one project."""

    tool: str
    version: str
    project_digest: str
    passed: bool
    message: str
    """The verdict in one line; for a difference: layer, image, element, expected, got."""
    images: int
    """Images that the whole accelerator computed as the reference does."""
    layers: tuple[str, ...]
    """Layers that were compared alone and are equal."""
    seconds: float
    log: str
    """Where the tool's own output lies."""
    ends: tuple[int, ...] = ()
    """When each image's last output has left [cycles], if the tool has clocks."""
    occupancy: Mapping[str, int] = field(default_factory=dict)
    """Most words that each FIFO held, if the tool has FIFOs."""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What each process did per image, if the tool counts: loop trips, multiplications by group,
    words by stream."""
    processes: Mapping[str, int] = field(default_factory=dict)
    """Cycles of one image in each process that was taken to RTL and is equal, if the tool does."""
    loading: int = 0
    """When the last weight was in its place [cycles], if some are loaded; the images' clock starts
    then."""

    @property
    def latency(self) -> int:
        """Cycles from the first input word to the last output word of the first image."""
        return self.ends[0]

    @property
    def interval(self) -> float:
        """Cycles between images, over the second half of those that were run."""
        start = (len(self.ends) - 1) // 2
        return (self.ends[-1] - self.ends[start]) / max(1, len(self.ends) - 1 - start)
