"""What a run takes and finds: python -m benchmarks.run [FLOW] [KEY=VALUE | QUANTITY>=BOUND]...

Runs `codesign run board=zcu104` from a fresh folder, as a process of its own, and measures wall
time; then fits the chosen network once more. Arguments change the run, as on the command line; a
flow that is named, like `fashion_mnist`, is run on its own board.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from codesign.flow.prepare import target_for
from codesign.flow.settings import resolve
from codesign.load import read_yaml
from codesign.network import serialize
from codesign.search import pareto
from codesign.search.store import Store
from codesign.search.trial import Objective

DEFAULT = "board=zcu104"


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds: float  # wall time, start of the process included
    stages: dict[str, float]  # wall time [s]
    trained: int
    trials: int
    front: int
    accuracies: dict[str, float]
    compared: int  # images on which C simulation and reference agree
    test_images: int
    fit_seconds: float  # CPU time of one fit of the chosen network, best of three


def measure(changes: tuple[str, ...] = ()) -> Measured:
    """Run once in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "codesign.cli", *command(changes), "--out", folder]
        start = time.monotonic()
        call += ["--name", "run"]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (our own command)
        return _read(Path(folder) / "run", time.monotonic() - start)


def command(changes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is run: of the default flow unless another one is named."""
    named = changes and not set(changes[0]) & set("<>=")
    return ("run", *changes) if named else ("run", DEFAULT, *changes)


def _read(run: Path, seconds: float) -> Measured:
    manifest = json.loads((run / "manifest.json").read_text())
    with Store.read(run / "trials.sqlite") as store:
        trials = store.final()
        objectives = [Objective.parse(text) for text in store.definition["objectives"]]
    return Measured(
        seconds=seconds,
        stages=manifest["seconds"],
        trained=sum("accuracy" in trial.values for trial in trials),
        trials=len(trials),
        front=len(pareto.front(trials, objectives)),
        accuracies=manifest["accuracy"],
        compared=manifest["validation"]["images"] if manifest["validation"]["passed"] else 0,
        test_images=manifest["dataset"]["splits"]["test"]["images"],
        fit_seconds=_fit_seconds(run),
    )


def _fit_seconds(run: Path) -> float:
    settings = resolve(read_yaml(run / "flow.yaml"), (), "flow.yaml")
    target = target_for(settings.board, settings.hardware, settings.wish)
    graph = serialize.load(run / "best/network.json").graph
    seconds = []
    for _ in range(3):
        start = time.process_time()
        target.fit(graph)
        seconds.append(time.process_time() - start)
    return min(seconds)


def main(changes: tuple[str, ...] = ()) -> Measured:
    """Print what one run took and found, and return it."""
    found = measure(changes)
    print(f"codesign {' '.join(command(changes))}")
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found.stages.items())
    shares = ", ".join(f"{name} {share:.2%}" for name, share in found.accuracies.items())
    print(
        f"  seconds            {found.seconds:.1f} ({stages}; the rest is starting and reporting)"
    )
    print(f"  networks trained   {found.trained} of {found.trials} tried, front of {found.front}")
    print(f"  accuracy           {shares}")
    print(f"  C simulation       equal on {found.compared} of {found.test_images} test images")
    print(f"  fit                {found.fit_seconds:.3f} s of CPU time")
    return found


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
