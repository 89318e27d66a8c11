"""What it takes to requantise sums: shared by every process that ends in a rescaling.

Requantisation never falls where its sum rises. So an output of few bits is as well the number of
thresholds that the sum has reached: one for each value but the lowest, for every channel. They are
taken from the integers of the network (`codesign.network.thresholds`), the bias included, so that
the answer is the same and neither a multiplier nor a bias is needed.

Source: Umuroglu et al., FINN, FPGA 2017, section 4.2 (thresholds for batch normalisation and
activation); Blott et al., FINN-R, TRETS 2018 (several thresholds per channel).
"""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import Operator, Step
from codesign.hardware.structure import (
    Activation,
    Adders,
    Buffer,
    Count,
    Multipliers,
    Role,
    ceil_log2,
)
from codesign.network.graph import Node
from codesign.network.tensor import Tensor

MOST_THRESHOLDS = 15
"""Outputs of up to 4 bits may be compared: each bit more doubles the comparators."""


def activations(node: Node) -> tuple[Activation, ...]:
    """Return how the sums of a node that learns a bias may become its outputs."""
    if node.multiplier_bits and 1 <= node.output.high - node.output.low <= MOST_THRESHOLDS:
        return tuple(Activation)
    return (Activation.MULTIPLIER,)


@dataclass(frozen=True, slots=True)
class Requantiser:
    """From signed sums of `sum_bits` to `output`: multiply, round half to even, clip.

    With `multiplier_bits` 0 the sums pass unchanged; with 1 (power-of-two scales) the multiplier
    is 1 and costs nothing. A comparator gives the same by thresholds.
    """

    sum_bits: int
    multiplier_bits: int
    output: Tensor
    activation: Activation = Activation.MULTIPLIER

    @staticmethod
    def of(node: Node, activation: Activation = Activation.MULTIPLIER) -> Requantiser:
        """Return the requantiser that `node` declares."""
        return Requantiser(node.accumulator_bits, node.multiplier_bits, node.output, activation)

    @property
    def compares(self) -> bool:
        """Whether thresholds take the place of multiplying, rounding and clipping."""
        return self.activation == Activation.COMPARATOR

    @property
    def thresholds(self) -> int:
        """Thresholds of one channel: a value is reached by each, but for the lowest."""
        return self.output.high - self.output.low

    @property
    def threshold_bits(self) -> int:
        """Signed width that holds every sum, and one more for what no sum reaches."""
        return self.sum_bits + 1

    @property
    def active(self) -> bool:
        """Whether the sums change at all."""
        return self.multiplier_bits > 0

    @property
    def multiplies(self) -> bool:
        """Whether a multiplier per channel is needed."""
        return self.multiplier_bits > 1 and not self.compares

    @property
    def scaled_bits(self) -> int:
        """Signed width of sum times multiplier."""
        return self.sum_bits + (self.multiplier_bits if self.multiplies else 0)

    @property
    def steps(self) -> tuple[Step, ...]:
        """What it does, one after the other: multiply, round and clip; or compare and count."""
        if self.compares:
            levels = ceil_log2(self.thresholds)
            return (Step(Operator.COMPARE), Step(Operator.ADD, self.output.bits, levels))
        if not self.active:
            return ()
        clip = (Step(Operator.COMPARE), Step(Operator.SELECT))
        rescale = (Step(Operator.ADD, self.scaled_bits), *clip)
        return (Step(Operator.MULTIPLY), *rescale) if self.multiplies else rescale

    def multipliers(self, lanes: Count, uses: Count) -> tuple[Multipliers, ...]:
        """Return the multipliers of `lanes` results, busy in `uses` cycles of one image."""
        if not self.multiplies:
            return ()
        group = Multipliers("scaling", lanes, self.sum_bits, self.multiplier_bits + 1, uses)
        return (group,)

    def tables(self, words: Count, lanes: Count) -> tuple[Buffer, ...]:
        """Return what is learned per channel: bias and, if any, multipliers; or thresholds."""
        if self.compares:
            wide, bits = lanes * self.thresholds, self.threshold_bits
            return (Buffer("thresholds", words, wide, bits, True, Role.CONSTANT),)
        bias = Buffer("bias", words, lanes, self.sum_bits, True, Role.CONSTANT)
        if not self.multiplies:
            return (bias,)
        factor = Buffer("multiplier", words, lanes, self.multiplier_bits, False, Role.CONSTANT)
        return (bias, factor)

    def adders(self, lanes: Count, uses: Count) -> tuple[Adders, ...]:
        """Return the rounding adder and the two comparators of `lanes` results.

        Or a comparator for every threshold, and what counts them.
        """
        if self.compares:
            every = self.thresholds * lanes
            return (
                Adders(every, self.threshold_bits, uses),
                Adders(every - lanes, self.output.bits, uses),
            )
        if not self.active:
            return ()
        return (Adders(3 * lanes, self.scaled_bits, uses),)
