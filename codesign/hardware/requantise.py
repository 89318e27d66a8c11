"""What it takes to requantise sums: shared by every process that ends in a rescaling."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.structure import Adders, Buffer, Count, Multipliers, Role
from codesign.network.graph import Node
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Requantiser:
    """From signed sums of `sum_bits` to `output`: multiply, round half to even, clip.

    With `multiplier_bits` 0 the sums pass unchanged; with 1 (power-of-two scales) the multiplier
    is 1 and costs nothing.
    """

    sum_bits: int
    multiplier_bits: int
    output: Tensor

    @staticmethod
    def of(node: Node) -> Requantiser:
        """Return the requantiser that `node` declares."""
        return Requantiser(node.accumulator_bits, node.multiplier_bits, node.output)

    @property
    def active(self) -> bool:
        """Whether the sums change at all."""
        return self.multiplier_bits > 0

    @property
    def multiplies(self) -> bool:
        """Whether a multiplier per channel is needed."""
        return self.multiplier_bits > 1

    @property
    def scaled_bits(self) -> int:
        """Signed width of sum times multiplier."""
        return self.sum_bits + (self.multiplier_bits if self.multiplies else 0)

    @property
    def stages(self) -> int:
        """Pipeline stages [cycles]: multiply 3, round 1, clip 1."""
        return (3 if self.multiplies else 0) + (2 if self.active else 0)

    def multipliers(self, lanes: Count, uses: Count) -> tuple[Multipliers, ...]:
        """Return the multipliers of `lanes` results, busy in `uses` cycles of one image."""
        if not self.multiplies:
            return ()
        group = Multipliers("scaling", lanes, self.sum_bits, self.multiplier_bits + 1, uses)
        return (group,)

    def table(self, words: Count, lanes: Count) -> tuple[Buffer, ...]:
        """Return the table of multipliers, one per channel, if there is any."""
        if not self.multiplies:
            return ()
        return (Buffer("multiplier", words, lanes, self.multiplier_bits, False, Role.CONSTANT),)

    def adders(self, lanes: Count, uses: Count) -> tuple[Adders, ...]:
        """Return the rounding adder and the two comparators of `lanes` results."""
        if not self.active:
            return ()
        return (Adders(3 * lanes, self.scaled_bits, uses),)
