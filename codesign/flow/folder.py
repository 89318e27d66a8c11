"""What a run leaves behind, file by file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path

from codesign.errors import InputError
from codesign.load import Tree, read_yaml, yaml_text

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder: `flow.yaml`, `manifest.json`, `trials.sqlite`, reports and `best/`.

    Of several boards each has such a folder inside, but for `boards.json` instead of a manifest.
    """

    path: Path

    @staticmethod
    def create(root: Path, board: str, name: str = "") -> RunFolder:
        """Make a new folder `ROOT/DATE-BOARD-N`, or `ROOT/NAME`; never one that exists.

        Raises:
            InputError: it exists, cannot be made, or the name is a path.
        """
        if name and (Path(name).name != name or name == ".."):
            raise InputError("--name", f"'{name}' is no name of a folder", "--out says where")
        boards = "-".join(Path(one.strip()).stem for one in board.split(","))
        stem = f"{date.today().isoformat()}-{boards}"  # noqa: DTZ011 (a local date)
        try:
            root.mkdir(parents=True, exist_ok=True)
            for path in [root / name] if name else (root / f"{stem}-{n}" for n in count(1)):
                with suppress(FileExistsError):
                    path.mkdir()
                    return RunFolder(path)
        except OSError as error:
            raise _unwritable(root, error) from error
        remedy = f"codesign resume {root / name} goes on with it, or choose another name"
        raise InputError(str(root / name), "exists already", remedy)

    def told(self, path: Path, schema: int, kind: str) -> Tree:
        """Return one of the run's JSON files, which are written last of all.

        Args:
            path: the file.
            schema: that it has to be of.
            kind: what it is, in words.

        Raises:
            InputError: it is missing, damaged or of another schema.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            remedy = f"codesign resume {self.path} completes the run"
            raise InputError(str(path), "is not there yet", remedy) from error
        except (OSError, ValueError) as error:
            raise InputError(str(path), f"cannot be read ({error})") from error
        if not isinstance(data, dict) or data.get("schema") != schema:
            raise InputError(str(path), f"is no {kind} of schema {schema}")
        return data

    @staticmethod
    def open(path: Path) -> RunFolder:
        """Open a run's folder.

        Raises:
            InputError: it is none.
        """
        folder = RunFolder(path)
        if not folder.flow.is_file():
            raise InputError(str(path), "is no run (no flow.yaml)", "name a folder below runs/")
        return folder

    @property
    def flow(self) -> Path:
        """The resolved flow."""
        return self.path / "flow.yaml"

    @property
    def manifest(self) -> Path:
        """What a finished run says of itself."""
        return self.path / "manifest.json"

    @property
    def boards(self) -> Path:
        """What a finished run for several boards says of itself."""
        return self.path / "boards.json"

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.manifest.is_file() or self.boards.is_file()

    def of_board(self, name: str) -> RunFolder:
        """Return the folder of one of several boards: that of a run for it alone."""
        return RunFolder(self.path / name)

    @property
    def trials(self) -> Path:
        """The search's journal."""
        return self.path / "trials.sqlite"

    @property
    def best(self) -> Path:
        """The chosen network and its design."""
        return self.path / "best"

    @property
    def project(self) -> Path:
        """The HLS project."""
        return self.best / "hls"

    def write(self, files: Mapping[str, str]) -> None:
        """Write files below the folder; each appears whole or not at all.

        Raises:
            InputError: a file cannot be written, e.g. the disk is full; names it.
        """
        for name, text in files.items():
            write_text(self.path / name, text)

    def read_flow(self) -> Tree:
        """Return the resolved flow."""
        return read_yaml(self.flow)

    def write_flow(self, data: Tree) -> None:
        """Write the resolved flow."""
        self.write({"flow.yaml": yaml_text(data)})


def write_text(path: Path, text: str) -> None:
    """Write one file by way of a temporary neighbour, so that it appears whole.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105 (the same call, and it is atomic)
    except OSError as error:
        with suppress(OSError):  # the first error is the one to tell
            temporary.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        str(path), f"cannot be written ({error.strerror})", "free or permit the space"
    )
