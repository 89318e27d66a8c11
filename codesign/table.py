"""Tables: rows of figures by index or name, as CSV files that anyone can read.

`codesign table` writes them (`docs/tables.md`); any CSV file with a header is read.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import InputError, nearest

INDEX = "index"
NAME = "name"
FILE = "table.csv"

Row = Mapping[str, float]
"""Figures by column. A cell that is empty or no number is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Rows in the order of the file, each with an index and a name of its own."""

    place: str
    """The file, as error messages name it."""
    columns: tuple[str, ...]
    _by_name: Mapping[str, Row]
    _names: Mapping[int, str]

    @classmethod
    def load(cls, path: Path | str, name: str = NAME, index: str = INDEX) -> Table:
        """Read a table.

        Args:
            path: a CSV file with a header, or a folder that `codesign table` wrote.
            name: the column of names.
            index: the column of indices; without one, rows count from 0.

        Raises:
            InputError: the file cannot be read, lacks the column, or names a row twice.
        """
        path = Path(path).expanduser()
        path = path / FILE if path.is_dir() else path
        try:
            with path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file)
                columns = tuple(reader.fieldnames or ())
                if name not in columns:
                    remedy = nearest(name, columns)
                    raise InputError(str(path), f"has no column '{name}'", remedy)
                by_name, names = _rows(reader, str(path), name, index)
        except OSError as error:
            raise InputError(str(path), f"cannot be read ({error.strerror})") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(str(path), "is no CSV file", "save it as UTF-8 text") from error
        return cls(str(path), columns, by_name, names)

    def __getitem__(self, key: int | str) -> Row:
        """Return the row of an index or a name.

        Raises:
            InputError: there is no such row.
        """
        name = self._names.get(key) if isinstance(key, int) else key
        if name is None or name not in self._by_name:
            shown = f"index {key}" if isinstance(key, int) else f"'{key}'"
            raise InputError(self.place, f"has no row of {shown}")
        return self._by_name[name]

    def __contains__(self, key: int | str) -> bool:
        """Return whether there is a row of an index or a name."""
        return key in (self._names if isinstance(key, int) else self._by_name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._by_name)

    def column(self, column: str) -> dict[str, float]:
        """Return the figures of a column by name, of the rows that have one.

        Raises:
            InputError: there is no such column.
        """
        if column not in self.columns:
            remedy = nearest(column, self.columns)
            raise InputError(self.place, f"has no column '{column}'", remedy)
        return {name: row[column] for name, row in self._by_name.items() if column in row}


def _rows(
    reader: Iterable[Mapping[str, str | None]], place: str, name: str, index: str
) -> tuple[dict[str, Row], dict[int, str]]:
    by_name: dict[str, Row] = {}
    names: dict[int, str] = {}
    for count, row in enumerate(reader):
        key = row[name] or ""
        figures = {column: _number(text) for column, text in row.items() if column != name}
        kept = {column: value for column, value in figures.items() if not math.isnan(value)}
        number = int(kept.get(index, count))
        if not key or key in by_name or number in names:
            problem = f"row {count + 1} has the name '{key}' and the index {number}"
            raise InputError(place, problem, "each is to be there, and only once")
        by_name[key], names[number] = kept, key
    return by_name, names


def _number(text: str | None) -> float:
    """Return a figure; NaN where there is none."""
    try:
        value = float(text or "nan")
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        partial.replace(path)
    except OSError as error:
        raise InputError(str(path), f"cannot be written ({error.strerror})") from error
