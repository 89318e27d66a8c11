"""The door: what comes in is right, or is answered in one line that helps."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codesign import load
from codesign.errors import InputError, MemberError, ToolMissing
from codesign.load.text import parse
from codesign.network.op import Op


@dataclass(frozen=True, slots=True)
class Search:
    strategy: str = "random"
    trials: int = 10
    ranges: tuple[float, ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, got {self.trials}")


@dataclass(frozen=True, slots=True)
class Layer:
    width: int


@dataclass(frozen=True, slots=True)
class Wish:
    board: str
    goal: Literal["low_latency", "low_power"] = "low_latency"
    exact: bool = True
    search: Search = field(default_factory=Search)
    layers: tuple[Layer, ...] = ()
    ceilings: Mapping[str, float] = field(default_factory=dict)
    extra: Layer | None = None


def written(folder: Path, text: str) -> Path:
    path = folder / "wish.yaml"
    path.write_text(text)
    return path


# --- YAML


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("-.5", -0.5),
        ("1.", 1.0),
        (".inf", math.inf),
        ("010", 10),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("2026-11-20", "2026-11-20"),
        ("'8'", "8"),
        ("<<", "<<"),
        ("[1, 2.5, x]", [1, 2.5, "x"]),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    found = load.read_yaml(written(tmp_path, f"key: {text}\n"))["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a: 1\nb: [2\n", 3, 1, "expected ',' or ']'"),
        ("a: 1\nb: 2\na: 3\n", 3, 1, "'a' stands here twice"),
        ("s:\n  x: 1\n  x: 1\n", 3, 3, "'x' stands here twice"),
        ("a: &n 1\nb: *n\n", 2, 4, "aliases"),
        ("8: a\n", 1, 1, "a key must be text, got 8"),
        ("a: !!python/name:os.system\n", 1, 4, "could not determine a constructor"),
    ],
)
def test_broken_yaml_is_placed(
    tmp_path: Path, text: str, line: int, column: int, problem: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load.read_yaml(path)
    assert caught.value.place == f"{path}:{line}:{column}"
    assert problem in caught.value.problem
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "just words\n", "\x07", "a: " + "[" * 9999, "a: " + "9" * 9999]
)
def test_what_holds_no_keys_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"wish\.yaml"):
        load.read_yaml(written(tmp_path, text))


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load.read_yaml(tmp_path / "missing.yaml")
    with pytest.raises(InputError, match="cannot be read"):
        load.read_yaml(tmp_path)
    (tmp_path / "latin.yaml").write_bytes("größe: 1".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        load.read_yaml(tmp_path / "latin.yaml")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
@example({"a": "1e-3", "b": "on", "c": "010", "d": "~", "e": "", "f": "12:30", "g": ".inf"})
def test_what_is_written_reads_back_the_same(data: dict[str, Any]) -> None:
    assert parse(load.yaml_text(data), "text") == data


def test_yaml_is_written_for_people() -> None:
    text = load.yaml_text({"board": "zcu104", "clocks": (100, 1e-6), "on": {"a": True, "b": None}})
    assert text == "board: zcu104\nclocks:\n- 100\n- 1.0e-06\non:\n  a: true\n  b: null\n"


# --- plain data to dataclasses


def test_nested_data_become_dataclasses() -> None:
    data = {
        "board": "zcu104",
        "search": {"trials": 3, "ranges": [1, 2.5]},
        "layers": [{"width": 4}, {"width": 8}],
        "ceilings": {"lut": 1},
        "extra": {"width": 2},
    }
    assert load.build(Wish, data, "here") == Wish(
        board="zcu104",
        search=Search(trials=3, ranges=(1.0, 2.5)),
        layers=(Layer(4), Layer(8)),
        ceilings={"lut": 1.0},
        extra=Layer(2),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"board": None}, "f.yaml: board: must be text, got null"),
        ({"search": {"trials": "3x"}}, "f.yaml: search.trials: must be an integer, got '3x'"),
        ({"search": {"trials": 2.5}}, "f.yaml: search.trials: must be an integer, got 2.5"),
        ({"search": {"trials": 3.0}}, "f.yaml: search.trials: must be an integer, got 3.0"),
        ({"search": {"trials": True}}, "f.yaml: search.trials: must be an integer, got true"),
        ({"search": {"trials": 0}}, "f.yaml: search: trials must be at least 1, got 0"),
        ({"search": {"seed": "x"}}, "f.yaml: search.seed: must be an integer, got 'x'"),
        ({"search": 5}, "f.yaml: search: must hold keys and values, got 5"),
        ({"search": {"ranges": 3}}, "f.yaml: search.ranges: must be a list, got 3"),
        ({"search": {"ranges": [1, "a"]}}, "f.yaml: search.ranges[1]: must be a number, got 'a'"),
        ({"layers": [{"width": 1}, {}]}, "f.yaml: layers[1].width: is missing"),
        ({"exact": "yes"}, "f.yaml: exact: must be true or false, got 'yes'"),
        ({"ceilings": {"lut": "high"}}, "f.yaml: ceilings.lut: must be a number, got 'high'"),
        (
            {"goal": "low_latncy"},
            "f.yaml: goal: has no such choice, got 'low_latncy'; did you mean low_latency?",
        ),
        ({"bord": 1}, "f.yaml: bord: is no key here; did you mean board?"),
        ({"trials": 5}, "f.yaml: trials: is no key here; did you mean search.trials?"),
        (
            {"search": {"strategie": "x"}},
            "f.yaml: search.strategie: is no key here; did you mean strategy?",
        ),
        (
            {"layers": [{"widht": 1}]},
            "f.yaml: layers[0].widht: is no key here; did you mean width?",
        ),
        ({"extra": {"widht": 1}}, "f.yaml: extra.widht: is no key here; did you mean width?"),
    ],
)
def test_a_fault_is_one_line_with_file_key_and_remedy(change: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load.build(Wish, {"board": "zcu104", **change}, "f.yaml")
    assert str(caught.value) == message


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match=r"^f\.yaml: board: is missing$"):
        load.build(Wish, {}, "f.yaml")


# --- overrides


def test_overrides_replace_and_create_and_leave_the_original() -> None:
    data = {"board": "zcu104", "search": {"trials": 3}}
    changed = load.override(
        data,
        [
            "board=010",
            "search.trials=5",
            "search.ranges=[1e-3, 2]",
            "ceilings.lut=0.9",
            "search.seed=null",
            "search.trials=6",
        ],
        Wish,
    )
    assert changed == {
        "board": "010",
        "search": {"trials": 6, "ranges": [0.001, 2], "seed": None},
        "ceilings": {"lut": 0.9},
    }
    assert data == {"board": "zcu104", "search": {"trials": 3}}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("fast", "command line: cannot read 'fast'; write key=value, e.g. search.trials=100"),
        ("strategy=x", "command line: has no key 'strategy'; did you mean search.strategy?"),
        ("stratgy=x", "command line: has no key 'stratgy'; did you mean search.strategy?"),
        ("serch.trials=1", "command line: has no key 'serch.trials'; did you mean search.trials?"),
        ("board.name=x", "command line: has no key 'board.name'; did you mean board?"),
        ("search.trials=x", "command line: search.trials: must be an integer, got 'x'"),
        ("search.trials=", "command line: search.trials: must be an integer, got null"),
        ("search={trails: 1}", "command line: search.trails: is no key here; did you mean trials?"),
        ("goal=low", "command line: goal: has no such choice, got 'low'; did you mean low_power?"),
    ],
)
def test_a_wrong_override_names_the_nearest_right_one(assignment: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load.override({"board": "zcu104"}, [assignment], Wish)
    assert str(caught.value) == message


def test_an_override_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(InputError, match=r"^command line: search\.ranges:1:\d+: cannot be read"):
        load.override({}, ["search.ranges=[1,"], Wish)


def test_an_override_cannot_enter_a_plain_value() -> None:
    with pytest.raises(InputError, match="'search' holds 5, no keys"):
        load.override({"search": 5}, ["search.trials=1"], Wish)


# --- members


def test_members_are_the_files_of_their_folder() -> None:
    folder = Path(load.__file__).parents[1] / "network" / "ops"
    files = sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")
    assert load.names("network.ops") == tuple(files)
    found = load.member("network.ops", Op, "conv2d")
    assert found.__name__ == "Conv2d"
    assert issubclass(found, Op)


def test_a_wrong_member_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        load.member("network.ops", Op, "conv")
    assert str(caught.value) == "network.op: has no 'conv'; did you mean conv2d?"
    with pytest.raises(InputError, match=r"^layer\.kind: has no 'os'"):
        load.member("network.ops", Op, "os", place="layer.kind")


@pytest.fixture
def plural(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty plural folder that can be named "network.things"."""
    import codesign.network

    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.setattr(codesign.network, "__path__", [str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("codesign.network.things")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("from codesign.network.op import Op\n", "none"),
        ("from codesign.network.ops.add import Add\n", "none"),
        (
            "from codesign.network.op import Op\nclass A(Op): ...\nclass B(Op): ...\n",
            "A, B",
        ),
    ],
)
def test_a_member_defines_exactly_one_class(plural: Path, text: str, listed: str) -> None:
    (plural / "thing.py").write_text(text)
    (plural / "_shared.py").write_text("")
    assert load.names("network.things") == ("thing",)
    with pytest.raises(MemberError, match=f"exactly one Op, but defines: {listed}$"):
        load.member("network.things", Op, "thing")


def test_a_member_whose_package_is_missing_says_what_to_install(
    plural: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plural / "learned.py").write_text("import torch\n")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolMissing, match=r"pip install 'codesign\[train\]'"):
        load.member("network.things", Op, "learned")


def test_a_broken_import_inside_a_member_stays_a_bug(plural: Path) -> None:
    (plural / "broken.py").write_text("import codesign.no_such_module\n")
    with pytest.raises(ModuleNotFoundError):
        load.member("network.things", Op, "broken")


def test_members_come_from_other_distributions_too(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("mine", "codesign.network.ops.add:Add", "codesign.network.ops"),
        EntryPoint("odd", "codesign.network.ops.add:np", "codesign.network.ops"),
    ]

    def entry_points(group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert "mine" in load.names("network.ops")
    assert load.member("network.ops", Op, "mine").__name__ == "Add"
    with pytest.raises(MemberError, match="subclass of Op"):
        load.member("network.ops", Op, "odd")


# --- resources


def test_the_nearest_resource_counts(
    no_user_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_in = load.resource_folder("boards") / "zcu104.yaml"
    assert load.resource_path("boards", "zcu104") == built_in
    for root in ("config/codesign", "shared", "."):
        monkeypatch.setenv("CODESIGN_PATH", f"nowhere:{no_user_folders / 'shared'}")
        file = no_user_folders / root / "boards" / "zcu104.yaml"
        file.parent.mkdir(parents=True)
        file.touch()
        file.with_name(f"mine_{root[0]}.yaml").touch()
        assert load.resource_path("boards", "zcu104").resolve() == file.resolve()
    found = load.resource_names("boards")
    assert {"mine_c", "mine_s", "mine_.", "kv260"} <= set(found)
    assert list(found) == sorted(set(found))


def test_a_resource_may_be_a_file_anywhere(no_user_folders: Path) -> None:
    file = no_user_folders / "elsewhere.yaml"
    file.touch()
    assert load.resource_path("boards", str(file)) == file
    assert load.resource_path("boards", "elsewhere.yaml") == Path("elsewhere.yaml")
    with pytest.raises(InputError, match=r"^nowhere/zcu104\.yaml: is no file$"):
        load.resource_path("boards", "nowhere/zcu104.yaml")


@pytest.mark.usefixtures("no_user_folders")
def test_a_wrong_resource_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^board: has no 'zcu14'; did you mean zcu104\?$"):
        load.resource_path("boards", "zcu14")
