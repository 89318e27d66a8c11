"""Damaged ONNX files, imported or refused: python -m benchmarks.onnx_damage [--seed 1].

Real files (of both exporters of torch, of `onnxruntime.quantization`, and our own exports) are cut
short, their bits flipped, their fields edited (`tests/damaged_models.py`). Every one is read by a
process of its own. Either it is imported, and if it is not too large it computes an image; or it is
refused with one line that names what is wrong. A fault is anything else: another error, a
warning, a printed line, a process that dies, more than 2 GB of memory, more than 20 seconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from damaged_models import DAMAGES, damaged, judged

NETWORKS = ("residual", "concat", "hard-swish", "squeeze-excite", "resize", "transposed", "mlp")
REFERENCES = ("resnet8", "ds_cnn", "lenet5", "ecg")
FILES = 2000
MOST_BYTES = 2 << 30
MOST_SECONDS = 20
FAULT = "fault"
COLUMNS = ("answered", "imported", "InputError", "UnsupportedOperator", FAULT)


@dataclass(frozen=True)
class Outcome:
    """How one file was taken: a column, and what was said where that is a fault."""

    column: str
    peak_bytes: int
    seconds: float
    said: str = ""


def read(path: Path, log: Path, answer: Connection) -> None:
    """Read a file in a process of its own; what it prints, as a traceback, goes to a log."""
    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(printed, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    start = time.perf_counter()
    column = judged(path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    answer.send(Outcome(column, peak, seconds))


def outcome(path: Path) -> Outcome:
    """Have a file read, for some time."""
    log = path.with_suffix(".log")
    context = multiprocessing.get_context("forkserver")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=read, args=(path, log, sender))
    process.start()
    sender.close()
    process.join(MOST_SECONDS)
    if process.is_alive():
        process.kill()
        process.join()
        return Outcome(FAULT, 0, MOST_SECONDS, "does not end")
    said = log.read_text(errors="replace").strip()
    if process.exitcode or not receiver.poll():
        return Outcome(FAULT, 0, 0, said or f"exit code {process.exitcode}")
    found: Outcome = receiver.recv()
    return Outcome(FAULT, found.peak_bytes, found.seconds, said) if said else found


def main(files: int = FILES, seed: int = 0) -> bool:
    """Print the table; return whether there is no fault."""
    from real_models import real_files

    multiprocessing.get_context("forkserver").set_forkserver_preload(["codesign.network.onnx"])
    outcomes: dict[str, list[Outcome]] = {}
    with tempfile.TemporaryDirectory() as folder:
        sources = real_files(Path(folder), NETWORKS, REFERENCES)
        for index in range(files):
            source = sources[index % len(sources)]
            kind, data = damaged(source.read_bytes(), np.random.default_rng([seed, index]))
            path = source.with_name("damaged.onnx")  # weights may lie beside it
            path.write_bytes(data)
            found = outcome(path)
            outcomes.setdefault(kind, []).append(found)
            if found.column == FAULT:
                print(f"seed {seed}, file {index}: {source.name}, {kind}: {found.said}")
    return table(outcomes, len(sources))


def table(outcomes: dict[str, list[Outcome]], sources: int) -> bool:
    """Print a row per kind of damage, and one for all; return whether there is no fault."""
    rows = {kind: outcomes[kind] for kind in DAMAGES if kind in outcomes}
    rows["all"] = [found for row in rows.values() for found in row]
    print(f"{'damage':22}{'files':>7}" + "".join(f"{column:>21}" for column in COLUMNS), end="")
    print(f"{'peak memory':>13}{'slowest':>10}")
    for kind, row in rows.items():
        count = Counter(found.column for found in row)
        print(f"{kind.replace('_', ' '):22}{len(row):7}", end="")
        print("".join(f"{count[column]:21}" for column in COLUMNS), end="")
        peak = max(found.peak_bytes for found in row)
        print(f"{peak / 1e6:10.0f} MB{max(found.seconds for found in row):8.2f} s")
    faults = [found for found in rows["all"] if found.column == FAULT]
    print(f"{sources} real files; every error names what is wrong; {len(faults)} faults")
    return not faults


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(0 if main(arguments.files, arguments.seed) else 1)
