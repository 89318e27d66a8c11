"""How busy the multipliers of fitted designs are, what binds, and why some of them idle.

    python -m benchmarks.multipliers [NAME ...]

Reference networks at 8 bits, each in its fastest design as a flow fits it: of intervals that
differ by no more than `hardware.slack` it takes the smallest design. The use is MACs done / MACs
that all multipliers of products, of DSP slices and of LUTs, could do in the interval; two products
of one packed slice count as two. The bar is asked of designs that DSPs or
LUTs keep from being faster. What idles is split in three:

- folds: the products of the smallest engine whose loop of products alone keeps the interval, less
  what its MACs need. Loops take whole divisors of a layer's extents.
- starts: what an engine needs beyond that, since its loops also start and drain, and since its
  window has to keep the interval, too.
- spare: products beyond the least that keep the interval, where they spare other resources.

Without slack multipliers may idle for the sake of a few cycles: the column "exact" is the use in
the design of the very shortest interval, and "DSP" and "LUT" are what slack saves of that one's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.executor import quantised
from benchmarks.reference_designs import CLOCK_HZ, NETWORKS
from codesign.cost.estimate import design_usage
from codesign.cost.latency import process_interval
from codesign.fit.dataflow import Fit, fit
from codesign.fit.options import template_of
from codesign.flow.sections import Hardware
from codesign.hardware.board import Board
from codesign.hardware.pace import Pace
from codesign.hardware.structure import Arithmetic, Structure
from codesign.hardware.template import HardwareTemplate

BOARDS = ("zcu104", "pynq_z2")
LIMBS = frozenset({"dsp", "lut"})
"""What multipliers are made of."""
BAR = 0.9
WORST = 3
"""Layers that are named per design."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Products a cycle of one layer's engine."""

    name: str
    needed: float
    """MACs / interval."""
    folded: int
    """Of the smallest engine whose products alone keep the interval."""
    least: int
    """Of the smallest engine that keeps the interval."""
    used: int
    slices: int
    """Multipliers in DSP slices."""


def main(names: Iterable[str] = ()) -> bool:
    """Print a row per design; return whether those that multipliers bind reach the bar."""
    print(f"use of multipliers in fitted designs, 8 bits; bar {BAR:.0%} where DSP or LUT bind")
    print(f"  {'network':18}{'board':9}{'products':>9}{'slices':>8}{'use':>7}{'folds':>7}", end="")
    print(f"{'starts':>7}{'spare':>7}{'exact':>7}{'DSP':>6}{'LUT':>6}  {'binding':14}", end="")
    print("most idle: needed of used products")
    rows = [row(name, board) for board in BOARDS for name in names or NETWORKS]
    return all(rows)


def row(name: str, board: str) -> bool:
    """Print how busy the multipliers of one design are; return whether it meets the bar."""
    graph, target = quantised(name)[0].graph, Board.load(board)
    answer = fit(graph, target, CLOCK_HZ, Hardware().goal)
    label = f"  {name:18}{board:9}"
    if not answer.feasible:
        print(f"{label}{'-':>9}  {answer.advice()}", flush=True)
        return True
    found = list(layers(answer))
    used, use = sum(layer.used for layer in found), share(found)
    exact = fit(graph, target, CLOCK_HZ)
    folds = sum(layer.folded - layer.needed for layer in found) / used
    starts = sum(layer.least - layer.folded for layer in found) / used
    spare = sum(layer.used - layer.least for layer in found) / used
    binds = LIMBS & set(answer.binding)
    worst = sorted(found, key=lambda layer: layer.needed - layer.used)[:WORST]
    told = ", ".join(f"{one.name} {one.needed:.1f} of {one.used}" for one in worst)
    slices = sum(layer.slices for layer in found)
    shares = f"{use:7.1%}{folds:7.1%}{starts:7.1%}{spare:7.1%}{share(list(layers(exact))):7.1%}"
    shares += "".join(f"{saved(answer, exact, name):6.0%}" for name in ("dsp", "lut"))
    binding = ", ".join(answer.binding) or "nothing"
    verdict = "" if use >= BAR or not binds else "MISSED  "
    print(f"{label}{used:9,}{slices:8,}{shares}  {binding:14}{verdict}{told}", flush=True)
    return use >= BAR or not binds


def saved(answer: Fit, exact: Fit, resource: str) -> float:
    """Return what one design takes less of a resource than another, relative."""
    own, other = (float(design_usage(one.design)[resource]) for one in (answer, exact))
    return 1 - own / other if other else 0.0


def share(found: list[Layer]) -> float:
    """Return the use of all multipliers of products."""
    return sum(layer.needed for layer in found) / sum(layer.used for layer in found)


def layers(answer: Fit) -> Iterator[Layer]:
    """Yield what the layers with products need, and what they have."""
    graph, board = answer.design.graph, answer.design.board
    for node in graph:
        engine = answer.design.engines[node.name]
        pace = answer.design.pace
        structures = [process.structure() for process in engine.processes()]
        used = int(products(structures))
        if used:
            inputs = graph.inputs(node)
            macs = node.op.macs([tensor.shape for tensor in inputs])
            every = template_of(node, inputs).every(node, inputs)
            fewest = [
                least_products(one, shape, answer.interval, board, pace) for _, shape, one in every
            ]
            folded, least = (min(counts) for counts in zip(*fewest, strict=True))
            needed = macs / answer.interval
            yield Layer(node.name, needed, folded, least, used, slices_of(structures))


def products(structures: Iterable[Structure]) -> NDArray[np.int64]:
    """Return the products a cycle of an engine, or of each of many."""
    groups = [group for one in structures for group in one.multipliers if group.name == "products"]
    return np.asarray(sum(np.asarray(group.count) for group in groups))


def slices_of(structures: Iterable[Structure]) -> int:
    """Return the multipliers of an engine's products that are DSP slices."""
    return sum(
        int(group.multiplications)
        for one in structures
        for group in one.multipliers
        if group.name == "products"
        and group.arithmetic not in (Arithmetic.LUT, Arithmetic.CONSTANT)
    )


def least_products(
    engines: HardwareTemplate, shape: tuple[int, ...], interval: int, board: Board, pace: Pace
) -> tuple[int, int]:
    """Return the fewest products a cycle among legal engines that keep the interval.

    First of those whose products alone keep it, then of those that do as a whole.
    """
    structures = [process.structure().at(pace) for process in engines.processes()]
    counts = np.broadcast_to(products(structures), shape)
    legal = np.broadcast_to(engines.legal() & engines.suits(board), shape)
    busy = [one.loop.trips for one in structures if products([one]).any()]
    whole = [process_interval(one) for one in structures]
    folded, least = (
        np.max([np.broadcast_to(cycles, shape) for cycles in each], axis=0) <= interval
        for each in (busy, whole)
    )
    most = np.iinfo(np.int64).max
    return (
        int(counts.min(where=legal & folded, initial=most)),
        int(counts.min(where=legal & least, initial=most)),
    )


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
