"""Matrix times vector, folded over its outputs and inputs."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.chain import streamed, summed
from codesign.hardware.loading import extra_stages, filling, load, load_entry
from codesign.hardware.packing import Packing, is_packed
from codesign.hardware.process import Process
from codesign.hardware.requantise import Requantiser
from codesign.hardware.structure import (
    Adders,
    Arithmetic,
    Buffer,
    Count,
    Loop,
    Multipliers,
    Part,
    Phase,
    Role,
    Storage,
    Stream,
    Structure,
    ceil_div,
    ceil_log2,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Matrix(Process):
    """Multiply each of `pixels` vectors by one matrix: `pe` outputs, `simd` inputs a cycle.

    The vector is consumed while the first `pe` outputs are computed, and kept for the others.
    Where products are packed, outputs that lie side by side share a multiplier; of an odd number
    of them the last has multipliers of its own.

    Vectors that come `beside` each other in a word share the weights: each has multipliers of its
    own, as many as one vector alone.

    Source: Umuroglu et al., FINN, FPGA 2017, section 4.2 (matrix-vector-threshold unit).
    """

    pixels: int
    inputs: int
    outputs: int
    element: Tensor
    weight_bits: int
    requantiser: Requantiser
    pe: Count
    simd: Count
    arithmetic: Count = Arithmetic.DSP
    storage: Count = Storage.BRAM
    together: int = 1
    """Pixels of the input that stand side by side in a word of `simd` elements."""
    beside: int = 1
    """Vectors that are multiplied at a time."""

    parameters = ("shift",)

    def structure(self) -> Structure:
        """Return weights, the kept vector, the multipliers and the adder trees."""
        steps: Count = self.inputs // self.simd
        folds: Count = self.outputs // self.pe
        lanes = self.pe * self.simd
        taken, given = self.beside * self.simd, self.beside * self.pe
        places = self.pixels // self.beside
        results = places * folds
        sum_bits = self.requantiser.sum_bits
        output = self.requantiser.output
        element = self.element
        packing = Packing.of(self.arithmetic, element, self.weight_bits)
        own = (folds * steps, lanes, self.weight_bits, True, Role.CONSTANT, self.storage)
        weights = Buffer("weights", *own)
        return Structure(
            reads=(Stream("vectors", taken, element.bits, element.signed, places * steps),),
            writes=(Stream("results", given, output.bits, output.signed, results),),
            loop=Loop(
                "product",
                {"pixel": places, "fold": folds, "step": steps},
                streamed(
                    *summed(ceil_log2(self.simd), element.bits + self.weight_bits, sum_bits),
                    *self.requantiser.steps,
                    extra=extra_stages(weights),
                ),
                entry=load_entry(weights),
            ),
            phases=(
                Phase(
                    places,
                    (
                        Part(steps, steps, 1 + 0 * steps),
                        Part((folds - 1) * steps, 0 * steps, (folds - 1) + 0 * steps),
                    ),
                ),
            ),
            buffers=(
                weights,
                filling(weights),
                *self.requantiser.tables(folds, self.pe),
                Buffer(
                    "vector",
                    steps,
                    taken,
                    element.bits,
                    element.signed,
                    Role.MEMORY,
                    when=(folds > 1) * 1,
                ),
                Buffer("sums", 1, given, sum_bits, True, Role.REGISTER),
            ),
            multipliers=(
                Multipliers(
                    "products",
                    self.beside * lanes,
                    element.bits,
                    self.weight_bits,
                    results * steps,
                    self.arithmetic,
                    self._pairs * taken,
                ),
                *self.requantiser.multipliers(given, results),
            ),
            adders=(
                *self._adders(packing, results * steps),
                *self.requantiser.adders(given, results),
            ),
            loads=(load(weights),),
            facts={"requantiser": self.requantiser, "packing": packing, "beside": self.beside},
        )

    @property
    def _pairs(self) -> Count:
        """Pairs of outputs of one vector that share their multipliers."""
        return self.pe // 2 * is_packed(self.arithmetic)

    def _adders(self, packing: Packing, uses: Count) -> tuple[Adders, ...]:
        """Return what adds products up, separates packed sums, and adds to the running sums.

        To separate costs one adder: the upper sum takes the sign of the lower one as a carry.
        What lies upon each other in a packed factor is charged as an adder of its upper part,
        though the slice has one before its multiplier.
        """
        width = self.element.bits + self.weight_bits + 2
        pairs, simd, beside = self._pairs, self.simd, self.beside
        groups = ceil_div(simd, packing.terms)
        each = (self.pe - 2 * pairs) * (simd - 1) + pairs * (3 * groups - 2)
        return (
            Adders(beside * each, width, uses),
            Adders(beside * pairs * simd, self.weight_bits + 1, uses),
            Adders(beside * pairs * (simd - groups), width + packing.shift, uses),
            Adders(beside * self.pe, self.requantiser.sum_bits, uses),
        )
