"""Contract of the folder `boards/`: every board loads, cites its sources and equals the facts."""

from __future__ import annotations

import csv
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from codesign.errors import InputError
from codesign.hardware.board import RESOURCES, Board, boards
from codesign.load import resource_folder

FACTS = Path(__file__).parents[2] / "shared" / "facts" / "boards.csv"
NAMES = sorted(file.stem for file in resource_folder("boards").glob("*.yaml"))

GOOD = """\
schema: 1
title: A board of one's own
part: xc7a35ticsg324-1l
family: artix_7
resources:
  lut: {value: 20800, source: DS180}
  ff: {value: 41600, source: DS180}
  dsp: {value: 90, source: DS180}
  bram18: {value: 100, source: DS180}
  uram: {value: 0, source: DS180}
dram:
  name: DDR3L-667 x16
  bytes_per_s: {value: 1.33e9, source: preset}
clocks_mhz: {value: [50, 100], source: choice}
typical_clock_mhz: {value: 100, source: choice}
int8_macs_per_dsp: {value: 1, source: UG479}
static_power_w: {low: 0.2, value: 0.5, high: 1, source: assumption}
"""


def numbers(value: Any, key: str = "") -> list[str]:
    """List the dotted keys of all numbers in a board."""
    if is_dataclass(value) and type(value).__name__ != "Interval":
        inner = [(f"{key}.{f.name}", getattr(value, f.name)) for f in fields(value)]
        return [name for path, entry in inner for name in numbers(entry, path)]
    is_text = value is None or isinstance(value, str | dict)
    return [] if is_text else [key.removeprefix(".")]


@pytest.mark.parametrize("name", NAMES)
def test_a_board_cites_a_source_for_every_number(name: str) -> None:
    board = Board.load(name)
    assert board.name == name
    assert set(numbers(board)) == set(board.sources)
    assert {"resources.lut", "ceilings.ff", "dram.bytes_per_s", "static_power_w"} <= set(
        board.sources
    )
    assert all(len(source) > 5 for source in board.sources.values())
    assert re.fullmatch(r"[a-z.-]+:[a-z0-9_-]+:part0:\d\.\d", board.board_part or "")


def test_the_boards_promised_are_there() -> None:
    promised = "zcu104 zcu102 zc706 ultra96_v2 pynq_z2 kv260 u250 arty_a7_100"
    assert set(promised.split()) == set(NAMES)


def test_numbers_equal_the_data_sheets() -> None:
    if not FACTS.is_file():
        pytest.skip(f"{FACTS} is missing: the table of data sheet numbers")
    with FACTS.open() as file:
        rows = list(csv.DictReader(file))
    assert {row["board"] for row in rows} == set(NAMES)
    for row in rows:
        board = Board.load(row["board"])
        assert board.part == row["part"]
        assert board.dram.bytes_per_s == pytest.approx(float(row["dram_peak_gb_per_s"]) * 1e9)
        for column in ("typical_clock_mhz", "int8_macs_per_dsp"):
            assert getattr(board, column) == int(row[column])
        for kind in RESOURCES:
            assert getattr(board.resources, kind) == int(row[kind]), (board.name, kind)


@pytest.mark.parametrize("name", NAMES)
def test_a_device_is_what_its_family_can_be(name: str) -> None:
    board = Board.load(name)
    is_ultrascale = "ultrascale" in board.family
    assert board.part.startswith(("xczu", "xck", "xcu") if is_ultrascale else "xc7")
    assert board.dsp_width == ((27, 18) if is_ultrascale else (25, 18))
    assert board.int8_macs_per_dsp == (2 if is_ultrascale else 1)
    assert is_ultrascale or board.resources.uram == 0


def test_the_budget_is_what_the_ceilings_leave() -> None:
    assert Board.load("zcu104").budget == {
        "lut": 161_280,
        "ff": 230_400,
        "dsp": 1_382,
        "bram18": 499,
        "uram": 76,
    }


def test_a_new_board_is_one_file(no_user_folders: Path) -> None:
    file = no_user_folders / "boards" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(GOOD + "ceilings: {lut: {value: 0.85, source: routed once}}\n")
    board = Board.load("mine")
    assert (board.name, board.resources.dsp, board.board_part) == ("mine", 90, None)
    assert board.budget["lut"] == 17_680
    assert board.budget["ff"] == 20_800
    assert board.sources["ceilings.lut"] == "routed once"
    assert "report_failfast" in board.sources["ceilings.ff"]
    assert [board.name for board in boards()] == sorted([*NAMES, "mine"])
    assert Board.load("boards/mine.yaml") == board


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value: 90", "value: 220x", "resources.dsp: must be an integer, got '220x'"),
        ("value: 90", "value: -1", "resources: dsp cannot be negative, got -1"),
        ("  dsp: ", "  dps: ", "resources.dps: is no key here; did you mean dsp?"),
        (
            "{value: 90, source: DS180}",
            "90",
            "resources.dsp: has no source; write dsp: {value: 90, source: where it comes from}",
        ),
        ("value: 90, source: DS180", "value: 90, source: ", "resources.dsp.source: must be text"),
        (
            "family: artix_7",
            "family: artix7",
            "family: has no such choice, got 'artix7'; did you mean artix_7?",
        ),
        ("part: xc7a35ticsg324-1l\n", "", "part: is missing"),
        ("schema: 1", "schema: 2", "schema: must be 1, got 2"),
        ("title:", "name: mine\ntitle:", "name: is no key here; it follows from the file"),
        ("[50, 100]", "[100, 50]", "clocks_mhz must rise, got [100.0, 50.0]"),
        ("[50, 100]", "[50, 75]", "typical_clock_mhz is none of clocks_mhz [50.0, 75.0]"),
        ("1.33e9", "0", "dram: bytes_per_s must be positive, got 0.0"),
        ("low: 0.2", "low: 2", "static_power_w: needs 0 <= low <= value <= high"),
        ("{value: 1, ", "{value: 3, ", "int8_macs_per_dsp is 1 or 2, got 3"),
    ],
)
def test_a_wrong_board_file_is_answered_in_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "mine.yaml"
    assert GOOD.count(old) == 1
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        Board.load(str(file))
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("no_user_folders")
def test_an_unknown_board_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^board: has no 'zcu105'; did you mean zcu104\?$"):
        Board.load("zcu105")


def test_the_documented_example_is_a_board(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "add-a-board.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "arty_a7_35.yaml"
    file.write_text(example)
    assert Board.load(str(file)).resources.dsp == 90
