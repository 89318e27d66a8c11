"""Markdown of tables and lists that also reads well as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """Return a Markdown table with the columns of `numbers` to the right.

    Cells hold Markdown of ours, and text of others through `escaped`.
    """
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    right = set(numbers)
    widths = [max(len(row[column]) for row in [heads, *cells]) for column in range(len(heads))]
    lines = [heads, *cells]
    texts = [
        "| "
        + " | ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in lines
    ]
    rule = "|" + "|".join(
        "-" * (width + 1) + (":" if column in right else "-") for column, width in enumerate(widths)
    )
    return "\n".join([texts[0], rule + "|", *texts[1:]])


def bullets(lines: Iterable[str]) -> str:
    """Return plain sentences as a list."""
    return "\n".join(f"- {escaped(line)}" for line in lines)


def escaped(text: str) -> str:
    """Return someone's text so that Markdown shows it as it is."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "<[]`*\\" else letter for letter in flat)
