"""Random networks on random legal engines, bit for bit: python -m benchmarks.exact.

Networks grow out of every operator and are quantised with either kind of scale; every knob of
every engine is drawn from its legal values. The emitted C++ runs as plain C simulation: each
layer alone, then the whole accelerator, against the integer reference.

    python -m benchmarks.exact [DESIGNS [FIRST]]     1,000 designs take about an hour on one core

A part at a time: designs 0 to 299, then `python -m benchmarks.exact 300 300`, and so on.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from random_designs import any_operators

DESIGNS = 1000


def main(designs: int = DESIGNS, first: int = 0) -> tuple[int, int]:
    """Print and return how many designs ran, and how many differ from the reference."""
    wrong, layers = 0, Counter[str]()
    for seed in range(first, first + designs):
        case = any_operators(seed)
        layers.update(type(node.op).__name__ for node in case.network.graph)
        with tempfile.TemporaryDirectory() as folder:
            difference = case.difference(Path(folder))
        if difference:
            wrong += 1
            print(f"  design {seed} differs: {difference}", flush=True)
    print(f"{designs} random designs from {first} on, {wrong} of them not bit-exact")
    print("  " + ", ".join(f"{count} {name}" for name, count in layers.most_common()))
    return designs, wrong


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
