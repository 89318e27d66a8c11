"""From a generous space and a board to a smaller one: `codesign space`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codesign.accuracy.dataset import Dataset
from codesign.cost.estimate import counts
from codesign.errors import InputError
from codesign.fit.floor import Floor
from codesign.fit.narrow import Narrower, Narrowing
from codesign.flow.folder import write_text
from codesign.flow.prepare import family_of, target_for
from codesign.flow.settings import Settings, load_settings
from codesign.flow.space_file import SCHEMA
from codesign.hardware.board import RESOURCES
from codesign.load import yaml_text
from codesign.network.graph import Graph
from codesign.report.narrowed import narrowed_rows, narrowed_text
from codesign.search.trial import violations


def narrow_space(flow: str, changes: Iterable[str], samples: int, file: Path | None) -> str:
    """Narrow the space of a flow for its board and wish, and return what was found as text.

    Args:
        flow: its name or file.
        changes: `key=value` and `quantity>=bound`, as of `codesign run`.
        samples: contexts at which values are compared, where the space is large.
        file: where to write the space that is left, if anywhere.

    Raises:
        InputError: the flow, a key or a value is wrong, or the file cannot be written.
        InfeasibleError: no network was found that the board can hold within the wish.
    """
    settings = load_settings(flow, changes)
    if len(settings.boards) > 1:
        raise InputError("board", "a space is made for one board", "name one")
    found = narrowed(settings, samples)
    if file is not None:
        write_text(file, _file_text(settings, found))
    return narrowed_text(found)


def narrowed(settings: Settings, samples: int) -> Narrowing:
    """Return the space of a flow without what its board makes no use of.

    Raises:
        InfeasibleError: no network was found that the board can hold within the wish.
    """
    dataset: Dataset = settings.build_member("dataset").load()
    family = family_of(settings, dataset)
    target = target_for(settings.board, settings.hardware, settings.wish)
    clock_hz = max(target.clocks_hz)
    named = {c.name for c in settings.wish} | {o.name for o in settings.objectives}

    def refuse(graph: Graph) -> float:
        return sum(violations(counts(graph), settings.wish).values())

    return Narrower(
        space=family.space(),
        decode=family.decode,
        floor=Floor(target.board, clock_hz, {**target.board.budget, **target.tightened}),
        longest=target.longest_interval(clock_hz),
        asked=tuple(name for name in RESOURCES if name in named),
        refuse=refuse,
        samples=samples,
        seed=settings.seed,
    ).narrow()


def _file_text(settings: Settings, found: Narrowing) -> str:
    """Return the file that `search.space` reads; beside the choices it says where they are from."""
    return yaml_text(
        {
            "schema": SCHEMA,
            "family": settings.data["network"]["family"],
            "board": settings.board,
            "wish": [constraint.text for constraint in settings.wish],
            "points": {"before": found.space.distinct, "after": found.left.distinct},
            "choices": {name: list(values) for name, values in found.kept.items()},
            "dropped": [
                {"choice": name, "value": value, "why": why}
                for name, value, why in narrowed_rows(found)
            ],
        }
    )
