"""What turns a map into patches: the choice between the two windows."""

from __future__ import annotations

from dataclasses import replace

from codesign.hardware.process import Process
from codesign.hardware.processes.sliding import Sliding
from codesign.hardware.processes.window import Window
from codesign.hardware.structure import Count
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window as Geometry


def patches(
    source: Tensor,
    geometry: Geometry,
    pad_value: int,
    lanes: Count,
    positions: int,
    storage: Count,
) -> Process:
    """Return a window over `source` whose words hold `lanes` channels of `positions` positions.

    One position a cycle comes from a memory that is read wherever the patch asks. For several, the
    map moves through delay lines. A vector is a map of one pixel.
    """
    source = replace(source, shape=map_shape(source.shape))
    if positions == 1:
        return Window(source, geometry, pad_value, lanes, storage)
    return Sliding(source, geometry, pad_value, lanes, positions, storage)
