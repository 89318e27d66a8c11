"""What was dropped from a space, and why, for the screen and for the file."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from codesign.fit.narrow import Dropped, Narrowing, Spread, lack
from codesign.report.columns import columns
from codesign.report.quantities import percent
from codesign.space import Value


def narrowed_rows(found: Narrowing) -> Iterator[tuple[str, Value, str]]:
    """Yield choice, value and reason of everything that was dropped."""
    for one in found.dropped:
        yield one.choice, one.value, _why(one, found.intervals)


def narrowed_text(found: Narrowing) -> str:
    """Return a table of what was dropped, and how the space changed by it."""
    rows = [[choice, str(value), why] for choice, value, why in narrowed_rows(found)]
    parts = [columns(["choice", "dropped", "why"], rows, right=())] if rows else []
    parts.append(
        columns(
            ["", "points", "may fit", "MACs of those: median", "90 %"],
            [
                _spread("before", found.space.distinct, found.before),
                _spread("after", found.left.distinct, found.after),
            ],
            right=range(1, 5),
        )
    )
    parts.append(
        f"{len(found.dropped)} values dropped, compared at {found.contexts} points each; shares "
        "are the mean over all resources of what is taken at the least"
    )
    return "\n\n".join(parts)


def _spread(name: str, points: int, spread: Spread) -> list[str]:
    middle, high = (f"{macs:,}" for macs in spread.macs)
    size = f"{points:,}" if points < 10**9 else f"{points:.2e}"
    return [name, size, f"{spread.possible} of {spread.drawn}", middle, high]


def _why(one: Dropped, intervals: tuple[int, ...]) -> str:
    own, other = one.own, one.other
    if other is None:
        return f"no network found fits: the closest {lack(own)}"
    if one.reason == "same":
        return f"no other capacity and cost than {one.by}"
    place = int(np.argmax(_ratios(one)))
    here, there = percent(float(own.costs[place, 0]), 2), percent(float(other.costs[place, 0]), 2)
    at = f"at {intervals[place]:,} cycles" if intervals[place] < 1 << 59 else "at any interval"
    better = f"{other.capacity.macs:,} MACs for {there} of the board"
    return f"{one.by} is never worse: {better}, not {own.capacity.macs:,} for {here}, {at}"


def _ratios(one: Dropped) -> list[float]:
    """Return, by interval, how many times more the network costs; 0 where it fits nowhere."""
    if one.other is None:
        return []
    pairs = zip(one.own.costs[:, 0], one.other.costs[:, 0], strict=True)
    return [float(own / other) if np.isfinite(own) else 0.0 for own, other in pairs]
