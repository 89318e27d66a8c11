"""Columns of plain text, for the screen."""

from __future__ import annotations

from collections.abc import Container, Sequence


def columns(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Container[int]) -> str:
    """Return aligned columns; those whose numbers are in `right` end flush, the others begin so."""
    widths = [max(len(row[number]) for row in [heads, *rows]) for number in range(len(heads))]
    lines = []
    for row in [heads, *rows]:
        cells = [
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
