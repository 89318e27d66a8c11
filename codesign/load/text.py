"""YAML text to plain data, and back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from codesign.errors import InputError

Tree = dict[str, Any]
_SHOWN_CHARACTERS = 60


class _Loader(yaml.SafeLoader):
    """Safe YAML 1.2 scalars; no repeated keys, no keys but text, no aliases.

    PyYAML follows YAML 1.1, where `1e-3` is text, `on` a boolean, `010` eight and `12:30` 750.
    Source: YAML 1.2.2, section 10.3.2 (core schema).
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases are not read", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                problem = f"a key must be text, got {getattr(key, 'value', '')!s}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in seen:
                problem = f"the key '{key.value}' stands here twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Read a decimal integer, or one marked as octal `0o` or hexadecimal `0x`."""
        text = str(node.value)
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


class _Dumper(yaml.SafeDumper):
    """Quotes whatever text `_Loader` would read as something else; writes no aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        return True


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first
        )
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)


def read_yaml(path: Path) -> Tree:
    """Return the mapping that a YAML file holds.

    Raises:
        InputError: the file cannot be read, is no YAML (with line and column), or no mapping.
    """
    try:
        data = parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(str(path), "is no text file", "save it as UTF-8") from error
    if not isinstance(data, dict):
        raise InputError(str(path), f"must hold keys and values, got {shown(data)}")
    return data


def yaml_text(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML, in the order of its keys; `read_yaml` is the inverse."""
    plain = json.loads(json.dumps(data))  # tuples become lists; what is not plain is a bug
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, width=100)


def parse(text: str, place: str) -> Any:
    """Return the one YAML document in `text`."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{place}:{mark.line + 1}:{mark.column + 1}" if mark else place
        problem = f"{error.problem or error.context}"
        raise InputError(where, f"cannot be read as YAML: {problem}") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = " ".join(str(error).split())
        raise InputError(place, f"cannot be read as YAML: {problem}") from error


def shown(value: Any) -> str:
    """Return a value as a person wrote it, cut to a line."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
