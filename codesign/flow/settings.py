"""What a run is asked to do: a flow file, with the command line's changes.

A section names one member of a plural folder (`search.strategy: nsga2`) and holds that member's
own options beside codesign's. So the schema depends on the names chosen: they are read first,
then every key is checked against the members that they name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from codesign.accuracy.dataset import DatasetSource
from codesign.accuracy.evaluator import Evaluator
from codesign.accuracy.thrift import Thrift
from codesign.errors import InputError
from codesign.flow.formulated import formulation_class, formulation_of, reformulated, staged
from codesign.flow.goals import with_goal
from codesign.flow.sections import Hardware, Search, Targeting, Validation, board_names
from codesign.flow.space_file import with_space
from codesign.load import Tree, build, member, override, read_yaml, resource_path
from codesign.network.family import Family
from codesign.search.formulation import Formulation
from codesign.search.strategy import Strategy
from codesign.search.trial import Constraint, Objective
from codesign.validate.tool import Tool

SCHEMA = 1
QUANTITIES = (
    "accuracy",
    "fps",
    "interval_s",
    "latency_s",
    "energy_j",
    "power_w",
    "lut",
    "ff",
    "dsp",
    "bram18",
    "uram",
    "macs",
    "parameters",
    "flops",
    "weight_bytes",
    "clock_mhz",
)
"""What a wish may constrain and a search may optimise."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A section that chooses one member."""

    selector: str
    folder: str
    form: type
    hidden: frozenset[str] = frozenset()
    """Fields of the member that the run fills in, not the user."""


_KINDS: Mapping[str, _Kind] = {
    "dataset": _Kind("source", "accuracy.datasets", DatasetSource),
    "network": _Kind("family", "network.families", Family, frozenset({"input", "classes"})),
    "training": _Kind("evaluator", "accuracy.evaluators", Evaluator),
    "search": _Kind("strategy", "search.strategies", Strategy),
    "validation": _Kind("tool", "validate.tools", Tool),
}


_OWN = {"search": Search, "training": Thrift, "validation": Validation}
"""What sections hold beside their member's options."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A resolved flow: plain data, checked, that says everything a run depends on."""

    data: Tree
    board: str
    seed: int
    wish: tuple[Constraint, ...]
    objectives: tuple[Objective, ...]
    search: Search
    hardware: Hardware
    target: Targeting
    thrift: Thrift
    validation: Validation
    formulation: Formulation
    options: Mapping[str, Mapping[str, Any]]
    """The chosen member's own options, by section."""

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards, of which a flow may name several."""
        return board_names(self.board)

    def alone(self, board: str) -> Settings:
        """Return the settings of a run for one of several boards."""
        return resolve({**self.data, "board": board}, (), "flow")

    def member(self, section: str) -> type[Any]:
        """Return the class that a section names."""
        return _member(section, self.data)

    def build_member(self, section: str, **given: object) -> Any:
        """Return the member of a section with its options and what the run adds.

        Raises:
            InputError: the member refuses an option.
        """
        try:
            return self.member(section)(**{**self.options[section], **given})
        except ValueError as error:
            raise InputError(section, str(error)) from error


def load_settings(flow: str, assignments: Iterable[str] = ()) -> Settings:
    """Read a flow by name or path and apply `key=value` and `quantity>=bound` arguments.

    Raises:
        InputError: the flow, a key or a value is wrong; names the nearest right one.
    """
    path = resource_path("flows", flow)
    return resolve(read_yaml(path), assignments, str(path))


def resolve(data: Mapping[str, Any], assignments: Iterable[str], place: str) -> Settings:
    """Return checked settings from a flow's data and the command line's changes."""
    data = dict(data)
    schema = data.pop("schema", None)
    if schema != SCHEMA:
        raise InputError(f"{place}: schema", f"must be {SCHEMA}, got {schema}")
    data = _renamed(data)
    changes, wishes = split_wishes(assignments)
    changes = [_expanded(text) for text in changes]
    data = with_goal(_with_selectors(data, changes, place), changes, place)
    cls = _schema(data)
    data = with_space(override(data, changes, cls))
    checked = build(cls, data, f"{place} with the command line" if changes else place)
    checked = dataclasses.replace(checked, wish=(*checked.wish, *wishes))
    plain = {"schema": SCHEMA, **_plain(checked)}
    return Settings(
        data=plain,
        board=checked.board,
        seed=checked.seed,
        wish=tuple(Constraint.parse(text, "wish", QUANTITIES) for text in checked.wish),
        objectives=tuple(
            Objective.parse(text, "search.objectives", QUANTITIES)
            for text in checked.search.objectives
        ),
        search=_section(Search, checked.search),
        hardware=checked.hardware,
        target=checked.target,
        thrift=_section(Thrift, checked.training),
        validation=_section(Validation, checked.validation),
        formulation=formulation_of(checked.search),
        options={section: _options(section, checked, data) for section in _KINDS},
    )


def split_wishes(arguments: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the `key=value` changes and the `quantity>=bound` wishes of a command line.

    The sign that comes first decides: `wish=[fps>=9]` is a change, and `fps>9` a wrong wish.
    """
    changes: list[str] = []
    wishes: list[str] = []
    for text in arguments:
        sign = re.search("[=<>]", text)
        (wishes if sign and sign[0] in "<>" else changes).append(text)
    return changes, wishes


def _renamed(data: Tree) -> Tree:
    """Return a flow that was written with former names of keys with those of today."""
    training = data.get("training")
    if not isinstance(training, dict) or not isinstance(training.get("calibration"), int):
        return data
    kept = {key: value for key, value in training.items() if key != "calibration"}
    return {**data, "training": {**kept, "calibration_images": training["calibration"]}}


def _expanded(text: str) -> str:
    """Let `dataset=digits` stand for `dataset.source=digits`, and so on for each section."""
    key, equals, value = text.partition("=")
    return f"{key}.{_KINDS[key].selector}={value}" if equals and key in _KINDS else text


def _with_selectors(data: Tree, changes: list[str], place: str) -> Tree:
    """Return `data` with every section there, and the members that the user names chosen."""
    result = dict(data)
    for section, kind in _KINDS.items():
        if not isinstance(result.setdefault(section, {}), dict):
            raise InputError(f"{place}: {section}", "must hold keys and values")
        result[section] = dict(result[section])
        for change in changes:
            key, _, value = change.partition("=")
            if key == f"{section}.{kind.selector}":
                if result[section].get(kind.selector) != value:
                    # options of the flow's own choice mean nothing to another member
                    result[section] = _shared(section, result[section])
                result[section][kind.selector] = value
            elif key == "search.formulation" and section == "search":
                result[section] = reformulated(result[section], value)
        if kind.selector not in result[section]:
            problem = f"names no {kind.selector}"
            raise InputError(
                f"{place}: {section}", problem, f"write {section}.{kind.selector}: ..."
            )
    result["search"] = staged(result["search"], changes)
    return result


def _shared(section: str, data: Mapping[str, Any]) -> Tree:
    """Return the keys of a section that belong to codesign or to a formulation."""
    own = _OWN.get(section)
    names = {f.name for f in dataclasses.fields(own)} if own else set()
    if section == "search":
        names |= {f.name for f in dataclasses.fields(formulation_class(data))}
    return {key: value for key, value in data.items() if key in names}


def _member(section: str, data: Mapping[str, Any]) -> type[Any]:
    kind = _KINDS[section]
    name = str(data[section][kind.selector])
    return member(kind.folder, kind.form, name, f"{section}.{kind.selector}")


def _schema(data: Tree) -> type[Any]:
    """Return the dataclass that a flow with these members must match."""
    sections: list[tuple[str, type[Any]]] = []
    for section in _KINDS:
        base = _OWN.get(section)
        fields: list[tuple[str, Any] | tuple[str, Any, Any]]
        fields = [(_KINDS[section].selector, str), *_member_fields(section, data)]
        cls = dataclasses.make_dataclass(
            section.title(),
            fields,
            bases=(base,) if base else (),
            frozen=True,
            kw_only=True,
        )
        sections.append((section, cls))
    plain: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("board", str),
        ("title", str, field(default="")),
        ("goal", str, field(default="")),
        ("seed", int, field(default=0)),
        ("wish", tuple[str, ...], field(default=())),
        ("hardware", Hardware, field(default_factory=Hardware)),
        ("target", Targeting, field(default_factory=Targeting)),
    ]
    return dataclasses.make_dataclass("Flow", [*sections, *plain], frozen=True, kw_only=True)


def _member_fields(section: str, data: Tree) -> list[tuple[str, Any, Any]]:
    """Return the options of a section's member as dataclass fields."""
    cls = _member(section, data)
    if issubclass(cls, Strategy):
        own = [(name, type(value), field(default=value)) for name, value in cls.defaults.items()]
        return [*own, *_fields(formulation_class(data["search"]))]
    return _fields(cls, _KINDS[section].hidden)


def _fields(cls: type[Any], hidden: frozenset[str] = frozenset()) -> list[tuple[str, Any, Any]]:
    """Return the options of a dataclass of options."""
    hints = get_type_hints(cls)
    return [
        (f.name, hints[f.name], _default(f))
        for f in dataclasses.fields(cls)
        if f.name not in hidden
    ]


def _default(own: dataclasses.Field[Any]) -> Any:
    if own.default_factory is not dataclasses.MISSING:
        return field(default_factory=own.default_factory)
    if own.default is not dataclasses.MISSING:
        return field(default=own.default)
    return field()


def _section(cls: type[Any], checked: Any) -> Any:
    return cls(**{f.name: getattr(checked, f.name) for f in dataclasses.fields(cls)})


def _options(section: str, checked: Any, data: Tree) -> dict[str, Any]:
    """Return the options of a section's member."""
    part = getattr(checked, section)
    own = _OWN.get(section)
    shared = {f.name for f in dataclasses.fields(own)} if own else set()
    shared.add(_KINDS[section].selector)
    if section == "search":
        shared |= {f.name for f in dataclasses.fields(formulation_class(data["search"]))}
    names = [f.name for f in dataclasses.fields(part) if f.name not in shared]
    return {name: getattr(part, name) for name in names}


def _plain(value: Any) -> Any:
    """Return dataclasses and tuples as what YAML can hold."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
