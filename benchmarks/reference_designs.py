"""Reference networks as accelerators: fitted, emitted, compiled, and compared bit by bit.

    python -m benchmarks.reference_designs [--board zcu104] [NAME ...]

8 bits, weights drawn from a seed, 200 MHz. A row says what the best design takes, whether the
emitted C++ gave the integers of the reference (layer by layer and as a whole), and whether the
timed simulation took the cycles, and filled the FIFOs, that the model of the pipeline says. A
network that does not fit is not emitted; its row says what is missing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.executor import quantised
from codesign.cost.estimate import estimate
from codesign.cost.pipeline import simulate
from codesign.design import Design
from codesign.emit.project import TIMED_IMAGES, project
from codesign.errors import InfeasibleError
from codesign.fit.dataflow import fit
from codesign.fit.settle import settle
from codesign.hardware.board import Board
from codesign.network.network import Network
from codesign.network.op import Integers
from codesign.validate.tools.gxx import Gxx
from codesign.validate.tools.timed import Timed

CLOCK_HZ = 200e6
NETWORKS = (
    "lenet5",
    "cnv",
    "resnet8",
    "ds_cnn",
    "mobilenet_v1_025",
    "autoencoder",
    "ecg",
    "unet",
    "tiny_yolo",
)


def main() -> None:
    """Print a row per network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference_designs")
    parser.add_argument("--board", default="zcu104")
    parser.add_argument("networks", nargs="*", metavar="NAME")
    wish = parser.parse_args()
    board = Board.load(wish.board)
    print(f"best designs on {board.name} at {CLOCK_HZ / 1e6:g} MHz, 8 bits", flush=True)
    resources = "".join(f"{name:>9}" for name in ("LUT", "FF", "DSP", "BRAM18", "URAM"))
    cycles = f"{'interval':>11}{'latency':>11}"
    print(f"  {'network':18}{cycles}{resources}{'fit s':>7}  bits    cycles    csim s timed s")
    for name in wish.networks or NETWORKS:
        network, images = quantised(name)
        print(f"  {name:18}{row(network, images, board)}", flush=True)


def row(network: Network, images: Integers, board: Board) -> str:
    """Return what there is to say about one network."""
    start = time.perf_counter()
    found = fit(network.graph, board, CLOCK_HZ)
    if not found.feasible:
        return f"{found.interval:11,}  {found.advice()}"
    try:
        design, timing = settle(found.design)
    except InfeasibleError as error:
        return f"{found.interval:11,}  {error}"
    seconds = time.perf_counter() - start
    resources = estimate(design, timing).resources
    taken = (f"{resources[name].value:9,.0f}" for name in ("lut", "ff", "dsp", "bram18", "uram"))
    cycles = f"{timing.interval:11,.0f}{timing.latency:11,}"
    return f"{cycles}{''.join(taken)}{seconds:7.1f}  {proof(design, network, images)}"


def proof(design: Design, network: Network, images: Integers) -> str:
    """Return whether the emitted C++ computes the reference's integers in the model's cycles."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in project(design, network, images, layer_images=1).items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        plain, timed = Gxx().measure(Path(folder)), Timed().measure(Path(folder))
    model = simulate(design, TIMED_IMAGES)
    bits = "equal" if plain.passed and timed.passed else "DIFFER"
    same = timed.ends == model.ends and timed.occupancy == model.occupancy
    cycles = "equal" if same else "DIFFER"
    if "DIFFER" in (bits, cycles):
        return f"{bits:8}{cycles:8}  {plain.message} / {timed.message}"
    return f"{bits:8}{cycles:8}{plain.seconds:7.0f}{timed.seconds:7.0f}"


if __name__ == "__main__":
    main()
