"""The formulation that a flow's `search` section names, beside its strategy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from codesign.errors import InputError
from codesign.load import Tree, member
from codesign.search.formulation import Formulation

SELECTOR = "formulation"
DEFAULT_FORMULATION = "pareto"

HardwareSearch = Literal["nested", "flat", "two_stage"]
DEFAULT_HARDWARE: HardwareSearch = "nested"
_TWO_STAGE = "two_stage"
"""The way of finding hardware, and the formulation without which it means nothing."""


def formulation_class(search: Mapping[str, Any]) -> type[Formulation]:
    """Return the class that a `search` section names.

    Raises:
        InputError: there is no such formulation.
    """
    name = str(search.get(SELECTOR, DEFAULT_FORMULATION))
    return member("search.formulations", Formulation, name, f"search.{SELECTOR}")


def formulation_of(search: Any) -> Formulation:
    """Return the formulation of a checked `search` section, with its options.

    Raises:
        InputError: it refuses an option.
    """
    cls = formulation_class({SELECTOR: search.formulation})
    try:
        return cls(**{f.name: getattr(search, f.name) for f in dataclasses.fields(cls)})
    except ValueError as error:
        raise InputError("search", str(error)) from error


def reformulated(search: Tree, name: str) -> Tree:
    """Return a `search` section with another formulation, without the options of the former."""
    if name == search.get(SELECTOR, DEFAULT_FORMULATION):
        return search
    former = {field.name for field in dataclasses.fields(formulation_class(search))}
    kept = {key: value for key, value in search.items() if key not in former}
    return {**kept, SELECTOR: name}


def staged(search: Tree, changes: Iterable[str]) -> Tree:
    """Return a `search` section in which `hardware: two_stage` brings its formulation.

    Raises:
        InputError: the section asks for another formulation.
    """
    said = [text.partition("=")[2] for text in changes if text.startswith("search.hardware=")]
    if (said[-1] if said else search.get("hardware")) != _TWO_STAGE:
        return search
    other = search.get(SELECTOR, DEFAULT_FORMULATION)
    if other not in (DEFAULT_FORMULATION, _TWO_STAGE):
        problem = f"two_stage does not go with search.formulation={other}"
        raise InputError("search.hardware", problem, "take nested or flat, or leave it out")
    return reformulated(search, _TWO_STAGE)
