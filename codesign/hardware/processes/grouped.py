"""Matrix times vector, group of channels by group of channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

    `pe` outputs of one group are computed from `simd` of its inputs a cycle; more outputs than
    a group has are those of several groups at once, each from all of its inputs. A patch brings
    the channels of all groups for one position after the other, so the sums of all outputs run,
    in LUTRAM as those of `Reduce` do. What a group reads is kept for its later outputs.
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

    parameters = ("shift",)

    def structure(self) -> Structure:
        """Return weights, running sums, the kept inputs, the multipliers and the adder trees."""
        element, output = self.element, self.requantiser.output
        groups: Count = self.groups // self._together
        folds: Count = self.groups * self.outputs // (groups * self.pe)
        steps: Count = element.channels // self.groups // self.simd
        inputs = self._together * self.simd
        patches = self.pixels * self.positions * groups
        results = self.pixels * groups * folds
        trips = patches * folds * steps
        lanes = self.pe * self.simd
        sum_bits = self.requantiser.sum_bits
        words = self.positions * groups * folds * steps
        own = (words, lanes, self.weight_bits, True, Role.CONSTANT, self.storage)
        weights = Buffer("weights", *own)
        return Structure(
            reads=(Stream("patches", inputs, element.bits, element.signed, patches * steps),),
            writes=(Stream("results", self.pe, output.bits, output.signed, results),),
            loop=Loop(
                "product",
                {
                    "pixel": self.pixels,
                    "place": self.positions,
                    "group": groups,
                    "fold": folds,
                    "step": steps,
                },
                stages=6 + ceil_log2(self.simd) + self.requantiser.stages + extra_stages(weights),
                entry=load_entry(weights),
            ),
            phases=(
                Phase(
                    self.pixels,
                    (
                        _turns((self.positions - 1) * groups, steps, folds, 0),
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
                Adders(self.pe * (self.simd - 1), element.bits + self.weight_bits + 2, trips),
                Adders(self.pe, sum_bits, trips),
                *self.requantiser.adders(self.pe, results),
            ),
            loads=(load(weights),),
            facts={
                "simd": self.simd,
                "group_outputs": self.outputs,
                # a sum is read with its first step, and written with its last
                "distance": (groups * folds - 1) * steps + 1,
                "requantiser": self.requantiser,
            },
        )

    def _memories(self, words: Count, steps: Count, folds: Count) -> tuple[Buffer, ...]:
        """Return what is kept of a group, and the sums that run and that are being made."""
        element, sum_bits = self.element, self.requantiser.sum_bits
        inputs = self._together * self.simd
        again, apart = (folds > 1) * 1, int(self.positions > 1)
        return (
            Buffer("vector", steps, inputs, element.bits, element.signed, Role.MEMORY, when=again),
            Buffer("running", words, self.pe, sum_bits, True, Role.MEMORY, when=apart),
            Buffer("sums", 1, self.pe, sum_bits, True, Role.REGISTER),
        )

    @property
    def _together(self) -> Count:
        """Groups that are computed at once."""
        together = np.maximum(1, self.pe // self.outputs)
        return together if np.ndim(together) else int(together)


def _turns(times: Count, steps: Count, folds: Count, writes: int) -> Phase:
    """Return the turns of some groups: inputs come with the first results, `writes` each."""
    first = Part(steps, steps, writes + 0 * steps)
    rest = (folds - 1) * steps
    return Phase(times, (first, Part(rest, 0 * rest, writes * (folds - 1) + 0 * rest)))
