"""Does it fit, how well, and why: `resource_fit.md` for people, `.json` for programs."""

from __future__ import annotations

import json

from codesign.hardware.board import RESOURCES
from codesign.report.breakdown import beside_layers, fifo_rows, layer_rows, resource_rows
from codesign.report.explain import (
    CAVEATS,
    binding,
    misses,
    remedies,
    sources,
    verdict,
    wish_text,
)
from codesign.report.findings import Findings
from codesign.report.markdown import bullets, escaped, table
from codesign.report.performance import performance
from codesign.report.ports import port_rows
from codesign.report.quantities import count, percent, quantity, shape_text, shown
from codesign.report.resource_json import resource_tree

RESOURCE_LEGEND = (
    "The range is where an implementation is expected; what exceeds the ceiling there may not fit. "
    "C-synthesis counts the accelerator alone, without FIFOs and shell."
)
LAYER_LEGEND = (
    "The bottleneck stands in bold. Cycles are those between images if nothing else were slower. "
    "W and A are the bits of weights and outputs."
)

PORT_LEGEND = (
    "Bytes are those of an image. Memory cycles are those between images that the board's memory "
    "needs for a port, which has a share of its bandwidth."
)


def resource_fit(findings: Findings) -> dict[str, str]:
    """Return `resource_fit.md` and `resource_fit.json`."""
    tree = json.dumps(resource_tree(findings), indent=2, allow_nan=False)
    return {"resource_fit.md": _markdown(findings), "resource_fit.json": tree + "\n"}


def _markdown(findings: Findings) -> str:
    board, clock = findings.board, shown("clock_mhz", findings.design.clock_hz / 1e6)
    where = f"{escaped(board.title)} (`{board.part}`) at {clock}"
    blocks = [
        f"# {escaped(findings.title)}: resource fit",
        f"**{escaped(verdict(findings))}.** {where}.",
        *_why_not(findings),
        "## Resources after implementation",
        _resource_table(findings),
        RESOURCE_LEGEND,
        "## Speed and energy",
        _performance_table(findings),
        bullets(binding(findings)),
        *_wish_section(findings),
        "## Layers",
        _layer_table(findings),
        LAYER_LEGEND,
        "## FIFOs deeper than the minimum",
        _fifo_table(findings),
        "## Ports",
        _port_table(findings),
        PORT_LEGEND,
        "## How sure this is",
        bullets(CAVEATS),
        table(["figure", "rests on"], [[key, text] for key, text in sources(findings).items()]),
    ]
    return "\n\n".join(blocks) + "\n"


def _why_not(findings: Findings) -> list[str]:
    missed, hints = misses(findings), remedies(findings)
    blocks = ["## What is missing", bullets(missed)] if missed else []
    return [*blocks, "What would help:", bullets(hints)] if hints else blocks


def _resource_table(findings: Findings) -> str:
    heads = ["resource", "used", "range", "of board", "ceiling", "allowed", "margin", "state"]
    heads = [*heads, "C-synthesis", "range"]
    rows = [
        [
            quantity(row.name).label,
            count(row.used),
            f"{count(row.low)} to {count(row.high)}",
            f"{percent(row.share)} of {count(row.total)}",
            percent(row.ceiling, 0),
            count(row.allowed),
            count(row.margin),
            row.state,
            count(row.csynth),
            f"{count(row.csynth_low)} to {count(row.csynth_high)}",
        ]
        for row in resource_rows(findings)
    ]
    return table(heads, rows, numbers=range(1, 7))


def _performance_table(findings: Findings) -> str:
    rows = [[row.label, row.value_text, row.range_text] for row in performance(findings)]
    return table(["figure", "value", "range"], rows, numbers=(1,))


def _wish_section(findings: Findings) -> list[str]:
    if not findings.wish:
        return []
    words = {True: "met", False: "missed", None: "unknown"}
    rows = [
        [f"`{check.constraint.text}`", words[check.met], wish_text(check)]
        for check in findings.wish_checks
    ]
    return ["## Wish", table(["constraint", "state", "value"], rows)]


def _layer_table(findings: Findings) -> str:
    heads = ["layer", "operator", "output", "bits", "MACs", "knobs", "cycles", "of interval"]
    heads += [quantity(name).label for name in RESOURCES]
    rows = [
        [
            f"**{row.layer.name}**" if row.bottleneck else row.layer.name,
            row.operator,
            shape_text(row.layer.shape),
            row.bits,
            count(row.layer.macs),
            ", ".join(f"{knob} {value}" for knob, value in row.layer.knobs.items()),
            count(row.layer.cycles),
            percent(row.share, 0),
            *(count(row.usage[name]) for name in RESOURCES),
        ]
        for row in layer_rows(findings)
    ]
    beside = [
        [part, *[""] * 7, *(count(usage[name]) for name in RESOURCES)]
        for part, usage in beside_layers(findings).items()
    ]
    used = {row.name: row.used for row in resource_rows(findings)}
    macs, cycles = findings.estimate.macs, round(findings.estimate.interval_cycles.value)
    total = ["total", "", "", "", count(macs), "", count(cycles), ""]
    total += [count(used[name]) for name in RESOURCES]
    return table(heads, [*rows, *beside, total], numbers=(4, *range(6, 13)))


def _fifo_table(findings: Findings) -> str:
    fifos = fifo_rows(findings)
    if not fifos:
        return "None."
    rows = [
        [
            f"{row.source} to {row.sink}",
            count(row.depth),
            "" if row.fullest is None else count(row.fullest),
            count(row.bits),
            row.memory,
            count(row.lut),
            count(row.bram18),
        ]
        for row in fifos
    ]
    heads = ["stream", "depth", "fullest", "bits", "memory", "LUT", "BRAM18"]
    return table(heads, rows, numbers=(1, 2, 3, 5, 6))


def _port_table(findings: Findings) -> str:
    rows = [
        [
            row.name,
            count(row.lanes),
            count(row.beat_bits),
            count(row.bytes),
            count(row.padding_bytes),
            count(row.memory_cycles),
        ]
        for row in port_rows(findings)
    ]
    heads = ["port", "elements per beat", "bits", "bytes", "of them padding", "memory cycles"]
    return table(heads, rows, numbers=(1, 2, 3, 4, 5))
