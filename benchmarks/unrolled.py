"""Tiny networks with every weight as a constant in logic: python -m benchmarks.unrolled.

The network of Duarte et al., JINST 13 P07027, 2018 (jets: 16 inputs, 64, 32 and 32 neurons, 5
classes), fitted to the zcu104 at 200 MHz; and one for 8 x 8 digits, unrolled by hand, because its
64 inputs take 8 beats anyway. Weights are drawn from a seed. A row says how many layers are held as
constants, the cycles between images of the engines and of the accelerator with its ports (64 bits
in, one element out, a cycle), the LUTs after implementation with constants of average weights, with
these very weights, and with multipliers that take any weight; and whether the emitted engines, run
with clocks, gave the reference's bits and took the model's cycles. LUTs are estimates that no
synthesis has confirmed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from codesign.cost.estimate import Estimate, estimate
from codesign.cost.latency import process_interval
from codesign.design import Design
from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.hardware.structure import Arithmetic
from codesign.hardware.templates.dense import StreamingDense

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engine_chain import run_engines
from hls import random_images, random_network
from test_unrolled import jets, network_of, unrolled

IMAGES = 50
BITS = (4, 6, 8)


@dataclass(frozen=True)
class Row:
    """One network on the board."""

    constants: int
    layers: int
    engines: int
    accelerator: int
    average: Estimate
    own: Estimate
    variable: Estimate
    same: bool
    """Bits and cycles of the emitted engines are those of reference and model."""


def main() -> list[Row]:
    """Print the table, and return its rows."""
    print("cycles between images, and LUTs after implementation, on zcu104 at 200 MHz")
    cycles = f"{'constant':>10}{'engines':>9}{'with ports':>12}"
    luts = f"{'average':>9}{'low..high':>16}{'own':>9}{'variable':>10}"
    print(f"  {'network':26}{cycles}{luts}{'DSP':>6}  bits and cycles")
    rows = []
    for name, design in designs():
        rows.append(measured(design))
        print(f"  {name:26}{shown(rows[-1])}", flush=True)
    return rows


def designs() -> Iterator[tuple[str, Design]]:
    """Yield every design by name."""
    for bits in BITS:
        yield f"jets, {bits} bits", fit(jets(bits, bits), Board.load("zcu104"), 200e6).design
    yield "digits 64-16-10, 4 bits", unrolled(network_of((64, 16, 10), 4, 4, 16))


def measured(design: Design) -> Row:
    """Price one design, and run it with random weights."""
    graph, random = design.graph, np.random.default_rng(0)
    images = random_images(graph, random, IMAGES)
    network = random_network(graph, random, images)
    with tempfile.TemporaryDirectory() as folder:
        ends, answers = run_engines(design, network, images, Path(folder) / "hls")
    processes = [i.structure for i in design.instances]
    engines = [i.structure for i in design.instances if i.layer]
    slowest = max(int(process_interval(structure)) for structure in engines)
    first = sum(int(structure.loop.stages) for structure in engines)
    paced = [first + number * slowest for number in range(IMAGES)]
    return Row(
        constants=sum(layer.knobs["arithmetic"] == "constant" for layer in estimate(design).layers),
        layers=len(graph.nodes),
        engines=slowest,
        accelerator=max(int(process_interval(structure)) for structure in processes),
        average=estimate(design),
        own=estimate(design, network=network),
        variable=estimate(with_arithmetic(design, Arithmetic.LUT)),
        same=bool(np.array_equal(answers, network.answer(images))) and ends == paced,
    )


def with_arithmetic(design: Design, arithmetic: Arithmetic) -> Design:
    """Return a design of dense layers with other multipliers."""
    engines = {
        name: replace(engine, arithmetic=arithmetic)
        for name, engine in design.engines.items()
        if isinstance(engine, StreamingDense)
    }
    return replace(design, engines=engines)


def shown(row: Row) -> str:
    """Return a row's numbers."""
    average = row.average.resources["lut"]
    spread = f"{average.low:,.0f}..{average.high:,.0f}"
    cycles = f"{f'{row.constants} of {row.layers}':>10}{row.engines:9}{row.accelerator:12}"
    luts = f"{average.value:9,.0f}{spread:>16}{row.own.resources['lut'].value:9,.0f}"
    variable = f"{row.variable.resources['lut'].value:10,.0f}"
    dsp = row.average.resources["dsp"].value
    return f"{cycles}{luts}{variable}{dsp:6.0f}  {'equal' if row.same else 'DIFFER'}"


if __name__ == "__main__":
    main()
