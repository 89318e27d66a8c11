"""A board: what an accelerator may use, each number with its source.

A board is one YAML file (`docs/add-a-board.md`). In it a number is a mapping of `value` and
`source`; in Python it is the plain number, and `Board.sources` keeps the origins by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, inf
from typing import Any, Literal

from codesign.errors import InputError
from codesign.hardware.interval import Interval
from codesign.load import Tree, build, read_yaml, resource_names, resource_path

SCHEMA = 1
RESOURCES = ("lut", "ff", "dsp", "bram18", "uram")

Family = Literal["zynq_7000", "artix_7", "zynq_ultrascale_plus", "virtex_ultrascale_plus"]

_DSP_WIDTH: Mapping[str, tuple[int, int]] = {
    "zynq_7000": (25, 18),
    "artix_7": (25, 18),
    "zynq_ultrascale_plus": (27, 18),
    "virtex_ultrascale_plus": (27, 18),
}
"""Signed operands of one multiplier [bits]. Source: AMD UG479 (DSP48E1), UG579 (DSP48E2)."""

_PORT_BITS: Mapping[str, int] = {
    "zynq_7000": 64,
    "artix_7": 128,
    "zynq_ultrascale_plus": 128,
    "virtex_ultrascale_plus": 512,
}
"""Widest port to the memory outside [bits].

Source: AMD UG585 (AXI_HP) and UG1085 (S_AXI_HP); without a processor the user port of the memory
controller, eight times the memory's data pins (UG586, 16 pins; PG150, 64 pins)."""

_CEILING_SOURCE = "report_failfast guidelines of AMD Vivado (LUT 70, FF 50, DSP 80, RAMB 80 %)"


@dataclass(frozen=True, slots=True)
class Resources:
    """Counts of a device's resources; block RAM in halves of 18 Kb."""

    lut: int
    ff: int
    dsp: int
    bram18: int
    uram: int

    def __post_init__(self) -> None:
        for name in RESOURCES:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} cannot be negative, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Share of each resource that a design may fill and still be expected to close timing.

    Source: `report_failfast` of AMD Vivado for LUT, FF, DSP and block RAM; it has no line for
    UltraRAM alone, which takes block RAM's.
    """

    lut: float = 0.70
    ff: float = 0.50
    dsp: float = 0.80
    bram18: float = 0.80
    uram: float = 0.80

    def __post_init__(self) -> None:
        for name in RESOURCES:
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0 .. 1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Dram:
    """Memory outside the chip and its peak rate [bytes/s]."""

    name: str
    bytes_per_s: float

    def __post_init__(self) -> None:
        if not 0 < self.bytes_per_s < inf:
            raise ValueError(f"bytes_per_s must be positive, got {self.bytes_per_s}")


@dataclass(frozen=True, slots=True)
class Board:
    """One board. `clocks_mhz` are the clocks to choose from, rising [MHz]."""

    name: str
    title: str
    part: str
    family: Family
    resources: Resources
    dram: Dram
    clocks_mhz: tuple[float, ...]
    typical_clock_mhz: float
    int8_macs_per_dsp: int
    static_power_w: Interval
    """What the board draws whatever the accelerator does: leakage, processor, DRAM."""
    board_part: str | None = None
    ceilings: Ceilings = field(default_factory=Ceilings)
    note: str = ""
    sources: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """Where each number comes from, by its dotted key, e.g. "resources.dsp"."""

    def __post_init__(self) -> None:
        if not self.clocks_mhz or list(self.clocks_mhz) != sorted(set(self.clocks_mhz)):
            raise ValueError(f"clocks_mhz must rise, got {list(self.clocks_mhz)}")
        if self.clocks_mhz[0] <= 0 or self.clocks_mhz[-1] == inf:
            raise ValueError(f"clocks_mhz must be positive, got {list(self.clocks_mhz)}")
        if self.typical_clock_mhz not in self.clocks_mhz:
            raise ValueError(f"typical_clock_mhz is none of clocks_mhz {list(self.clocks_mhz)}")
        if self.int8_macs_per_dsp not in (1, 2):
            raise ValueError(f"int8_macs_per_dsp is 1 or 2, got {self.int8_macs_per_dsp}")

    @property
    def dsp_width(self) -> tuple[int, int]:
        """Widths of the two signed operands of one DSP block [bits]."""
        return _DSP_WIDTH[self.family]

    @property
    def port_bits(self) -> int:
        """Widest port to the memory outside [bits]: no wider stream is fed a beat per cycle."""
        return _PORT_BITS[self.family]

    @property
    def budget(self) -> dict[str, int]:
        """What a design may use: each resource times its ceiling, rounded down."""
        return {
            name: floor(getattr(self.resources, name) * getattr(self.ceilings, name))
            for name in RESOURCES
        }

    def clock_hz(self, clock_mhz: float, place: str) -> float:
        """Return one of the board's clocks [Hz].

        Raises:
            InputError: it is none of them; `place` is where it was asked for.
        """
        if clock_mhz not in self.clocks_mhz:
            offered = ", ".join(f"{clock:g}" for clock in self.clocks_mhz)
            problem = f"{self.name} has no clock of {clock_mhz:g} MHz"
            raise InputError(place, problem, f"it offers {offered}")
        return clock_mhz * 1e6

    @staticmethod
    def load(name: str) -> Board:
        """Return the board of that name, or the one that a YAML file describes.

        Raises:
            InputError: no such board or file, or the file is wrong (says where and how).
        """
        path = resource_path("boards", name)
        data = read_yaml(path)
        schema = data.pop("schema", None)
        if schema != SCHEMA:
            raise InputError(f"{path}: schema", f"must be {SCHEMA}, got {schema}")
        sources: dict[str, str] = {f"ceilings.{kind}": _CEILING_SOURCE for kind in RESOURCES}
        plain = _without_sources(data, str(path), "", sources)
        for key in ("name", "sources"):
            if key in plain:
                raise InputError(f"{path}: {key}", "is no key here", "it follows from the file")
        return build(Board, {**plain, "name": path.stem, "sources": sources}, str(path))


def boards() -> tuple[Board, ...]:
    """Return every board that can be named, in order of name: built in and the user's own."""
    return tuple(Board.load(name) for name in resource_names("boards"))


def _without_sources(data: Tree, place: str, prefix: str, sources: dict[str, str]) -> Tree:
    """Return the plain numbers of `data`, and put their sources into `sources`.

    Raises:
        InputError: a number has no source.
    """
    plain: Tree = {}
    for name, entry in data.items():
        key = f"{prefix}{name}"
        if isinstance(entry, dict) and "source" in entry:
            source = entry.pop("source")
            if not isinstance(source, str) or not source.strip():
                raise InputError(f"{place}: {key}.source", "must be text", "name the data sheet")
            sources[key] = source
            plain[name] = entry["value"] if set(entry) == {"value"} else entry
        elif isinstance(entry, dict):
            plain[name] = _without_sources(entry, place, f"{key}.", sources)
        elif _holds_number(entry):
            remedy = f"write {name}: {{value: {entry}, source: where it comes from}}"
            raise InputError(f"{place}: {key}", "has no source", remedy)
        else:
            plain[name] = entry
    return plain


def _holds_number(entry: Any) -> bool:
    items = entry if isinstance(entry, list) else [entry]
    return any(isinstance(item, int | float) and not isinstance(item, bool) for item in items)
