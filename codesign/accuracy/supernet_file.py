"""A trained supernet on disk: one NPZ file with all weights and what they were trained for."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.dataset import Dataset
from codesign.errors import InputError
from codesign.network.family import Family

SCHEMA = 1
_RECORD = "record"

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Task:
    """What a supernet was trained for."""

    family: str
    input: tuple[int, ...]
    """`C x H x W`."""
    classes: int
    data: str
    """SHA-256 of the training images and their classes."""

    @classmethod
    def of(cls, family: Family, dataset: Dataset) -> Task:
        """Return what a supernet of a family is trained for on a data set."""
        name = type(family).__name__.lower()
        return cls(name, family.input.shape, family.classes, dataset.train.digest())

    def check(self, found: Task, place: str) -> None:
        """Refuse a supernet that was trained for something else.

        Raises:
            InputError: says what.
        """
        remedy = "leave it out to train one"
        if found.family != self.family:
            problem = f"holds networks of the family {found.family}, not {self.family}"
            raise InputError(place, problem, remedy)
        if (found.input, found.classes) != (self.input, self.classes):
            own, other = (_images(task) for task in (self, found))
            raise InputError(place, f"is for {other}, not for {own}", remedy)
        if found.data != self.data:
            raise InputError(place, "was trained on other images", remedy)


def save(path: Path, task: Task, arrays: Arrays) -> None:
    """Write a supernet; the file appears whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    record = json.dumps({"schema": SCHEMA, **asdict(task)})
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **{_RECORD: np.array(record)}, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)  # noqa: PTH105 (the same call, and it is atomic)
    except OSError as error:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        problem = f"cannot be written ({error.strerror})"
        raise InputError(str(path), problem, "free or permit the space") from error


def load(path: Path) -> tuple[Task, Arrays]:
    """Read a supernet.

    Raises:
        InputError: there is no such file, or it is damaged or none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        record: dict[str, Any] = json.loads(str(arrays.pop(_RECORD)))
        schema = record.pop("schema")
        if schema != SCHEMA:
            raise InputError(str(path), f"has schema {schema}, not {SCHEMA}", "train it anew")
        task = Task(**{**record, "input": tuple(record["input"])})
    except FileNotFoundError as error:
        raise InputError(str(path), "is not there", "name a run's supernet.npz") from error
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        remedy = "name a run's supernet.npz"
        raise InputError(str(path), "is no supernet, or damaged", remedy) from error
    return task, arrays


def _images(task: Task) -> str:
    return f"images of {'x'.join(map(str, task.input))} in {task.classes} classes"
