"""Plain data to checked dataclasses; what is wrong is said with file, key and remedy."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
import types
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from codesign.errors import InputError, nearest
from codesign.load.text import Tree, parse, shown

T = TypeVar("T")


def build(cls: type[T], data: Mapping[str, Any], place: str) -> T:
    """Return `data` as an instance of the (nested) dataclass `cls`.

    Types are strict: text is no number, 1.5 is no integer, and keys must exist; an integer may
    stand for a float and a list for a tuple.

    Raises:
        InputError: "PLACE: KEY: what is wrong, got VALUE; remedy", for the first fault.
    """
    _refuse_unknown_keys(cls, data, place, ())
    instance: T = _checked(cls, data, place, ())
    return instance


def override(
    data: Mapping[str, Any], assignments: Iterable[str], cls: type, place: str = "command line"
) -> Tree:
    """Return a copy of `data` with `section.key=value` assignments applied in order.

    Keys and values are checked against the dataclass `cls`. Values are YAML (`8`, `true`,
    `[4, 8]`, `null`), but where `cls` wants text they are taken as they stand.

    Raises:
        InputError: no such key, or a value of the wrong type.
    """
    result: Tree = copy.deepcopy(dict(data))
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        if not equals:
            remedy = "write key=value, e.g. search.trials=100"
            raise InputError(place, f"cannot read '{assignment}'", remedy)
        keys = tuple(dotted.split("."))
        wanted = _annotation_at(cls, keys, place)
        value = text if wanted in (str, Path) else parse(text, f"{place}: {dotted}")
        _refuse_unknown_keys(wanted, value, place, keys)
        _checked(wanted, value, place, keys)
        section = result
        for key in keys[:-1]:
            if section.get(key) is None:
                section[key] = {}
            section = section[key]
            if not isinstance(section, dict):
                raise InputError(f"{place}: {dotted}", f"'{key}' holds {shown(section)}, no keys")
        section[keys[-1]] = value
    return result


def _checked(annotation: Any, value: Any, place: str, keys: Sequence[str]) -> Any:
    """Return `value` as an instance of `annotation`, by pydantic's strict reading of JSON.

    JSON is the strict mode that still turns lists into tuples and mappings into dataclasses.
    """
    from pydantic import TypeAdapter, ValidationError  # slow to import, not needed for --help

    try:
        return TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _explained(error.errors(include_url=False)[0], value, place, keys) from error


_WANTED = {
    "int_type": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must hold keys and values",
    "mapping_type": "must hold keys and values",
    "dataclass_type": "must hold keys and values",
    "missing": "is missing",
}


def _explained(error: Any, data: Any, place: str, keys: Sequence[str]) -> InputError:
    """Return pydantic's first complaint as an `InputError`."""
    kind, got = error["type"], f", got {shown(error['input'])}"
    path = "".join(f".{key}" for key in keys)
    for part in error["loc"]:
        if isinstance(part, int):
            path, data = f"{path}[{part}]", data[part]
        elif kind == "missing" and part == error["loc"][-1]:
            path, got = f"{path}.{part}", ""
        elif isinstance(data, dict) and part in data:
            path, data = f"{path}.{part}", data[part]
        # else: not a key, but pydantic's name for one arm of a union
    remedy = ""
    if kind in ("literal_error", "enum"):
        known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        problem, remedy = "has no such choice", nearest(str(error["input"]), known)
    elif kind == "value_error":
        problem, got = str(error["ctx"]["error"]), ""
    else:
        general = error["msg"][0].lower() + error["msg"][1:]
        problem = _WANTED.get(kind, general.replace("input should be", "must be"))
    return InputError(f"{place}: {path[1:]}" if path else place, problem + got, remedy)


def _refuse_unknown_keys(annotation: Any, value: Any, place: str, keys: tuple[str, ...]) -> None:
    """Raise for the first key of `value` that the dataclasses in `annotation` lack."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            below = _annotation_of_key(annotation, key)
            if below is None:
                known = _dotted_keys(annotation)
                where = f"{place}: {'.'.join((*keys, key))}"
                raise InputError(where, "is no key here", _nearest_key(key, known))
            _refuse_unknown_keys(below, inner, place, (*keys, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            below = _annotation_of_item(annotation)
            _refuse_unknown_keys(below, inner, place, (*keys[:-1], f"{keys[-1]}[{index}]"))


def _annotation_at(cls: type, keys: Sequence[str], place: str) -> Any:
    """Return the type that the schema `cls` wants under nested `keys`."""
    annotation: Any = cls
    for key in keys:
        annotation = None if _is_plain(annotation) else _annotation_of_key(annotation, key)
        if annotation is None:
            dotted = ".".join(keys)
            remedy = _nearest_key(dotted, _dotted_keys(cls))
            raise InputError(place, f"has no key '{dotted}'", remedy)
    return annotation


def _is_plain(annotation: Any) -> bool:
    """Tell whether a type can hold no keys."""
    return all(arm in (str, int, float, bool, Path, types.NoneType) for arm in _arms(annotation))


def _annotation_of_key(annotation: Any, key: str) -> Any:
    """Return the type under one key; None if there is no such key, `Any` if nothing says."""
    arms = _arms(annotation)
    for arm in arms:
        if dataclasses.is_dataclass(arm):
            found = _hints(arm).get(key)
            if found is not None:
                return found
        elif isinstance(get_origin(arm), type) and issubclass(get_origin(arm), Mapping):
            return get_args(arm)[1]
    return None if any(dataclasses.is_dataclass(arm) for arm in arms) else Any


def _annotation_of_item(annotation: Any) -> Any:
    """Return the type of a list's items; `Any` if nothing says."""
    for arm in _arms(annotation):
        if get_origin(arm) in (tuple, list, Sequence):
            return get_args(arm)[0]
    return Any


def _arms(annotation: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type itself."""
    is_union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if is_union else (annotation,)


def _hints(cls: Any) -> dict[str, Any]:
    """Return the type of each key that a dataclass can be built from."""
    hints = get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def _dotted_keys(annotation: Any) -> list[str]:
    """Return every key of nested dataclasses, sections before what they hold."""
    found = []
    for arm in _arms(annotation):
        if dataclasses.is_dataclass(arm):
            for name, inner in _hints(arm).items():
                found += [name, *(f"{name}.{key}" for key in _dotted_keys(inner))]
    return found


def _nearest_key(wrong: str, known: list[str]) -> str:
    """Return the remedy for a wrong key: the same or a like name, wherever it stands."""
    last = wrong.rpartition(".")[2]
    same = [key for key in known if key.rpartition(".")[2] == last]
    if same:
        return f"did you mean {' or '.join(same)}?"
    if get_close_matches(wrong, known, n=1, cutoff=0.6):
        return nearest(wrong, known)
    lasts = {key.rpartition(".")[2]: key for key in known}
    close = get_close_matches(last, lasts, n=1, cutoff=0.6)
    if close:
        return f"did you mean {lasts[close[0]]}?"
    return "known: " + ", ".join(known)
