"""Emitted processes in RTL: every kind taken through Bambu and Verilator, word for word.

    python -m benchmarks.bambu [PER_KIND [DESIGNS]]

Among the processes of random designs (those of `benchmarks.exact`), small ones of each kind and
each way to multiply are taken: synthesised by Bambu, simulated by Verilator with the words that
the C simulation saw, and compared with what it wrote. Needs `bambu` and `verilator` on the path
(see docs/validation.md), and about half a minute of one core per process. The cycles are
Bambu's, which does not pipeline these loops. Left out is what cannot be taken alone: the processes
at the AXI4-Stream ports, and those that load their weights.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hls import write_project
from random_designs import any_operators

from codesign.design import RECEIVE, SEND, Instance
from codesign.emit.project import project
from codesign.hardware.structure import Arithmetic
from codesign.validate.tools.bambu import Bambu

PER_KIND, DESIGNS = 1, 200
SIZE = 256
"""Elements that pass; those processes are taken that come nearest."""


@dataclass(frozen=True, order=True, slots=True)
class Chosen:
    """A process of a random design."""

    distance: float
    """From the wanted size, as a factor's logarithm."""
    seed: int
    name: str


def main(per_kind: int = PER_KIND, designs: int = DESIGNS) -> bool:
    """Print a row per process; return whether all of them are equal in RTL."""
    tool = Bambu()
    print(f"every kind of process in RTL; {tool.version()}")
    print(f"  {'kind':26}{'design':>7}  {'process':24}{'cycles':>9}")
    every = []
    for kind, chosen in sorted(_nearest(per_kind, designs).items()):
        for one in chosen:
            said = _verdict(one)
            every.append(isinstance(said, int))
            print(f"  {kind:26}{one.seed:7}  {one.name:24}{said:>9}", flush=True)
    print(f"{sum(every)} of {len(every)} processes are equal in RTL")
    return all(every)


def _nearest(per_kind: int, designs: int) -> dict[str, list[Chosen]]:
    """Return the processes of each kind whose size comes nearest to `SIZE`, of random designs."""
    found = defaultdict(list)
    for seed in range(designs):
        for instance in any_operators(seed).design.instances:
            if instance.loads or instance.process.kind in (RECEIVE, SEND):
                continue
            distance = abs(math.log(_size(instance) / SIZE))
            found[_kind(instance)].append(Chosen(distance, seed, instance.name))
    return {kind: sorted(several)[:per_kind] for kind, several in found.items()}


def _kind(instance: Instance) -> str:
    structure = instance.process.structure()
    ways = {Arithmetic(int(group.arithmetic)).name.lower() for group in structure.multipliers}
    return " ".join([instance.process.kind, *sorted(ways)])


def _size(instance: Instance) -> int:
    structure = instance.process.structure()
    ports = (*structure.reads, *structure.writes)
    return sum(int(port.lanes) * int(port.words) for port in ports)


def _verdict(chosen: Chosen) -> int | str:
    """Return the cycles of a process in RTL, or what is wrong with it."""
    case = any_operators(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        files = project(case.design, case.network, case.images[:1], layer_images=1)
        path = write_project(files, Path(folder))
        measured = Bambu(only=frozenset({chosen.name})).measure(path)
        return measured.processes.get(chosen.name, measured.message)


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))
