"""The journal of a search: one SQLite file, one transaction per trial, as it happens.

Tables: `study` (one row: the definition, JSON), `trial` (a row each; point, values and
violations are JSON), and `finished`, where there are any: trials of the front that were made again
in full once the search was over. Whatever is in the file is complete: SQLite undoes a half-written
trial when the file is next opened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from codesign.errors import InputError
from codesign.search.trial import Trial

SCHEMA = 1
_APPLICATION = 0x0C0DE519  # marks the file as a journal of ours (PRAGMA application_id)
_TABLES = """
CREATE TABLE study (definition TEXT NOT NULL);
CREATE TABLE trial (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    point TEXT NOT NULL,
    "values" TEXT NOT NULL,
    violations TEXT NOT NULL,
    seed INTEGER NOT NULL,
    seconds REAL NOT NULL,
    artifact BLOB
);
"""
_SELECT = """
SELECT number, key, point, "values", violations, seed, seconds FROM trial ORDER BY number
"""
_INSERT = """
INSERT INTO trial (number, key, point, "values", violations, seed, seconds, artifact)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_DAMAGED = ("is damaged", "restore it, or start a new run")
_FINISHED = """
CREATE TABLE IF NOT EXISTS finished (
    number INTEGER PRIMARY KEY,
    "values" TEXT NOT NULL,
    violations TEXT NOT NULL,
    seconds REAL NOT NULL,
    artifact BLOB
);
"""
_SELECT_FINISHED = 'SELECT number, "values", violations, seconds FROM finished'
_INSERT_FINISHED = """
INSERT INTO finished (number, "values", violations, seconds, artifact) VALUES (?, ?, ?, ?, ?)
"""
_TROUBLES = {
    # Every statement here is a fixed text, so one that fails met with tables of another shape.
    sqlite3.SQLITE_ERROR: _DAMAGED,
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, then resume"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written", "check the disk, then resume"),
    sqlite3.SQLITE_NOTADB: ("is no search journal", "start a new run"),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_BUSY: ("another program is writing to it", "wait for that run to end"),
    sqlite3.SQLITE_CONSTRAINT: ("another program has written to it", "let one run end first"),
    sqlite3.SQLITE_READONLY: ("may not be written", "change its permissions"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check that it is there and may be read"),
}


class Store:
    """An open journal; a context manager that closes it.

    Attributes:
        place: the file, as error messages name it.
    """

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        """Take a connection to a journal that is known to be sound (see `open`, `read`)."""
        self._connection = connection
        self.place = place

    @classmethod
    def open(cls, path: Path | None, definition: Mapping[str, Any]) -> Store:
        """Open the journal of a study, made anew where there is none; None keeps it in memory.

        Args:
            path: the file; its folder must exist.
            definition: JSON values that say which study this is.

        Raises:
            InputError: the file cannot be opened, is no journal, is newer than this program,
                or belongs to another study.
        """
        given = _json(definition)
        uri = "file::memory:" if path is None else f"{path.absolute().as_uri()}?mode=rwc"
        place = "journal in memory" if path is None else str(path)
        with _opened(uri, place) as connection:
            if _pragma(connection, "page_count") == 0:  # nothing was ever written
                _create(connection, given)
            _check_soundness(connection, place)
            store = cls(connection, place)
            _check_definition(store.definition, json.loads(given), place)
        return store

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open a journal that exists, of whatever study.

        Raises:
            InputError: there is no such file, it is no journal, or a newer one.
        """
        # Not mode=ro: a trial that was cut off half-way must be undone before reading.
        with _opened(f"{path.absolute().as_uri()}?mode=rw", str(path)) as connection:
            _check_soundness(connection, str(path))
        return cls(connection, str(path))

    @property
    def definition(self) -> dict[str, Any]:
        """Which study this is the journal of."""
        with _explained(self.place):
            row = self._connection.execute("SELECT definition FROM study").fetchone()
            definition: dict[str, Any] = json.loads(row[0])
        return definition

    def trials(self) -> list[Trial]:
        """Return all trials in the order of their numbers."""
        with _explained(self.place):
            return [_trial(row) for row in self._connection.execute(_SELECT)]

    def finished(self) -> dict[int, Trial]:
        """Return by number the trials that were made again in full."""
        return self._finished(self.trials())

    def final(self) -> list[Trial]:
        """Return all trials in the order of their numbers, finished ones as they are now."""
        trials = self.trials()
        finished = self._finished(trials)
        return [finished.get(trial.number, trial) for trial in trials]

    def _finished(self, trials: Iterable[Trial]) -> dict[int, Trial]:
        if not self._finishes():
            return {}
        begun = {trial.number: trial for trial in trials}
        with _explained(self.place):
            rows = self._connection.execute(_SELECT_FINISHED).fetchall()
            return {
                number: replace(
                    begun[number],
                    values=json.loads(values),
                    violations=json.loads(violations),
                    seconds=seconds,
                )
                for number, values, violations, seconds in rows
            }

    def artifact(self, number: int) -> bytes | None:
        """Return what the evaluation of trial `number` left in the search, or None.

        Raises:
            KeyError: there is no such trial.
        """
        return self._artifact("trial", number)

    def final_artifact(self, number: int) -> bytes | None:
        """Return what the last evaluation of trial `number` left, or None.

        Raises:
            KeyError: there is no such trial.
        """
        if self._finishes():
            with suppress(KeyError):
                return self._artifact("finished", number)
        return self.artifact(number)

    def _artifact(self, table: Literal["trial", "finished"], number: int) -> bytes | None:
        query = f"SELECT artifact FROM {table} WHERE number = ?"  # noqa: S608 (tables of ours)
        with _explained(self.place):
            row = self._connection.execute(query, (number,)).fetchone()
        if row is None:
            raise KeyError(number)
        artifact: bytes | None = row[0]
        return artifact

    def add(self, trial: Trial, artifact: bytes | None = None) -> None:
        """Write one trial; it is on the disk when this returns.

        Raises:
            InputError: it cannot be written, e.g. the disk is full; what was there stays.
        """
        row = (
            trial.number,
            trial.key,
            _json(trial.point),
            _json(trial.values),
            _json(trial.violations),
            trial.seed,
            trial.seconds,
            artifact,
        )
        with _explained(self.place):
            self._connection.execute(_INSERT, row)

    def finish(self, trial: Trial, artifact: bytes | None = None) -> None:
        """Write what a trial of the journal is worth that was made again in full.

        Raises:
            InputError: it cannot be written; what was there stays.
        """
        row = (
            trial.number,
            _json(trial.values),
            _json(trial.violations),
            trial.seconds,
            artifact,
        )
        with _explained(self.place):
            self._connection.execute(_FINISHED)
            self._connection.execute(_INSERT_FINISHED, row)

    def _finishes(self) -> bool:
        """Return whether any trial was finished: earlier journals have no place for them."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'finished'"
        with _explained(self.place):
            return self._connection.execute(query).fetchone() is not None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextmanager
def _opened(uri: str, place: str) -> Iterator[sqlite3.Connection]:
    """Connect, and stay connected unless the body fails."""
    with _explained(place), ExitStack() as stack:
        # No isolation level: every statement is a transaction unless we say BEGIN.
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        stack.enter_context(closing(connection))
        yield connection
        stack.pop_all()


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _create(connection: sqlite3.Connection, definition: str) -> None:
    """Make all tables or, should we be killed, none."""
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
    connection.execute("INSERT INTO study VALUES (?)", (definition,))
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
    connection.execute("COMMIT")


def _check_soundness(connection: sqlite3.Connection, place: str) -> None:
    if _pragma(connection, "application_id") != _APPLICATION:
        raise InputError(place, *_TROUBLES[sqlite3.SQLITE_NOTADB])
    version = _pragma(connection, "user_version")
    if version != SCHEMA:
        problem = f"has journal schema {version}, this program reads {SCHEMA}"
        raise InputError(place, problem, "use the version of codesign that wrote it")
    # Reading trials touches neither the index of keys nor every page, so it would not notice.
    if connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise InputError(place, *_DAMAGED)


def _check_definition(stored: Mapping[str, Any], given: Mapping[str, Any], place: str) -> None:
    for key in sorted({*stored, *given}):
        if stored.get(key) != given.get(key):
            problem = f"was written with {key}={stored.get(key)!r}, not {given.get(key)!r}"
            raise InputError(place, problem, "give the same again, or start a new run")


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turn what SQLite and JSON say of a file into one line for its owner."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # primary code
        if code not in _TROUBLES:
            raise
        raise InputError(place, *_TROUBLES[code]) from error
    except (ValueError, TypeError) as error:  # its JSON is not what we wrote
        raise InputError(place, *_DAMAGED) from error


def _trial(row: tuple[Any, ...]) -> Trial:
    number, key, point, values, violations, seed, seconds = row
    return Trial(
        number=number,
        key=key,
        point=json.loads(point),
        values=json.loads(values),
        violations=json.loads(violations),
        seed=seed,
        seconds=seconds,
    )


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), separators=(",", ":"), allow_nan=False)
