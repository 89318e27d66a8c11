"""What turns a map into patches: the choice between the two windows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from codesign.hardware.process import Process
from codesign.hardware.processes.sliding import Sliding
from codesign.hardware.processes.window import Window
from codesign.hardware.structure import Count
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window as Geometry


@dataclass(frozen=True, slots=True)
class Portion:
    """How much of a map and of a patch a word holds."""

    lanes: Count
    """Channels of each pixel."""
    positions: int
    """Positions of the kernel that leave in a cycle."""
    pixels: int = 1
    """Pixels of a row that come in with a word; so many patches leave beside each other."""


def patches(
    source: Tensor, geometry: Geometry, portion: Portion, storage: Count, pad_value: int = 0
) -> Process:
    """Return a window over `source` that hands on so much at a time.

    One position a cycle comes from a memory that is read wherever the patch asks. For several,
    and for several pixels, the map moves through delay lines. A vector is a map of one pixel.
    """
    source = replace(source, shape=map_shape(source.shape))
    lanes, positions, pixels = portion.lanes, portion.positions, portion.pixels
    if positions == pixels == 1:
        return Window(source, geometry, pad_value, lanes, storage)
    return Sliding(source, geometry, pad_value, lanes, positions, storage, pixels)
