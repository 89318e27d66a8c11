"""The form of a log: what is kept of a search while it goes on, for other programs to follow.

Members live in `codesign.search.logs`, one file each; they write into the run's folder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from codesign.search.standing import Standing
from codesign.search.trial import Objective


class Log(ABC):
    """A context manager that takes one standing after another; what is taken is on the disk.

    A search that is resumed tells its trials again, from the first. Those that the log has
    already must not stand in it twice.
    """

    def __init__(self, folder: Path, objectives: Sequence[Objective]) -> None:
        """Begin a log in a folder, or go on with the one that is there.

        Raises:
            InputError: it cannot be written, or is not of such a search.
        """
        self.folder = folder
        self.objectives = tuple(objectives)

    @abstractmethod
    def write(self, standing: Standing) -> None:
        """Add a standing.

        Raises:
            InputError: it cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
