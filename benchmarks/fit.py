"""What one `fit` costs: CPU seconds for the best dataflow design, proven optimal.

    python -m benchmarks.fit

The times are those of one core, options and all: from the graph to a design of which it is proven
that no other is faster. The large networks have bars. They take the widest weights of 8, 4 or 2
bits with which the board holds them, and maps of as many bits. Below, every objective on small
networks: `digits` is of the size that the default run chooses, `resnet8` has the shapes of MLPerf
Tiny's image classification network (9 convolutions, 3 residual blocks, 12.5 million MACs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from codesign.fit.dataflow import Fit, fit
from codesign.fit.diagnosis import diagnose
from codesign.hardware.board import Board
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.model import reference
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

CLOCK_HZ = 200e6
BOARDS = ("zcu104", "pynq_z2")
WIDTHS = (8, 4, 2)
OBJECTIVES = ("interval", "latency", "energy")
RICH = (24, 36, 48, 60, 72, 84, 96, 108, 120, 126, 132, 140, 144, 156, 160, 168, 180, 192, 210, 216)
"""Channels of layers that are all different and have many divisors."""


@dataclass(frozen=True, slots=True)
class Large:
    """A network with a bar for its fit's CPU time [s]."""

    name: str
    board: str
    bar: float
    graph: Callable[[int], Graph]
    """From the bits of weights and maps."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What a large network took."""

    large: Large
    bits: int
    seconds: float
    answer: Fit

    @property
    def met(self) -> bool:
        """Whether the answer is proven, and within the bar."""
        return self.answer.feasible and self.answer.gap == 0 and self.seconds < self.large.bar


def main() -> None:
    """Print a row per network, board and wish."""
    print("fit of large networks, CPU time of one core")
    print(
        f"  {'network':14}{'board':9}{'bits':>5}{'bar s':>7}{'s':>7}{'cycles':>10}  gap; what binds"
    )
    for own in large_fits():
        row = f"  {own.large.name:14}{own.large.board:9}{own.bits:5}{own.large.bar:7}"
        print(f"{row}{own.seconds:7.2f}{own.answer.interval:10,}  {_proof(own.answer)}")
    print("\nfit of small networks, every objective")
    print(f"  {'network':10}{'board':10}{'wish':28}{'s':>8}{'cycles':>10}{'programmes':>12}  gap")
    for graph in (digits(), resnet8()):
        for board in map(Board.load, BOARDS):
            for wish, seconds, answer in answers(graph, board):
                row = f"  {graph.name:10}{board.name:10}{wish:28}{seconds:8.3f}"
                print(f"{row}{answer.interval:10,}{answer.programmes:12}  {answer.gap:.1%}")
    print("\nwhy something does not fit, and what would help")
    for name, board in (("resnet8", "pynq_z2"), ("mobilenet_v2", "pynq_z2")):
        start = time.process_time()
        found = diagnose(reference(name).graph(), Board.load(board), CLOCK_HZ, 5000)
        print(f"  {name} on {board}, {time.process_time() - start:.1f} s: {found.reason()}.")
        for way in found.ways_out():
            print(f"    {way}")


def large_fits() -> Iterator[Timed]:
    """Yield every large network with its time."""
    for large in LARGE:
        board = Board.load(large.board)
        for bits in WIDTHS:
            graph = large.graph(bits)
            seconds, answer = timed(lambda graph=graph, board=board: fit(graph, board, CLOCK_HZ))
            if answer.feasible:
                break
        yield Timed(large, bits, seconds, answer)


def rows() -> Iterator[tuple[str, str, str, bool]]:
    """Yield for every large network: what, its bar, what was measured, and whether it is met."""
    for own in large_fits():
        what = f"fit of {own.large.name}, {own.large.board}, {own.bits} bits"
        found = f"{own.seconds:.2f} s, gap {own.answer.gap:.1%}"
        yield what, f"< {own.large.bar:g} s", found, own.met


def _proof(answer: Fit) -> str:
    return f"{answer.gap:.1%}; {answer.advice()}"


def answers(graph: Graph, board: Board) -> Iterator[tuple[str, float, Fit]]:
    """Yield wishes with the best time of three, and the answer."""
    shortest = fit(graph, board, CLOCK_HZ).interval
    half = {"dsp": board.budget["dsp"] // 2, "lut": board.budget["lut"] // 2}
    for objective in OBJECTIVES:
        yield objective, *timed(lambda name=objective: fit(graph, board, CLOCK_HZ, name))
    yield (
        "least at 5 x the interval",
        *timed(lambda: fit(graph, board, CLOCK_HZ, "resources", 5 * shortest)),
    )
    yield "interval in half the board", *timed(lambda: fit(graph, board, CLOCK_HZ, budget=half))


def timed(call: Callable[[], Fit]) -> tuple[float, Fit]:
    """Return the best CPU time of three calls [s], and the answer; one if that takes long."""
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < 10:
        start = time.process_time()
        answer = call()
        seconds.append(time.process_time() - start)
    return min(seconds), answer


class Builder:
    """A network that grows at its end, with power-of-two scales."""

    def __init__(self, source: Tensor, bits: int = 4) -> None:
        self.source, self.bits = source, bits
        self.nodes: list[Node] = []
        self.name, self.tensor = INPUT, source

    def append(self, name: str, op: Op, inputs: tuple[str, ...] = ()) -> None:
        """Append an operator that reads the end, or `inputs` of the same shape."""
        inputs = inputs or (self.name,)
        shape = op.output_shape([self._type(name).shape for name in inputs])
        self.tensor = Tensor(shape, self.bits, signed=False)
        self.nodes.append(Node(name, op, inputs, self.tensor))
        self.name = name

    def convolve(self, name: str, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        """Append a convolution that keeps the map's size, or divides it by the stride."""
        before, after = (kernel - stride + 1) // 2, (kernel - 1) // 2
        window = Window((kernel, kernel), (stride, stride), (before, before, after, after))
        self.append(name, Conv2d(self.tensor.channels, outputs, window, self.bits))

    def classify(self, outputs: int) -> None:
        """Append the dense layer at the end."""
        op = Dense(self.tensor.elements, outputs, 8)
        self.nodes.append(Node("dense", op, (self.name,), Tensor((outputs,), 32, signed=True), 0))

    def _type(self, name: str) -> Tensor:
        return next((node.output for node in self.nodes if node.name == name), self.source)


def digits() -> Graph:
    """Return 7 layers for 8 x 8 images."""
    net = Builder(Tensor((1, 8, 8), 8, signed=False))
    net.convolve("conv0", 16)
    net.convolve("conv1", 24)
    net.append("pool0", Pool2d("max", Window((2, 2), (2, 2))))
    net.convolve("conv2", 32)
    net.convolve("conv3", 32)
    net.append("pool1", Pool2d("average", Window((4, 4), (4, 4))))
    net.classify(10)
    return Graph("digits", net.source, tuple(net.nodes))


def resnet(name: str, blocks: int, bits: int) -> Graph:
    """Return a residual network for 32 x 32 images: 16, 32 and 64 channels.

    Source: He et al., CVPR 2016, section 4.2, with 1 x 1 convolutions where shapes change.
    """
    net = Builder(Tensor((3, 32, 32), 8, signed=False), bits)
    net.convolve("conv", 16)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        for number in range(blocks):
            block = f"block{channels}_{number}"
            first = stride if number == 0 else 1
            start, tensor = net.name, net.tensor
            net.convolve(f"{block}_a", channels, stride=first)
            net.convolve(f"{block}_b", channels)
            branch = net.name
            if first > 1:
                net.name, net.tensor = start, tensor
                net.convolve(f"{block}_s", channels, kernel=1, stride=first)
                start = net.name
            net.append(block, Add(4), (start, branch))
    net.append("pool", Pool2d("average", Window((8, 8), (8, 8))))
    net.classify(10)
    return Graph(name, net.source, tuple(net.nodes))


def resnet8() -> Graph:
    """Return ResNet-8 in 4 bits."""
    return resnet("resnet8", 1, 4)


def rich(bits: int) -> Graph:
    """Return 20 convolutions of different shapes whose channels have many divisors."""
    net = Builder(Tensor((12, 48, 48), 8, signed=False), bits)
    for number, channels in enumerate(RICH):
        net.convolve(f"conv{number}", channels, 3 if number % 2 else 1, 2 if number % 6 == 5 else 1)
    return Graph("rich", net.source, tuple(net.nodes))


def known(name: str, bits: int) -> Graph:
    """Return a reference network with weights and maps of so many bits."""
    return replace(reference(name), weight_bits=bits, activation_bits=bits).graph()


LARGE = (
    Large("ResNet-20", "zcu104", 0.6, lambda bits: resnet("resnet20", 3, bits)),
    Large("MobileNetV2", "zcu104", 1.5, lambda bits: known("mobilenet_v2", bits)),
    Large("ResNet-50", "u250", 4.0, lambda bits: known("resnet50", bits)),
    Large("20 different", "zcu104", 2.5, rich),
)


if __name__ == "__main__":
    main()
