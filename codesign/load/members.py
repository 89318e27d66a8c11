"""File name to class: the members of a plural folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, TypeVar

from codesign.errors import InputError, MemberError, ToolMissing, nearest

T = TypeVar("T")
_EXTRA_OF = {
    "torch": "train",
    "onnxruntime": "validate",
    "PIL": "images",
    "tensorboardX": "tensorboard",
}


def names(folder: str) -> tuple[str, ...]:
    """List the members of a plural folder such as "search.strategies", in order of name.

    A member is a file without a leading underscore, or an entry point of the group
    `codesign.FOLDER` in any installed distribution.
    """
    return tuple(sorted({*_own_names(folder), *_entry_points(folder)}))


def member(folder: str, form: type[T], name: str, place: str = "") -> type[T]:
    """Import one member of a plural folder and return its class.

    Args:
        folder: the folder below `codesign`, e.g. "search.strategies".
        form: the abstract class that the member subclasses.
        name: the member's file or entry point name.
        place: what an error names; by default the singular, e.g. "search.strategy".

    Raises:
        InputError: there is no such member.
        MemberError: its file does not define exactly one subclass of `form`.
        ToolMissing: it needs a package that is not installed.
    """
    if name not in names(folder):
        where = place or singular(folder)
        raise InputError(where, f"has no '{name}'", nearest(name, names(folder)))
    try:
        if name not in _own_names(folder):
            return _subclass(_entry_points(folder)[name].load(), form, f"{folder}: {name}")
        module = importlib.import_module(f"codesign.{folder}.{name}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package == "codesign":
            raise
        extra = _EXTRA_OF.get(package)
        wanted = f"codesign[{extra}]" if extra else package
        remedy = f"'{name}' needs it: pip install '{wanted}'"
        raise ToolMissing(f"the Python package {package}", remedy) from error
    own = [
        c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__
    ]
    fitting = [c for c in own if issubclass(c, form)]
    if len(fitting) != 1:
        listed = ", ".join(c.__name__ for c in fitting) or "none"
        raise MemberError(
            f"{module.__file__}: must define exactly one {form.__name__}, but defines: {listed}"
        )
    return fitting[0]


def _own_names(folder: str) -> list[str]:
    package = importlib.import_module(f"codesign.{folder}")
    return [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]


def _entry_points(folder: str) -> Mapping[str, Any]:
    from importlib.metadata import entry_points  # reads every installed distribution

    return {point.name: point for point in entry_points(group=f"codesign.{folder}")}


def _subclass(found: Any, form: type[T], where: str) -> type[T]:
    """Return what an entry point gave, if it is a subclass of `form`."""
    if not (isinstance(found, type) and issubclass(found, form)):
        raise MemberError(f"{where}: the entry point must name a subclass of {form.__name__}")
    return found


def singular(plural: str) -> str:
    """Return the form's name: families, processes, boards -> family, process, board."""
    for ending, singular in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if plural.endswith(ending):
            return plural.removesuffix(ending) + singular
    return plural
