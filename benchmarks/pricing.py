"""How many engines are priced per second: cycles and all five resources of a convolution.

    python benchmarks/pricing.py

All engines of one layer of 720 channels, in a call for each number of positions per cycle. CPU time
of one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from codesign.fit.options import price
from codesign.hardware.structure import Structure
from codesign.hardware.templates.conv2d import StreamingConv2d
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

CHANNELS = 720
POINTS = 1_000_000
BAR = 1e6  # points per second


def main() -> None:
    """Print points per second, for both kinds of requantisation and for single integers."""
    print(f"engines of one convolution priced per second of CPU time; bar {BAR:,.0f}")
    for multiplier_bits, label in ((1, "power-of-two scales"), (16, "16-bit multipliers")):
        points, call = space(multiplier_bits)
        print(f"  {label:22}{rate(points, call):12,.0f}   ({points:,} points a call)")
    print(f"  {'one point a call':22}{rate(1, single(), calls=200):12,.0f}")


def layer(multiplier_bits: int) -> tuple[Node, Tensor]:
    """Return a 3 x 3 convolution of 4-bit maps, 14 x 14 pixels."""
    maps = Tensor((CHANNELS, 14, 14), 4, signed=False)
    op = Conv2d(CHANNELS, CHANNELS, Window((3, 3), (1, 1), (1, 1, 1, 1)), 4)
    graph = Graph("layer", maps, (Node("conv", op, (INPUT,), maps, multiplier_bits),))
    return graph["conv"], maps


def space(multiplier_bits: int) -> tuple[int, Callable[[], object]]:
    """Return the points of the layer's whole space, and what prices them, kind by kind."""
    node, maps = layer(multiplier_bits)
    every = list(StreamingConv2d.every(node, (maps,)))
    points = sum(own for own, _ in every)
    return points, lambda: [price(structures(engine), own) for own, engine in every]


def single() -> Callable[[], object]:
    """Return a call that prices one engine given as integers."""
    node, maps = layer(1)
    template = StreamingConv2d
    knobs: dict[str, Any] = template.space(node, (maps,)).at(0)
    return lambda: price(structures(template.of(node, (maps,), knobs)), 1)


def structures(engine: StreamingConv2d) -> list[Structure]:
    """Return what the processes of an engine are made of."""
    return [process.structure() for process in engine.processes()]


def rate(points: int, call: Callable[[], object], calls: int = 0) -> float:
    """Return the best of three runs, of `POINTS` points or of `calls` calls."""
    calls = calls or -(-POINTS // points)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        for _ in range(calls):
            call()
        seconds.append(time.process_time() - start)
    return calls * points / float(np.min(seconds))


if __name__ == "__main__":
    main()
