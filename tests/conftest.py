"""What all tests share: one BLAS thread per worker, golden files, and honest skipping."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy: workers share the cores

import pytest
from hypothesis import settings

GOLDEN = Path(__file__).parent / "golden"

settings.register_profile("codesign", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("codesign")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden/")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_gxx") and not shutil.which("g++"):
        if os.environ.get("CI"):
            pytest.fail("g++ is missing, and CI must have it")
        pytest.skip("g++ is missing: apt-get install g++")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the golden file of that name, or rewrite it (--update-golden)."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.is_file(), f"{path} is missing: run pytest --update-golden and read the diff"
        assert text == path.read_text()

    return compare


@pytest.fixture
def no_user_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder without any user configuration, and return that folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("CODESIGN_PATH", raising=False)
    return tmp_path
