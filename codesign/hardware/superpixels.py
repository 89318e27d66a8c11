"""Several neighbouring pixels of a row in one word: what windows over such words look like.

A word of `taken` pixels with all of their channels is one pixel of a narrower map, a superpixel.
A window over the map is then a window over superpixels, with column stride 1, under which the
patches of `given` neighbouring outputs lie side by side: each of them is some of its pixels.

No word reaches from one row into the next, so a superpixel beside the map is all padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.hardware.structure import MAX_UNROLL, MAX_WORD_BITS, Count
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window as Geometry
from codesign.space import divisors


def given(geometry: Geometry, pixels: int) -> int:
    """Return the patches that leave side by side where so many pixels come in with a word."""
    return 1 if pixels == 1 else pixels // geometry.stride[1]


def undivided(pixels: int, *folded: tuple[Count, int]) -> NDArray[np.bool_]:
    """Return where (lanes, channels) are equal, as several pixels in a word need it."""
    whole: NDArray[np.bool_] = np.array(True)
    for lanes, channels in folded:
        whole = whole & np.equal(lanes, channels)
    return whole | (pixels == 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a window over several pixels at a time must not go beyond, whatever makes use of it."""

    geometry: Geometry
    source: Tensor
    output: Tensor
    products: int = 0
    """Multiplications for each position of a patch."""

    def pixels(self) -> tuple[int, ...]:
        """Return how many pixels of a row of the source a word may hold.

        Several are a divisor of the columns and a multiple of the column stride, such that the
        columns of the output come in whole words, too; and no more than tools take.
        """
        stride = self.geometry.stride[1]
        columns, output_columns = (map_shape(t.shape)[2] for t in (self.source, self.output))
        every = divisors(self.geometry.positions)
        several = (
            pixels
            for pixels in divisors(columns)[1:]
            if pixels % stride == 0
            and output_columns % (pixels // stride) == 0
            and any(self.allow(pixels, positions) for positions in every)
        )
        return (1, *several)

    def allow(self, pixels: int, positions: int) -> bool:
        """Return whether tools take so many positions of the patches that pixels make, per cycle.

        With fewer than all positions, more than one patch has to leave per cycle: fewer leave as
        well where one pixel comes in, with fewer multipliers.
        """
        if pixels == 1:
            return True
        beside, parts = given(self.geometry, pixels), self.geometry.positions // positions
        widest = max(
            pixels * self.source.channels * self.source.bits,
            beside * positions * self.source.channels * self.source.bits,
            beside * self.output.channels * self.output.bits,
        )
        few = widest <= MAX_WORD_BITS and beside * positions * self.products <= MAX_UNROLL
        return few and (parts == 1 or beside > parts)


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A window as seen over words of `taken` pixels: `given` of its patches leave side by side."""

    taken: int
    given: int
    columns: int
    """Words in a row of the map."""
    geometry: Geometry
    """The window over words."""
    shift: int
    """Column of the first patch's first position among the pixels under that window.

    It is negative where no word that the window ever meets holds this position: it is padding."""

    @staticmethod
    def of(geometry: Geometry, columns: int, pixels: int) -> Superpixels:
        """Return a window over rows of `columns`, of which `pixels` come in with a word."""
        if pixels == 1:
            return Superpixels(1, 1, columns, geometry, 0)
        stride = geometry.stride[1]
        beside = given(geometry, pixels)
        (top, left, bottom, right), (_, extent) = geometry.padding, geometry.extent
        words = columns // pixels
        words_given = ((columns + left + right - extent) // stride + 1) // beside
        # words between that of a patch's first (last) position and that which its outputs stand at
        before = min(-(-left // pixels), words_given - 1)
        after = min(((beside - 1) * stride + extent - 1 - left) // pixels, words - 1)
        return Superpixels(
            taken=pixels,
            given=beside,
            columns=words,
            geometry=Geometry(
                (geometry.kernel[0], before + after + 1),
                (geometry.stride[0], 1),
                (top, before, bottom, words_given - words + after),
                (geometry.dilation[0], 1),
            ),
            shift=before * pixels - left,
        )
