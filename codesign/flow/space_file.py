"""A file with the values that a search is left with: what `search.space=FILE` reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from codesign.errors import InputError
from codesign.load import Tree, read_yaml

SCHEMA = 1


def with_space(data: Tree) -> Tree:
    """Return a flow's data with the choices of a space file in place of its name.

    A run's flow then says everything, wherever that file is when the run is resumed.

    Raises:
        InputError: there is no such file, or it is for another family.
    """
    search = data.get("search")
    if not isinstance(search, dict) or not isinstance(search.get("space"), str):
        return data
    path = Path(search["space"])
    told = read_yaml(path)
    if told.get("schema") != SCHEMA or not isinstance(told.get("choices"), Mapping):
        problem = f"is no space by schema {SCHEMA}"
        raise InputError(str(path), problem, "'codesign space --out FILE' writes one")
    family = data["network"]["family"]
    if told.get("family") != family:
        problem = f"is a space of the family {told.get('family')}, not {family}"
        raise InputError(str(path), problem, f"network={told.get('family')}")
    choices: dict[str, Any] = dict(told["choices"])
    return {**data, "search": {**search, "space": choices}}
