"""Random networks written as ONNX and read again: python -m benchmarks.onnx_round_trips.

Random graphs over all operators, shapes and widths (`tests/random_networks.py`), quantised with
both kinds of scales, written in both forms. Read again they have to be the identical network:
the same digest over its graph, integers and scales.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from codesign.network import serialize
from codesign.network.network import Network
from codesign.network.onnx import load, save
from codesign.network.onnx.restore import WRITERS
from codesign.network.quantize import post_training
from codesign.network.scales import Kind

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from random_networks import random_images, random_network

SEEDS = 500
KINDS: tuple[Kind, ...] = ("power_of_two", "multiplier")


def main(seeds: int = SEEDS) -> tuple[int, int]:
    """Print and return how many round trips were made, and how many changed a network."""
    trips, changed, operators = 0, 0, set[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        for seed in range(seeds):
            floats = random_network(seed)
            operators.update(type(node.op).__name__ for node in floats.graph)
            for kind in KINDS:
                network = post_training(floats, random_images(floats, seed), kind)
                for form in WRITERS:
                    save(network, path, form)
                    loaded = load(path)
                    assert isinstance(loaded, Network)
                    trips += 1
                    changed += serialize.digest(loaded) != serialize.digest(network)
    print(
        f"{seeds} random networks of {len(operators)} operators, {trips} round trips, "
        f"{changed} changed"
    )
    return trips, changed


if __name__ == "__main__":
    main()
