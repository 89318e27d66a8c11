"""A task whose answers stand in tables: strategies are compared on it in seconds.

NAS-Bench-201's accuracies beside any latency column, or beside a table of `codesign table`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codesign.errors import InputError, nearest
from codesign.search.trial import Outcome
from codesign.space import Point
from codesign.table import Table


@dataclass(frozen=True, slots=True, eq=False)
class Tabular:
    """Looks points up; what a study calls instead of training and pricing.

    Attributes:
        key: gives the index or name of a point's row; the tables share them.
        sources: for each quantity, a table and one of its columns.
    """

    key: Callable[[Point], int | str]
    sources: Mapping[str, tuple[Table, str]]

    def __post_init__(self) -> None:
        for quantity, (table, column) in self.sources.items():
            if column not in table.columns:
                problem = f"{quantity}: has no column '{column}'"
                raise InputError(table.place, problem, nearest(column, table.columns))

    def __call__(self, point: Point, number: int, seed: int) -> Outcome:
        """Return a point's figures.

        Raises:
            InputError: a table has no such row, or nothing in it.
        """
        key = self.key(point)
        return Outcome({quantity: self._figure(quantity, key) for quantity in self.sources})

    def _figure(self, quantity: str, key: int | str) -> float:
        table, column = self.sources[quantity]
        row = table[key]
        if column not in row:
            raise InputError(table.place, f"row '{key}' has no figure in column '{column}'")
        return row[column]
