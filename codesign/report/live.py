"""How far a search is, on a screen that is rewritten in place, or in a log a line now and then."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

from codesign.report.quantities import count, shown
from codesign.search.standing import Standing

EVERY_S = 10.0
"""Between two lines of a log."""

_CLEAR = "\r\x1b[2K"
"""Back to the first column, and nothing on the line (ECMA-48: EL)."""


@dataclass(slots=True)
class Live:
    """Lines for a person on one stream.

    On a terminal the search has one line, the last, which is written anew after each trial.
    Elsewhere a line follows the first trial, the last one, and the first after every `EVERY_S`.
    """

    stream: TextIO
    quiet: bool = False
    clock: Callable[[], float] = time.monotonic
    _held: Standing | None = field(init=False, default=None)
    """What was not told yet, or stands on a line that is not ended."""
    _told: float | None = field(init=False, default=None)
    _replayed: int = field(init=False, default=0)

    def say(self, text: str) -> None:
        """Write a line, below where the search stands."""
        if self.quiet:
            return
        self.settle()
        self._write(f"{text}\n")

    def watch(self, standing: Standing) -> None:
        """Show where a search stands."""
        if self.quiet:
            return
        if standing.replayed:
            self._replayed += 1
        elif self._replayed:
            self.settle()
        self._held = standing
        if self.stream.isatty():
            self._write(_CLEAR + standing_text(standing)[: _width() - 1])
        elif standing.last or (not standing.replayed and self._due()):
            self.settle()

    def settle(self) -> None:
        """End the line that is open, if there is one, or write the one that was held back."""
        standing, self._held = self._held, None
        if standing is not None:
            self._told = self.clock()
            self._write("\n" if self.stream.isatty() else f"{standing_text(standing)}\n")
        if self._replayed:
            self._write(f"{count(self._replayed)} trials are from the journal\n")
            self._replayed = 0

    def _due(self) -> bool:
        return self._told is None or self.clock() - self._told >= EVERY_S

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def standing_text(standing: Standing) -> str:
    """Return one line: how many, how good, how long."""
    number = standing.trial.number + 1
    parts = [f"{number:4d}/{standing.total}"]
    if standing.left_s:
        parts.append(f"{duration(standing.left_s)} left")
    parts += [f"{standing.feasible} feasible"] if standing.feasible != number else []
    parts += [f"{standing.trainings} trained"] if standing.trainings != number else []
    if standing.best:
        best = ", ".join(_best(name, value) for name, value in standing.best.items())
        parts.append(f"best {best}  front {standing.front}")
    elif standing.trial.violations:
        parts.append("violates " + ", ".join(standing.trial.violations))
    if standing.hypervolume is not None:
        parts.append(f"hypervolume {standing.hypervolume:.4g}")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as a person says it: "40 s", "7 min", "2 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _best(name: str, value: float) -> str:
    """Return an objective's best value with its short name: "latency 3.1 µs"."""
    quantity, _, board = name.partition("@")
    short = quantity.rpartition("_")[0] or quantity
    number = shown(quantity, value)
    spoken = number if number.endswith(quantity) else f"{short} {number}"
    return f"{spoken} on {board}" if board else spoken


def _width() -> int:
    return shutil.get_terminal_size().columns
