"""Run folders: new ones never touch old ones, and files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.flow.folder import RunFolder, write_text


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs", "zcu104", "mine")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file of this process grow beyond 64 KiB, as on a disk that is full."""
    import resource
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    action = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, action)


def test_runs_are_numbered_by_day_and_board(tmp_path: Path) -> None:
    root = tmp_path / "new" / "runs"
    names = [RunFolder.create(root, board).path.name for board in ("zcu104", "zcu104", "kv260")]
    days, numbers = zip(*((name[:10], name[10:]) for name in names), strict=True)
    assert numbers == ("-zcu104-1", "-zcu104-2", "-kv260-1")
    assert all(date.fromisoformat(day).year > 2000 for day in days)


def test_a_board_file_gives_its_stem(tmp_path: Path) -> None:
    assert RunFolder.create(tmp_path, "own/boards/mine.yaml").path.name.endswith("-mine-1")


def test_a_gap_in_the_numbers_is_no_licence_to_write_into_a_later_run(tmp_path: Path) -> None:
    first, second = (RunFolder.create(tmp_path, "zcu104") for _ in range(2))
    first.path.rmdir()
    second.write({"flow.yaml": "kept"})
    made = {RunFolder.create(tmp_path, "zcu104").path for _ in range(2)}
    assert second.path not in made
    assert second.flow.read_text() == "kept"


def test_a_name_that_exists_is_refused_and_left_alone(folder: RunFolder) -> None:
    folder.write({"best/design.yaml": "kept"})
    with pytest.raises(InputError, match=r"exists already; codesign resume .*mine goes on"):
        RunFolder.create(folder.path.parent, "zcu104", "mine")
    assert [path.name for path in folder.path.rglob("*")] == ["best", "design.yaml"]


@pytest.mark.parametrize("name", ["a/b", "../other", "/other", ".", ".."])
def test_a_name_is_one_folder_below_the_root(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="--name"):
        RunFolder.create(tmp_path / "runs", "zcu104", name)
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match="runs: cannot be written"):
        RunFolder.create(tmp_path / "runs", "zcu104")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_root_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match=r"cannot be written .*ermission"):
        RunFolder.create(tmp_path, "zcu104")


def test_only_a_folder_with_a_flow_is_a_run(tmp_path: Path, folder: RunFolder) -> None:
    with pytest.raises(InputError, match=r"is no run \(no flow\.yaml\)"):
        RunFolder.open(tmp_path)
    folder.write_flow({"schema": 1})
    assert RunFolder.open(folder.path).read_flow() == {"schema": 1}


def test_a_full_disk_leaves_the_old_file_whole(folder: RunFolder, small_disk: None) -> None:
    folder.write({"best/notes.txt": "old"})
    with pytest.raises(InputError, match=r"notes\.txt: cannot be written .*; free"):
        folder.write({"best/notes.txt": "x" * (1 << 17)})
    assert [path.name for path in folder.best.iterdir()] == ["notes.txt"]
    assert (folder.best / "notes.txt").read_text() == "old"


def test_a_write_that_is_cut_off_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
