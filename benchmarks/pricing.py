"""How fast engines are priced: cycles and all five resources of a convolution.

    python benchmarks/pricing.py

All engines of one layer, in a call for each number of kernel positions per cycle. CPU time of one
core, the median of many calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import prod
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
USUAL_CHANNELS = 64
CALLS = 60
BAR = 10e6  # points per second, in the sweep over the layer of many channels


def main() -> None:
    """Print points per second of a sweep, and what the space of a usual layer takes."""
    print(f"engines of one convolution priced per second of CPU time; bar {BAR:,.0f}")
    for multiplier_bits, label in ((1, "power-of-two scales"), (16, "16-bit multipliers")):
        points, call = space(multiplier_bits)
        print(f"  {label:22}{rate(points, call):12,.0f}   ({points:,} points)")
    print(f"a layer's whole space, {USUAL_CHANNELS} channels [ms of CPU time]")
    for side in (1, 3):
        points, call = space(1, USUAL_CHANNELS, side)
        label = f"{side} x {side}"
        print(f"  {label:22}{1e3 * seconds(call):12.2f}   ({points:,} points)")
    print(f"  {'one engine':22}{1e3 * seconds(single()):12.2f}")


def layer(multiplier_bits: int, channels: int = CHANNELS, side: int = 3) -> tuple[Node, Tensor]:
    """Return a convolution of 4-bit maps, 14 x 14 pixels."""
    maps = Tensor((channels, 14, 14), 4, signed=False)
    window = Window((side, side), (1, 1), (side // 2,) * 4)
    op = Conv2d(channels, channels, window, 4)
    graph = Graph("layer", maps, (Node("conv", op, (INPUT,), maps, multiplier_bits),))
    return graph["conv"], maps


def space(
    multiplier_bits: int, channels: int = CHANNELS, side: int = 3
) -> tuple[int, Callable[[], object]]:
    """Return the points of the layer's whole space, and what prices them, kind by kind."""
    node, maps = layer(multiplier_bits, channels, side)
    every = list(StreamingConv2d.every(node, (maps,)))
    points = sum(prod(shape) for _, shape, _ in every)
    return points, lambda: [price(structures(engine), shape) for _, shape, engine in every]


def single() -> Callable[[], object]:
    """Return a call that prices one engine given as integers."""
    node, maps = layer(1)
    template = StreamingConv2d
    knobs: dict[str, Any] = template.space(node, (maps,)).at(0)
    return lambda: price(structures(template.of(node, (maps,), knobs)), (1,))


def structures(engine: StreamingConv2d) -> list[Structure]:
    """Return what the processes of an engine are made of."""
    return [process.structure() for process in engine.processes()]


def rate(points: int, call: Callable[[], object]) -> float:
    """Return points per second of CPU time."""
    return points / seconds(call)


def seconds(call: Callable[[], object]) -> float:
    """Return the CPU time of a call: the median of `CALLS`, the first ones left out."""
    taken = []
    for _ in range(CALLS + 3):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return float(np.median(taken[3:]))


if __name__ == "__main__":
    main()
