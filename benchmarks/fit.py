"""What one `fit` costs: CPU seconds for the best dataflow design, proven optimal.

    python benchmarks/fit.py

`digits` is of the size that the default run chooses, `resnet8` has the shapes of MLPerf Tiny's
image classification network (9 convolutions, 3 residual blocks, 12.5 million MACs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from codesign.fit.dataflow import Fit, fit
from codesign.hardware.board import Board
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

CLOCK_HZ = 200e6
BAR = 0.3  # seconds, for the size of the default run
BOARDS = ("zcu104", "pynq_z2")


def main() -> None:
    """Print a row per network, board and wish."""
    print(f"fit, CPU time of one core; bar for digits {BAR} s")
    print(f"  {'network':10}{'board':10}{'wish':28}{'s':>8}{'cycles':>10}{'programmes':>12}")
    for graph in (digits(), resnet8()):
        for board in map(Board.load, BOARDS):
            for wish, seconds, answer in answers(graph, board):
                row = f"  {graph.name:10}{board.name:10}{wish:28}{seconds:8.3f}"
                print(f"{row}{answer.interval:10,}{answer.programmes:12}")


def answers(graph: Graph, board: Board) -> Iterator[tuple[str, float, Fit]]:
    """Yield wishes with the best time of three, and the answer."""
    shortest = fit(graph, board, CLOCK_HZ).interval
    half = {"dsp": board.budget["dsp"] // 2, "lut": board.budget["lut"] // 2}
    yield "shortest interval", *timed(lambda: fit(graph, board, CLOCK_HZ))
    yield (
        "least at 5 x that",
        *timed(lambda: fit(graph, board, CLOCK_HZ, "resources", 5 * shortest)),
    )
    yield "shortest in half the board", *timed(lambda: fit(graph, board, CLOCK_HZ, budget=half))


def timed(call: Callable[[], Fit]) -> tuple[float, Fit]:
    """Return the best CPU time of three calls [s], and the answer."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        answer = call()
        seconds.append(time.process_time() - start)
    return min(seconds), answer


class Builder:
    """A network that grows at its end, with 4-bit weights and maps and power-of-two scales."""

    def __init__(self, source: Tensor) -> None:
        self.source = source
        self.nodes: list[Node] = []
        self.name, self.tensor = INPUT, source

    def append(self, name: str, op: Op, inputs: tuple[str, ...] = ()) -> None:
        """Append an operator that reads the end, or `inputs` of the same shape."""
        inputs = inputs or (self.name,)
        shape = op.output_shape([self._type(name).shape for name in inputs])
        self.tensor = Tensor(shape, 4, signed=False)
        self.nodes.append(Node(name, op, inputs, self.tensor))
        self.name = name

    def convolve(self, name: str, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        """Append a convolution that keeps the map's size, or divides it by the stride."""
        before, after = (kernel - stride + 1) // 2, (kernel - 1) // 2
        window = Window((kernel, kernel), (stride, stride), (before, before, after, after))
        self.append(name, Conv2d(self.tensor.channels, outputs, window, 4))

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


def resnet8() -> Graph:
    """Return ResNet-8 for 32 x 32 images: 16, 32 and 64 channels."""
    net = Builder(Tensor((3, 32, 32), 8, signed=False))
    net.convolve("conv", 16)
    for number, (channels, stride) in enumerate(((16, 1), (32, 2), (64, 2))):
        start, tensor = net.name, net.tensor
        net.convolve(f"block{number}_a", channels, stride=stride)
        net.convolve(f"block{number}_b", channels)
        branch = net.name
        if stride > 1:
            net.name, net.tensor = start, tensor
            net.convolve(f"block{number}_s", channels, kernel=1, stride=stride)
            start = net.name
        net.append(f"block{number}", Add(4), (start, branch))
    net.append("pool", Pool2d("average", Window((8, 8), (8, 8))))
    net.classify(10)
    return Graph("resnet8", net.source, tuple(net.nodes))


if __name__ == "__main__":
    main()
