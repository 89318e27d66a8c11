"""A whole space of networks, each priced on its best hardware, as a table that anyone can read.

It is an exhaustive study without training: networks that are the same are priced once, the
journal answers for those that were priced before an interruption, and the points of a batch are
priced side by side.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from codesign import __version__
from codesign.errors import InputError
from codesign.fit.price import price
from codesign.fit.problem import Known
from codesign.flow.prepare import INPUT_BITS, target_for
from codesign.flow.sections import Hardware
from codesign.hardware.board import RESOURCES, Board
from codesign.load import build, member, override, yaml_text
from codesign.network.family import Family
from codesign.search.store import Store
from codesign.search.strategies.exhaustive import Exhaustive
from codesign.search.strategies.random import Random
from codesign.search.study import Budget, Progress, Study
from codesign.search.trial import Objective, Outcome, Trial
from codesign.search.workers import cores, workers
from codesign.space import Point
from codesign.table import FILE, INDEX, NAME, write_table

SCHEMA = 1
JOURNAL = "prices.sqlite"
ABOUT = "table.json"
COLUMNS: Mapping[str, str] = {
    INDEX: "of the network in its family; published where the family is",
    NAME: "of the network in its family, as unique as the index",
    "network": "number of the network: rows of one number are one network, priced once",
    "fits": "1 if a design fits the board; if not, figures are of the one that exceeds it least",
    "interval_s": "between images [s]",
    "fps": "images per second",
    "latency_s": "of one image, in closed form [s]",
    "energy_j": "of one image at full rate, idle board included [J]",
    "lut": "after implementation, shell included",
    "ff": "after implementation, shell included",
    "dsp": "after implementation, shell included",
    "bram18": "block RAM in halves of 18 Kb, shell included",
    "uram": "after implementation, shell included",
    "macs": "multiply-accumulates per image, of what is built",
    "parameters": "weights and biases, of what is built",
    "gap": "how much shorter the interval could be, relative; 0 is a proof",
    "resource_gap": "how much less of the board a design of that interval could take, relative",
}
_COUNTS = ("fits", *RESOURCES, "macs", "parameters")
_BATCH = 64
_SAID_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Which part of a space is asked for."""

    points: int = 0
    """Different networks, drawn at random; 0 means all points of the space."""
    workers: int = 0
    """Processes that price side by side; 0 means one per core. They change no figure."""

    def __post_init__(self) -> None:
        if min(self.points, self.workers) < 0:
            raise ValueError("points and workers are at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRequest:
    """What `codesign table` can be told."""

    family: str
    board: str = "zcu104"
    input: tuple[int, ...] = (3, 32, 32)
    """Of an image, C x H x W."""
    classes: int = 10
    seed: int = 0
    """Of a sample."""
    network: Mapping[str, Any] = field(default_factory=dict)
    """The family's own options."""
    hardware: Hardware = field(default_factory=Hardware)
    table: Sample = field(default_factory=Sample)

    def __post_init__(self) -> None:
        if self.hardware.objective != "interval":
            raise ValueError("a table is of the shortest intervals: hardware.objective=interval")
        if not self.input or min(self.input) < 1:
            raise ValueError(f"an image is at least 1 x 1 x 1, got {list(self.input)}")


@dataclass(frozen=True, slots=True)
class Pricer:
    """Prices points of a family on a board: what the study calls instead of a judge."""

    family: Family
    board: Board
    clock_hz: float
    known: Known = field(default_factory=Known, repr=False, compare=False)

    def __call__(self, point: Point, number: int, seed: int) -> Outcome:
        """Return the figures of a point's best design."""
        graph = self.family.decode(point)
        found = price(graph, self.board, self.clock_hz, self.known)
        interval_s = found.interval / self.clock_hz
        values = {
            "interval_s": interval_s,
            "fps": 1 / interval_s,
            "latency_s": found.latency / self.clock_hz,
            "energy_j": found.energy_j,
            **found.usage,
            "macs": graph.macs,
            "parameters": graph.parameters,
            "gap": found.gap,
            "resource_gap": found.resource_gap,
            "fits": float(found.fits),
        }
        return Outcome(values, {} if found.fits else {"fits the board": 1.0})


def tabulate(arguments: Iterable[str], folder: Path | None, say: Callable[[str], None]) -> Path:
    """Price a space, and write the table; what the folder's journal holds is not priced again.

    Args:
        arguments: `key=value`.
        folder: where to write; by default `tables/FAMILY-BOARD`.
        say: takes lines of progress.

    Returns:
        the table's file.

    Raises:
        InputError: a key or a value is wrong, or the folder holds another table.
    """
    data = override({}, arguments, TableRequest)
    request = build(TableRequest, data, "command line")
    family = _family(request)
    target = target_for(request.board, request.hardware, ())
    pricer = Pricer(family, target.board, max(target.clocks_hz))
    folder = folder or Path("tables") / f"{request.family}-{target.board.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(folder), f"cannot be made ({error.strerror})") from error
    study = _study(request, family)
    trials = _priced(study, pricer, request.table, folder / JOURNAL, say)
    _describe(folder / ABOUT, request, pricer, len(trials))
    write_table(folder / FILE, tuple(COLUMNS), _rows(family, trials, request.table.points))
    return folder / FILE


def _family(request: TableRequest) -> Family:
    cls = member("network.families", Family, request.family, "family")
    image = {"shape": list(request.input), "bits": INPUT_BITS, "signed": False}
    options = {**request.network, "input": image, "classes": request.classes}
    family: Family = build(cls, options, "command line: network")
    return family


def _study(request: TableRequest, family: Family) -> Study:
    """Return the study of all points, or of a random sample."""
    decisive = asdict(request)
    decisive["table"] = {}
    return Study(
        space=family.space(),
        objectives=(Objective("interval_s", maximize=False),),
        strategy=Random if request.table.points else Exhaustive,
        seed=request.seed,
        batch=_BATCH,
        canonical=family.canonical,
        problem=yaml_text({"version": __version__, **decisive}),
    )


def _priced(
    study: Study, pricer: Pricer, sample: Sample, journal: Path, say: Callable[[str], None]
) -> dict[str, Trial]:
    """Return a trial for every network, by key."""
    budget = Budget(sample.points or study.space.size, fruitless=study.space.size)
    watch = _Watch(say)
    with (
        Store.open(journal, study.definition()) as store,
        workers(pricer, sample.workers or cores()) as pool,
    ):
        result = study.run(pricer, budget, store, watch, pool)
    say(f"{len(result.trials)} different networks")
    return {trial.key: trial for trial in result.trials}


class _Watch:
    """Says now and then how far it is."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.began = self.said = time.monotonic()
        self.made = 0

    def __call__(self, progress: Progress) -> None:
        self.made += not progress.replayed
        now = time.monotonic()
        if now - self.said < _SAID_EVERY_S or not self.made:
            return
        self.said = now
        rate = self.made / (now - self.began)
        self.say(f"{progress.trial.number + 1} networks, {rate:.2f} a second")


def _rows(family: Family, trials: Mapping[str, Trial], points: int) -> Iterator[list[object]]:
    """Return the rows in the order of their indices: of all points, or of the drawn ones."""
    space = family.space()
    if points:
        chosen: Iterable[Point] = [trial.point for trial in trials.values()]
    else:
        chosen = (space.at(number) for number in range(space.size))
    labelled = sorted(
        ((*family.label(point), trials[family.canonical(point)]) for point in chosen),
        key=lambda row: row[0],
    )
    for index, name, trial in labelled:
        values = {INDEX: index, NAME: name, "network": trial.number, **trial.values}
        yield [_cell(column, values[column]) for column in COLUMNS]


def _cell(column: str, value: Any) -> object:
    if column in _COUNTS:
        return round(value)
    return f"{value:.7g}" if isinstance(value, float) else value


def _describe(path: Path, request: TableRequest, pricer: Pricer, networks: int) -> None:
    """Write what the table is about."""
    about = {
        "schema": SCHEMA,
        "codesign": __version__,
        "request": {**asdict(request), "table": {"points": request.table.points}},
        "clock_hz": pricer.clock_hz,
        "budget": dict(pricer.board.budget),
        "networks": networks,
        "columns": dict(COLUMNS),
    }
    try:
        path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), f"cannot be written ({error.strerror})") from error
