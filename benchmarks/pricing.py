"""How many engines are priced per second: cycles and all five resources of a convolution.

    python benchmarks/pricing.py

One layer of 720 channels has 10,800 engines, all priced in one call. CPU time of one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from codesign.fit.options import price
from codesign.hardware.structure import Count
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
    """Return the points of the layer's whole space, and a call that prices them."""
    node, maps = layer(multiplier_bits)
    template = StreamingConv2d
    every = template.space(node, (maps,))
    knobs: dict[str, Count] = dict(every.grid())
    return every.size, lambda: price(template.of(node, (maps,), knobs).processes(), every.size)


def single() -> Callable[[], object]:
    """Return a call that prices one engine given as integers."""
    node, maps = layer(1)
    template = StreamingConv2d
    knobs: dict[str, Count] = {
        k: int(v[0]) for k, v in template.space(node, (maps,)).grid().items()
    }
    return lambda: price(template.of(node, (maps,), knobs).processes(), 1)


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
