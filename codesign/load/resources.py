"""Name to file: boards, flows and templates, built in or the user's own."""

from __future__ import annotations

import os
from pathlib import Path

from codesign.errors import InputError, nearest
from codesign.load.members import singular

_PACKAGE = Path(__file__).parent.parent


def resource_folder(kind: str) -> Path:
    """Return the folder of the built-in "boards", "flows" or "templates".

    It lies inside an installed package, and beside the package in a checkout.
    """
    installed = _PACKAGE / kind
    return installed if installed.is_dir() else _PACKAGE.parent / kind


def resource_names(kind: str) -> tuple[str, ...]:
    """List the names of all boards or flows, the user's own among them."""
    return tuple(sorted({file.stem for folder in _folders(kind) for file in folder.glob("*.yaml")}))


def resource_path(kind: str, name: str) -> Path:
    """Return the YAML file of a board or a flow.

    A `name` with a slash or an ending is a path. Otherwise the first `KIND/NAME.yaml` counts of:
    the current folder, the folders of `$CODESIGN_PATH`, the user's configuration folder
    (`$XDG_CONFIG_HOME` or `~/.config`, then `codesign`), and those that codesign brings.

    Raises:
        InputError: there is none.
    """
    if Path(name).suffix in (".yaml", ".yml") or len(Path(name).parts) > 1:
        if not Path(name).is_file():
            raise InputError(name, "is no file")
        return Path(name)
    for folder in _folders(kind):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    raise InputError(singular(kind), f"has no '{name}'", nearest(name, resource_names(kind)))


def _folders(kind: str) -> list[Path]:
    """Return the folders that may hold a kind of resource, the nearest first."""
    listed = os.environ.get("CODESIGN_PATH", "").split(os.pathsep)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "codesign"
    roots = [Path(), *(Path(root) for root in listed if root), config]
    return [*(root / kind for root in roots), resource_folder(kind)]
