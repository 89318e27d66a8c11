"""Matrix times vector, group of channels by group of channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from codesign.hardware.chain import streamed, summed
from codesign.hardware.loading import extra_stages, filling, load, load_entry
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
    ceil_log2,
)
from codesign.network.tensor import Tensor


@dataclass(frozen=True, slots=True)
class Grouped(Process):
    """Multiply the channels of each of `groups` by a matrix of their own, position by position.

    `pe` outputs of one group are computed from `simd` of its inputs at each of `together`
    positions a cycle; more outputs than a group has are those of several groups at once, each from
    all of its inputs. A patch brings the channels of all groups for some positions after the
    other, so the sums of all outputs run, in LUTRAM as those of `Reduce` do. What a group reads is
    kept for its later outputs.
    """

    pixels: int
    positions: int
    groups: int
    outputs: int
    """Of one group."""
    element: Tensor
    weight_bits: int
    requantiser: Requantiser
    pe: Count
    simd: Count
    arithmetic: Count = Arithmetic.DSP
    storage: Count = Storage.BRAM
    together: int = 1

    parameters = ("shift",)

    def structure(self) -> Structure:
        """Return weights, running sums, the kept inputs, the multipliers and the adder trees."""
        element, output = self.element, self.requantiser.output
        groups: Count = self.groups // self._at_once
        folds: Count = self.groups * self.outputs // (groups * self.pe)
        steps: Count = element.channels // self.groups // self.simd
        parts = self.positions // self.together
        patches = self.pixels * parts * groups
        results = self.pixels * groups * folds
        trips = patches * folds * steps
        factors = self.together * self.simd
        lanes = self.pe * factors
        sum_bits = self.requantiser.sum_bits
        words = parts * groups * folds * steps
        own = (words, lanes, self.weight_bits, True, Role.CONSTANT, self.storage)
        weights = Buffer("weights", *own)
        return Structure(
            reads=(Stream("patches", self._lanes, element.bits, element.signed, patches * steps),),
            writes=(Stream("results", self.pe, output.bits, output.signed, results),),
            loop=Loop(
                "product",
                {
                    "pixel": self.pixels,
                    "part": parts,
                    "group": groups,
                    "fold": folds,
                    "step": steps,
                },
                streamed(
                    *summed(ceil_log2(factors), element.bits + self.weight_bits, sum_bits),
                    *self.requantiser.steps,
                    extra=extra_stages(weights),
                ),
                entry=load_entry(weights),
            ),
            phases=(
                Phase(
                    self.pixels,
                    (
                        _turns((parts - 1) * groups, steps, folds, 0),
                        _turns(groups, steps, folds, 1),
                    ),
                ),
            ),
            buffers=(
                weights,
                filling(weights),
                *self.requantiser.tables(groups * folds, self.pe),
                *self._memories(groups * folds, steps, folds),
            ),
            multipliers=(
                Multipliers(
                    "products", lanes, element.bits, self.weight_bits, trips, self.arithmetic
                ),
                *self.requantiser.multipliers(self.pe, results),
            ),
            adders=(
                Adders(self.pe * (factors - 1), element.bits + self.weight_bits + 2, trips),
                Adders(self.pe, sum_bits, trips),
                *self.requantiser.adders(self.pe, results),
            ),
            loads=(load(weights),),
            facts={
                "simd": self.simd,
                "together": self.together,
                "group_outputs": self.outputs,
                # a sum is read with its first step, and written with its last
                "distance": (groups * folds - 1) * steps + 1,
                "requantiser": self.requantiser,
            },
        )

    def _memories(self, words: Count, steps: Count, folds: Count) -> tuple[Buffer, ...]:
        """Return what is kept of a group, and the sums that run and that are being made."""
        element, sum_bits = self.element, self.requantiser.sum_bits
        again, apart = (folds > 1) * 1, int(self.positions > self.together)
        kept = (self._lanes, element.bits, element.signed)
        return (
            Buffer("vector", steps, *kept, Role.MEMORY, when=again),
            Buffer("running", words, self.pe, sum_bits, True, Role.MEMORY, when=apart),
            Buffer("sums", 1, self.pe, sum_bits, True, Role.REGISTER),
        )

    @property
    def _lanes(self) -> Count:
        """Elements in a word of a patch."""
        return self.together * self._at_once * self.simd

    @property
    def _at_once(self) -> Count:
        """Groups that are computed in the same cycle."""
        groups = np.maximum(1, self.pe // self.outputs)
        return groups if np.ndim(groups) else int(groups)


def _turns(times: Count, steps: Count, folds: Count, writes: int) -> Phase:
    """Return the turns of some groups: inputs come with the first results, `writes` each."""
    first = Part(steps, steps, writes + 0 * steps)
    rest = (folds - 1) * steps
    return Phase(times, (first, Part(rest, 0 * rest, writes * (folds - 1) + 0 * rest)))
