"""Goal presets: one word for what a search optimises and what `fit` is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from codesign.errors import InputError, nearest
from codesign.load import Tree


@dataclass(frozen=True, slots=True)
class Preset:
    """What a goal stands for."""

    objectives: tuple[str, ...]
    """`search.objectives`; the network that is most accurate leads in all of them."""
    hardware: str
    """`hardware.objective`."""


GOALS: Mapping[str, Preset] = {
    "low_latency": Preset(("max accuracy", "min latency_s"), "latency"),
    "high_throughput": Preset(("max accuracy", "max fps"), "interval"),
    "low_power": Preset(("max accuracy", "min power_w"), "resources"),
    "low_energy": Preset(("max accuracy", "min energy_j"), "energy"),
}
"""Source: Ney et al., "HALF: Holistic Auto Machine Learning for FPGAs", FPL 2021 (arXiv
2106.14771), which shows low energy, low power and high throughput; low latency is their like."""


def with_goal(data: Tree, changes: Iterable[str], place: str) -> Tree:
    """Return a flow's data with what its goal stands for.

    What a person wrote nearer by wins: the command line's own objectives over its goal, that goal
    over the flow's objectives, and these over the goal of the same flow.

    Raises:
        InputError: there is no such goal.
    """
    said = [text.partition("=")[2] for text in changes if text.partition("=")[0] == "goal"]
    name = said[-1] if said else data.get("goal", "")
    if not name:
        return data
    if name not in GOALS:
        where = "command line: goal" if said else f"{place}: goal"
        raise InputError(where, f"there is no '{name}'", nearest(str(name), GOALS))
    preset = GOALS[str(name)]
    search, hardware = _section(data, "search"), _section(data, "hardware")
    if said:
        hardware.pop("weights", None)
        search.pop("objectives", None)
        hardware.pop("objective", None)
    search.setdefault("objectives", list(preset.objectives))
    hardware.setdefault("objective", preset.hardware)
    return {**data, "goal": name, "search": search, "hardware": hardware}


def _section(data: Tree, name: str) -> Tree:
    """Return a copy of a section; one that is no mapping is left to the schema to refuse."""
    section = data.get(name)
    return dict(section) if isinstance(section, Mapping) else {}
