"""`progress.csv`: one row per trial, for a spreadsheet or `tail -f`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from codesign.errors import InputError
from codesign.search.log import Log
from codesign.search.standing import Standing
from codesign.search.trial import Objective

FILE = "progress.csv"


class Csv(Log):
    """Appends a row after each trial; a row that was cut off is written again."""

    def __init__(self, folder: Path, objectives: Sequence[Objective]) -> None:
        super().__init__(folder, objectives)
        self._path = folder / FILE
        with self._explained():
            self._file = self._path.open("a+", encoding="utf-8", newline="")
            try:
                self._last = self._continued()
            except BaseException:
                self._file.close()
                raise

    def write(self, standing: Standing) -> None:
        """Add a row, unless it is there already."""
        if standing.trial.number <= self._last:
            return
        self._append(_row(standing, self.objectives))
        self._last = standing.trial.number

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _continued(self) -> int:
        """Cut off what is no whole row, and return the last trial there, or -1."""
        self._file.seek(0)
        whole, _, _ = self._file.read().rpartition("\n")
        rows = list(csv.reader(io.StringIO(whole)))
        self._file.truncate(len(f"{whole}\n".encode()) if whole else 0)
        header = columns(self.objectives)
        if not rows:
            self._append(header)
            return -1
        numbers = [row[0] for row in rows[1:]]
        if rows[0] != header or numbers != [str(number) for number in range(len(numbers))]:
            problem = "is not what this search wrote"
            raise InputError(str(self._path), problem, "move it away, then resume")
        return len(numbers) - 1

    def _append(self, cells: Sequence[object]) -> None:
        with self._explained():
            csv.writer(self._file, lineterminator="\n").writerow(cells)
            self._file.flush()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            raise InputError(str(self._path), "is no text", "move it away, then resume") from error
        except OSError as error:
            problem = f"cannot be written ({error.strerror})"
            raise InputError(str(self._path), problem, "free or permit the space") from error


def columns(objectives: Sequence[Objective]) -> list[str]:
    """Return the names of the columns."""
    best = [f"best_{objective.name}" for objective in objectives]
    reference = [f"reference_{objective.name}" for objective in objectives]
    counts = ["trial", "seconds", "trainings", "feasible"]
    return [*counts, *best, "front", "hypervolume", *reference, "left_s"]


def _row(standing: Standing, objectives: Sequence[Objective]) -> list[object]:
    """Return the cells of a row; what is not known yet is empty."""
    return [
        standing.trial.number,
        f"{standing.seconds:.3f}",
        standing.trainings,
        standing.feasible,
        *(standing.best.get(objective.name, "") for objective in objectives),
        standing.front,
        "" if standing.hypervolume is None else standing.hypervolume,
        *(standing.reference.get(objective.name, "") for objective in objectives),
        "" if standing.left_s is None else f"{standing.left_s:.1f}",
    ]
