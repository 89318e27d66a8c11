"""The last lines on the screen: what was chosen, what it does, and where everything lies."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from codesign.hardware.board import Board
from codesign.network.graph import Graph
from codesign.report.breakdown import ResourceRow, bits_text, operator_text, resource_rows
from codesign.report.explain import binding, misses, remedies, verdict, wish_text
from codesign.report.findings import Findings
from codesign.report.performance import performance
from codesign.report.quantities import count, percent, quantity, shown

WIDTH = 80
_INDENT = 11
_BAR = 20
_FILES = {
    "report": "report.html",
    "fit": "resource_fit.md",
    "model": "best/model.onnx",
    "HLS": "best/hls",
}


def summary(findings: Findings, folder: Path | None = None) -> str:
    """Return the result in plain lines of at most 80 columns (a long path or name apart).

    Args:
        findings: what was found.
        folder: where the run lies; None where nothing was written.
    """
    lines = [
        *_entry("result", f"{verdict(findings)}."),
        *(line for text in misses(findings) for line in _entry("missing", text)),
        *(line for text in remedies(findings) for line in _entry("try", text)),
        *_network(findings.graph),
        *_accuracy(findings),
        *_speed(findings),
        *_board(findings),
        *(line for text in binding(findings) for line in _entry("binds", text)),
        *_wish(findings),
        *_proof(findings),
        *_time(findings),
        *_files(folder),
    ]
    return "\n".join(_without_repeated_labels(lines))


def _network(graph: Graph) -> Iterator[str]:
    counts = f"{count(graph.parameters)} parameters, {count(graph.macs)} MACs per image"
    yield from _entry("network", f"{graph.name}: {len(graph.nodes)} layers, {counts}")
    widest = max(len(node.name) for node in graph)
    rows = [(node.name, operator_text(node), bits_text(node)) for node in graph]
    middle = max(len(operator) for _, operator, _ in rows)
    for name, operator, bits in rows:
        yield f"{'':{_INDENT}}{name:<{widest}}  {operator:<{middle}}  {bits}"


def _accuracy(findings: Findings) -> Iterator[str]:
    parts = []
    for split, share in findings.accuracies.items():
        images = findings.images.get(split)
        parts.append(
            f"{percent(share, 2)} {split}" + (f" ({count(images)} images)" if images else "")
        )
    if parts:
        how = "as the hardware computes it" if findings.proven else "by the integer reference"
        yield from _entry("accuracy", f"{', '.join(parts)}, {how}")


def _speed(findings: Findings) -> Iterator[str]:
    rows = {row.name: row for row in performance(findings)}
    clock = shown("clock_mhz", findings.estimate.clock_hz / 1e6)
    interval, latency = rows["interval_cycles"], rows["latency_s"]
    yield from _entry(
        "speed",
        f"{count(round(findings.estimate.fps))} frames per second, one every "
        f"{interval.value_text} at {clock}; latency {latency.value_text}",
    )
    energy, power = rows["energy_j"], rows["power_w"]
    yield from _entry(
        "energy",
        f"{energy.value_text} per image ({energy.range_text}), {power.value_text} at full rate",
    )


def _board(findings: Findings) -> Iterator[str]:
    yield from _entry("board", _board_text(findings.board))
    for row in resource_rows(findings):
        if row.total:
            yield f"{'':{_INDENT}}{_resource_line(row)}"


def _board_text(board: Board) -> str:
    return f"{board.title} ({board.part}); '|' is the ceiling"


def _resource_line(row: ResourceRow) -> str:
    label = quantity(row.name).label
    amount = f"{count(row.used)} of {count(row.total)}"
    state = "" if row.state == "fits" else f"  {row.state}"
    return f"{label:<6} {_bar(row)} {percent(row.share):>7}  {amount}{state}"


def _bar(row: ResourceRow) -> str:
    """Return the share as a bar of plain letters, with the ceiling in it."""
    filled = min(_BAR, round(row.share * _BAR))
    if row.used:
        filled = max(1, filled)
    cells = ["#"] * filled + ["."] * (_BAR - filled)
    cells[min(_BAR - 1, round(row.ceiling * _BAR))] = "|"
    return "".join(cells)


def _wish(findings: Findings) -> Iterator[str]:
    words = {True: "met", False: "MISSED", None: "unknown"}
    for check in findings.wish_checks:
        text = f"{check.constraint.text} {words[check.met]}: {wish_text(check)}"
        yield from _entry("wish", text)


def _proof(findings: Findings) -> Iterator[str]:
    proof = findings.validation
    if proof is None:
        return
    what = f"C simulation ({proof.tool_text})"
    if not proof.passed:
        yield from _entry("proof", f"{what} FAILED: {proof.message}")
        return
    yield from _entry(
        "proof",
        f"{what}: {count(proof.images)} images and {proof.layers} layers alone equal the "
        "integer reference bit for bit",
    )


def _time(findings: Findings) -> Iterator[str]:
    if findings.stages:
        stages = ", ".join(f"{name} {share:.1f} s" for name, share in findings.stages.items())
        yield from _entry("time", f"{sum(findings.stages.values()):.1f} s: {stages}")


def _files(folder: Path | None) -> Iterator[str]:
    if folder is None:
        return
    yield f"{'files':<{_INDENT}}{folder}"
    for name, path in _FILES.items():
        yield f"{'':{_INDENT}}{name:<7} {folder / path}"


def _entry(label: str, text: str) -> list[str]:
    """Return text beside its label, wrapped to the screen; words are never torn."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"{label:<{_INDENT}}",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _without_repeated_labels(lines: list[str]) -> Iterator[str]:
    """Print the label of several entries of one kind only once."""
    last = ""
    for line in lines:
        label = line[:_INDENT].strip()
        yield " " * _INDENT + line[_INDENT:] if label and label == last else line
        last = label or last
