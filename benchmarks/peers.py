"""Frames per second beside fpgaConvNet's predictions, on the same board within the same ceilings.

    python -m benchmarks.peers

zcu104, 200 MHz. fpgaConvNet (optimiser d11a643, 16 bits) predicts its figures with a model, as
ours are; neither was synthesised for this table. Ours charge the DMA shell, width converters,
FIFOs that are deep enough for the rate, and requantisation; the rate is that of the simulated
pipeline. LUTs are by the rules of `docs/cost-model.md`: C-synthesis, times what implementation
leaves of it in public pairs of reports (0.51 in the median); memories as they are built.

Images, maps and weights have 16 bits. Where no such design fits, the row says so, and a second one
compares weights of 8 bits beside maps of 16: less than the peer's work, so it meets no bar. The
peer's figure for CNV leaves out the time that its two partitions need to replace each other; ours
is one design with all weights on chip.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from codesign.cost.estimate import Estimate, estimate
from codesign.fit.dataflow import Fit, fit
from codesign.fit.settle import settle
from codesign.hardware.board import RESOURCES, Board, Ceilings
from codesign.network.graph import INPUT, Graph
from codesign.network.layers import LINEAR, RELU, Layers, Style, same, square
from codesign.network.model import reference
from codesign.network.tensor import Tensor

CLOCK_HZ = 200e6
BITS = 16
FALLBACK_BITS = 8
"""Of the weights, where 16 bits of them do not fit on the chip."""
CPU_SHARE = 1 / 20
"""Of the peer's CPU time, for `fit` alone."""
RUNS = 3

Declare = Callable[[Layers], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """A prediction of fpgaConvNet: what for, in which ceiling, and what is asked of ours."""

    network: str
    declare: Declare
    ceiling: float
    fps: float
    cpu_s: float
    times: float
    """How many times its frames per second are to be reached."""


def resnet20(layers: Layers) -> None:
    """Three stages of three residual blocks; skips by 1 x 1 convolutions.

    Source: He et al., Deep Residual Learning for Image Recognition, CVPR 2016, section 4.2.
    """
    rectified, linear = Style(RELU, biased=True), Style(LINEAR, biased=True)
    maps = layers.conv(INPUT, 16, square(3), rectified)
    for stage, width in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            window = same(layers.shape(maps), (3, 3), stride)
            branch = layers.conv(maps, width, window, rectified)
            branch = layers.conv(branch, width, square(3), linear)
            if stride > 1:
                maps = layers.conv(maps, width, square(1, stride), linear)
            maps = layers.add(maps, branch, RELU)
    layers.dense(layers.average(maps), 10)


PEERS = (
    Peer("cnv", reference("cnv").declare, 0.9, 3368, 52, 1.4),
    Peer("resnet8", reference("resnet8").declare, 0.9, 19030, 13, 1.25),
    Peer("resnet20", resnet20, 1.0, 5928, 83, 1.3),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One of our designs beside a peer's prediction."""

    peer: Peer
    bits: int
    """Of our weights."""
    seconds: float
    """That `fit` took, CPU time of one core."""
    answer: Fit
    found: Estimate | None
    """The settled design; None where nothing fits."""

    @property
    def ratio(self) -> float:
        """Our frames per second over the peer's."""
        return self.found.fps / self.peer.fps if self.found else 0.0

    @property
    def limit(self) -> float:
        """What `fit` may take [s]."""
        return CPU_SHARE * self.peer.cpu_s

    @property
    def met(self) -> bool:
        """Whether it is as fast as asked, at the peer's width, and found as soon."""
        fast = self.ratio >= self.peer.times and self.seconds <= self.limit
        return fast and self.bits == BITS


def main() -> bool:
    """Print a row per network and width; return whether every bar holds at the peer's width."""
    print(f"fpgaConvNet's predictions and ours, zcu104, {CLOCK_HZ / 1e6:g} MHz; fit on one core")
    columns = f"{'peer fps':>10}{'fps':>10}{'ratio':>8}{'bar':>7}{'fit s':>8}{'bar':>7}"
    print(f"  {'network':10}{'weights x maps':16}{'ceiling':>8}{columns}  binding")
    held = [shown(peer) for peer in PEERS]
    return all(held)


def rows() -> Iterator[tuple[str, str, str, bool]]:
    """Yield for every peer: what, its bar, what was measured, and whether it is met."""
    for own in (compared(peer, BITS) for peer in PEERS):
        what = f"{own.peer.network} beside fpgaConvNet, {BITS} bits"
        bar = f"{own.peer.times:g} x in {own.limit:g} s"
        found = f"{own.ratio:.2f} x in {own.seconds:.2f} s" if own.found else "does not fit"
        yield what, bar, found, own.met


def shown(peer: Peer) -> bool:
    """Print what can be compared with one prediction; return whether it meets its bars."""
    own = compared(peer, BITS)
    if own.found is None:
        nothing = f"{'-':>10}{'-':>8}{peer.times:7.2f}{'-':>8}{'-':>7}"
        print(f"{label(peer, BITS)}{nothing}  {own.answer.advice()}")
        beside(compared(peer, FALLBACK_BITS))
    else:
        beside(own)
    return own.met


def compared(peer: Peer, bits: int) -> Compared:
    """Return our best design for a peer's network with weights of these bits."""
    share = dict.fromkeys(RESOURCES, peer.ceiling)
    board = replace(Board.load("zcu104"), ceilings=Ceilings(**share))
    seconds, answer = timed(graph(peer, bits), board)
    found = estimate(*settle(answer.design)) if answer.feasible else None
    return Compared(peer, bits, seconds, answer, found)


def beside(own: Compared) -> None:
    """Print our design beside the peer's, if one fits."""
    if own.found is None:
        return
    speed = f"{own.found.fps:10,.0f}{own.ratio:8.2f}{own.peer.times:7.2f}"
    times = f"{own.seconds:8.2f}{own.limit:7.2f}"
    print(f"{label(own.peer, own.bits)}{speed}{times}  {', '.join(binding(own.found))}", flush=True)


def label(peer: Peer, bits: int) -> str:
    """Return the beginning of a row."""
    return f"  {peer.network:10}{f'{bits} x {BITS}':16}{peer.ceiling:>8.0%}{peer.fps:10,.0f}"


def graph(peer: Peer, weight_bits: int) -> Graph:
    """Return the peer's network with weights of these bits; images and maps have `BITS`."""
    layers = Layers(Tensor((3, 32, 32), BITS, signed=True), weight_bits, BITS)
    peer.declare(layers)
    return layers.graph(peer.network)


def timed(network: Graph, board: Board) -> tuple[float, Fit]:
    """Return the best CPU time of a few calls [s], and the answer."""
    seconds = []
    for _ in range(RUNS):
        start = time.process_time()
        answer = fit(network, board, CLOCK_HZ)
        seconds.append(time.process_time() - start)
    return min(seconds), answer


def binding(found: Estimate) -> Iterator[str]:
    """Yield the resources that are filled to 95 % of what is allowed, or else the fullest one."""
    shares = {
        name: found.resources[name].value / found.budget[name]
        for name in RESOURCES
        if found.budget[name]
    }
    least = min(0.95, max(shares.values()))
    for name, share in shares.items():
        if share >= least:
            yield f"{name.upper()} {share:.0%}"


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
