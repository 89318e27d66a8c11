"""The wheel carries everything, and the command starts light.

The wheel is installed into a virtual environment of its own. That environment borrows the
dependencies of this one (a path file), but has no way to this checkout: what codesign finds there
came with the wheel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from codesign import __version__
from codesign.load import resource_folder

ROOT = Path(__file__).parents[1]
BOARDS = sorted(file.stem for file in resource_folder("boards").glob("*.yaml"))
HEAVY = {"torch", "skopt", "sklearn", "optuna", "plotly", "scipy", "onnx", "networkx", "pydantic"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a virtual environment that holds the wheel."""
    environment = tmp_path_factory.mktemp("installed") / "venv"
    python = environment / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return environment


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command in an empty folder, without this process' search paths; return its output."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CODESIGN_PATH")}
    environment = {**kept, "XDG_CONFIG_HOME": str(folder), "COLUMNS": "160"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_command_lists_every_board(installed: Path, tmp_path: Path) -> None:
    listed = run([installed / "bin" / "codesign", "boards"], tmp_path)
    assert [name for name in BOARDS if name not in listed] == []


def test_the_installed_package_finds_its_own_files(installed: Path, tmp_path: Path) -> None:
    program = (
        "import json, codesign.load as load; from codesign.hardware.board import boards;"
        "kinds = ('boards', 'flows', 'templates');"
        "print(json.dumps([load.__file__, [board.name for board in boards()],"
        " [str(load.resource_folder(kind)) for kind in kinds]]))"
    )
    module, names, folders = json.loads(
        run([installed / "bin" / "python", "-c", program], tmp_path)
    )
    assert all(Path(path).is_relative_to(installed) for path in (module, *folders))
    assert names == BOARDS


def test_the_wheel_holds_all_that_the_checkout_holds(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"codesign/{p.relative_to(ROOT / 'codesign')}" for p in ROOT.glob("codesign/**/*.py")}
    for kind in ("boards", "flows", "templates"):
        files = [path for path in (ROOT / kind).rglob("*") if path.is_file()]
        assert files, kind
        wanted |= {f"codesign/{path.relative_to(ROOT)}" for path in files}
    assert wanted <= held
    extra = {name for name in held - wanted if ".dist-info/" not in name}
    assert extra <= {"codesign/py.typed"}


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    info = f"codesign-{__version__}.dist-info"
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert b"Apache License" in archive.read(f"{info}/licenses/LICENSE")
    assert {"train", "validate", "images"} <= set(metadata.get_all("Provides-Extra"))


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['codesign', '--help']\n"
        "from codesign.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print('HEAVY', sorted({HEAVY!r} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"]
    lines = run(command, tmp_path).splitlines()
    assert any("boards" in line for line in lines)
    assert lines[-1] == "HEAVY []"
