"""Small images for networks that read larger ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.network.op import Shape

Images = NDArray[np.float32]


def can_be_framed(found: Shape, wanted: Shape) -> bool:
    """Return whether images of one shape `C x H x W` fit into another's frame."""
    if len(found) != 3 or len(wanted) != 3:
        return False
    return found[0] in (1, wanted[0]) and found[1] <= wanted[1] and found[2] <= wanted[2]


def framed(images: Images, shape: Shape) -> Images:
    """Return images `[N, C, H, W]` in the middle of zeros; grey ones fill all channels.

    Args:
        images: they can be framed.
        shape: the frame, `C x H x W`.
    """
    margins = [wanted - own for wanted, own in zip(shape[1:], images.shape[2:], strict=True)]
    sides = [(margin // 2, margin - margin // 2) for margin in margins]
    wide = np.pad(images, ((0, 0), (0, 0), *sides))
    return np.repeat(wide, shape[0] // images.shape[1], axis=1)
