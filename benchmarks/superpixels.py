"""Words of several pixels: a network for 8 x 8 digits, unrolled: python -m benchmarks.superpixels.

Two 3 x 3 convolutions, 2 x 2 pooling and a dense layer, by hand on a zcu104 at 200 MHz, every layer
with all of its channels and kernel at once. A row says how many pixels of a row come in with a
word; the cycles between images of the slowest engine by the model, and of the emitted C++, run with
clocks without the accelerator's ports; the multipliers; LUT and FF of the whole design after
implementation, estimates that no synthesis has confirmed; whether the answers are the reference's.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.cost.estimate import estimate
from codesign.cost.latency import process_interval
from codesign.design import Design
from codesign.hardware.structure import Arithmetic
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from contract import whole_design
from engine_chain import run_engines
from hls import random_images, random_network

IMAGES = 12
PIXELS = (1, 2, 4, 8)
CHANNELS = 4


@dataclass(frozen=True)
class Row:
    """The network with words of so many pixels."""

    pixels: int
    modelled: int
    timed: int
    exact: bool
    multipliers: int
    lut: float
    ff: float


def main() -> list[Row]:
    """Print the table, and return its rows."""
    print(f"  {'pixels':8}{'model':>7}{'timed':>7}{'multipliers':>13}{'LUT':>9}{'FF':>9}  bits")
    rows = []
    for pixels in PIXELS:
        own = measured(design(pixels), pixels)
        cycles = f"{own.modelled:7}{own.timed:7}{own.multipliers:13}"
        bits = "equal" if own.exact else "DIFFER"
        print(f"  {pixels:<8}{cycles}{own.lut:9,.0f}{own.ff:9,.0f}  {bits}", flush=True)
        rows.append(own)
    return rows


def digits() -> Graph:
    """Return the network: 4-bit maps, 4-bit weights."""
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    ops: tuple[Op, ...] = (
        Conv2d(1, CHANNELS, same, 4),
        Conv2d(CHANNELS, CHANNELS, same, 4),
        Pool2d("max", Window((2, 2), (2, 2))),
        Dense(16 * CHANNELS, 10, 4),
    )
    image = Tensor((1, 8, 8), 4, signed=False)
    nodes: list[Node] = []
    for number, op in enumerate(ops):
        name, shape = (nodes[-1].name, nodes[-1].output.shape) if nodes else (INPUT, image.shape)
        output = Tensor(op.output_shape([shape]), 4, signed=False)
        nodes.append(Node(f"layer{number}", op, (name,), output, 1))
    return Graph("digits", image, tuple(nodes))


def design(pixels: int) -> Design:
    """Return the network on engines that take words of so many pixels."""
    first, second, pool, dense = (node.name for node in digits())
    whole = {"pe": CHANNELS, "positions": 9, "pixels": pixels, "arithmetic": Arithmetic.LUT}
    knobs = {
        first: {**whole, "simd": 1},
        second: {**whole, "simd": CHANNELS},
        pool: {"pe": CHANNELS, "positions": 4, "pixels": pixels},
        dense: {"pe": 10, "simd": CHANNELS * max(1, pixels // 2), "arithmetic": Arithmetic.LUT},
    }
    return whole_design(digits(), knobs)


def measured(own: Design, pixels: int) -> Row:
    """Price one design, and run its engines on random images."""
    random = np.random.default_rng(0)
    images = random_images(own.graph, random, IMAGES)
    network = random_network(own.graph, random, images)
    with tempfile.TemporaryDirectory() as folder:
        ends, answers = run_engines(own, network, images, Path(folder) / "hls")
    structures = [i.process.structure() for i in own.instances if i.layer]
    groups = [group for structure in structures for group in structure.multipliers]
    priced = estimate(own)
    return Row(
        pixels=pixels,
        modelled=max(int(process_interval(structure)) for structure in structures),
        timed=ends[-1] - ends[-2],
        exact=bool(np.array_equal(answers, network.answer(images))),
        multipliers=sum(int(group.count) for group in groups),
        lut=priced.resources["lut"].value,
        ff=priced.resources["ff"].value,
    )


if __name__ == "__main__":
    main()
