"""Why things are as they are, in sentences: the verdict, what binds, what helps, how sure it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor

from codesign.cost.resources import IMPLEMENTATION_FACTOR
from codesign.cost.transfer import memory_interval
from codesign.design import Instance
from codesign.hardware.board import RESOURCES, Board
from codesign.report.breakdown import (
    SHELL,
    parts,
    process_interval,
    resource_rows,
    slowest_processes,
)
from codesign.report.findings import Findings, WishCheck
from codesign.report.quantities import count, percent, quantity, shown

CAVEATS = tuple(
    " ".join(text.split())
    for text in (
        """Resources are predicted on the implementation level (after place and route), which is
        what has to fit. The C-synthesis level stands beside them for comparison with a tool's own
        report: C-synthesis overstates logic.""",
        """LUT and FF are uncalibrated: composed from parts as public synthesis reports price them,
        and not yet compared with a synthesis of this very code.""",
        """The initiation interval of 1 and the pipeline depths are claims that only synthesis can
        confirm. Whether the clock is reached, only implementation can tell.""",
        """Energy is the least certain figure. Measure the board's idle power and put it into its
        file: that narrows the range most.""",
    )
)
"""What a reader must know before trusting a number."""

BOARDS_NAMED = 3
"""How many boards that would do are named: the smallest ones."""

_SPEED = ("fps", "interval_s", "latency_s")


def verdict(findings: Findings) -> str:
    """Return the answer in one line."""
    if not findings.fits:
        return f"Does not fit the {findings.board.title}"
    if not findings.wish_met:
        return f"Fits the {findings.board.title}, but misses the wish"
    kept = " and keeps the wish" if findings.wish else ""
    return f"Fits the {findings.board.title}{kept}"


def misses(findings: Findings) -> tuple[str, ...]:
    """Return what is too large, and which wishes are missed, worst first."""
    short = sorted(shortfalls(findings).items(), key=lambda item: -item[1])
    rows = {row.name: row for row in resource_rows(findings)}
    lines = []
    for name, share in short:
        row, label = rows[name], quantity(name).label
        allowed = row.used - _too_many(findings, name)
        lines.append(
            f"{label}: needs {count(row.used)}, may use {count(allowed)} of the board's "
            f"{count(row.total)}: {count(row.used - allowed)} too many ({percent(share, 0)} over)"
        )
    missed = [check for check in findings.wish_checks if check.met is False]
    return (*lines, *(f"wish {check.constraint.text}: {wish_text(check)}" for check in missed))


def shortfalls(findings: Findings) -> dict[str, float]:
    """Return the resources that the design has too many of, relative to what is allowed."""
    rows = {row.name: row for row in resource_rows(findings)}
    lacking = {name: _too_many(findings, name) for name in RESOURCES}
    return {
        name: excess / max(1, rows[name].used - excess)
        for name, excess in lacking.items()
        if excess > 0
    }


def remedies(findings: Findings) -> tuple[str, ...]:
    """Return what would help, the first thing first; nothing where all is well."""
    if not findings.fits:
        return tuple(_smaller(findings))
    missed = {check.constraint.name for check in findings.wish_checks if check.met is False}
    return tuple(_faster(findings)) if missed & set(_SPEED) else ()


def binding(findings: Findings) -> tuple[str, ...]:
    """Return what sets the pace, how far that is from the best possible, and what would help."""
    slowest, interval = slowest_processes(findings), findings.estimate.interval_cycles.value
    cycles = process_interval(slowest[0])
    lines = [f"{_pacemakers(slowest)} the pace with {count(cycles)} cycles per image."]
    memory = memory_interval(findings.design)
    if memory > cycles:
        lines = [f"The board's memory sets the pace with {count(memory)} cycles per image."]
        cycles = memory
    waiting = round(interval) - cycles
    if findings.estimate.simulated and waiting > 0:
        lines.append(
            f"Waiting at finite FIFOs adds {count(waiting)} cycles, {percent(waiting / cycles)}."
        )
    fit = findings.fit
    if not fit.feasible:
        why = (_sentence(fit.reason),) if fit.reason else ()
        return (*lines, "Nothing fits: this is the design that comes closest.", *why)
    if fit.interval > fit.bound:
        lines.append(
            f"With unlimited resources these templates reach {count(fit.bound)} cycles at the "
            f"least, {fit.interval / fit.bound:.3g} times the rate."
        )
    return (*lines, *_proof(findings), _sentence(fit.advice))


def _proof(findings: Findings) -> Iterator[str]:
    """Say how good the design is in what it was fitted for, and how sure that is."""
    fit = findings.fit
    if fit.gap > 0:
        yield (
            f"Fitted for {fit.objective}: a design could be better by {percent(fit.gap, 2)} at "
            "the most; the search for it was cut short."
        )
    if fit.objective == "latency" and fit.latency > 0:
        simulated = findings.estimate.latency_cycles.value
        apart = simulated / fit.latency - 1
        yield (
            f"The latency was minimised in closed form, {count(round(fit.latency))} cycles; the "
            f"simulated pipeline takes {count(round(simulated))}, {percent(abs(apart))} "
            f"{'more' if apart >= 0 else 'less'}. The proof is of the former."
        )


def wish_text(check: WishCheck) -> str:
    """Return the value and its distance from the bound, e.g. "335 kfps, 34 % to spare"."""
    if check.value is None or check.margin is None:
        return "not measured"
    value = shown(check.constraint.name, check.value)
    if check.constraint.bound == 0:
        return f"{value}, the bound is 0"
    too = "too little" if check.constraint.operator == ">=" else "too much"
    return f"{value}, {_distance(abs(check.margin))} {'to spare' if check.met else too}"


def _distance(share: float) -> str:
    """Return a relative distance; what is almost all of it does not read as all of it."""
    if 0.99 < share < 1:
        return "more than 99 %"
    return percent(share, 0 if share >= 0.1 else 1)


def sources(findings: Findings) -> dict[str, str]:
    """Return where each kind of figure comes from."""
    origin = findings.board.sources
    unknown = "the board's file gives no source"
    return {
        "accuracy": "computed with the integer reference"
        + (", which the C++ equals bit for bit" if findings.proven else ""),
        "interval, latency": "simulation of rows, engines and finite FIFOs; loop rules exact in "
        "1,139 of 1,151 pipelined loops of public C-synthesis reports",
        "LUT, FF": "parts priced from public synthesis reports (Vivado HLS 2018.2 to Vitis HLS "
        f"2025.1), times implementation over C-synthesis: {_factor('lut')}, {_factor('ff')}",
        "DSP, BRAM18, URAM": "AMD UG479, UG579, UG473, UG573; checked against public reports",
        "shell": "utilisation reports of AXI DMA shells on Zynq",
        "board": origin.get("resources.lut", unknown),
        "ceilings": origin.get("ceilings.lut", unknown),
        "static power": origin.get("static_power_w", unknown),
        "energy of operations": "Horowitz, ISSCC 2014, figure 1.1.9 (45 nm), times 2 to 14 for "
        "programmable logic (Kuon and Rose, TCAD 2007)",
        "roofline": "Williams, Waterman and Patterson, CACM 2009",
    }


def _factor(name: str) -> str:
    """Return how implementation relates to C-synthesis, as the cost model has it."""
    low, value, high = IMPLEMENTATION_FACTOR[name]
    return f"{quantity(name).label} {value:g} ({low:g} to {high:g})"


def _too_many(findings: Findings, name: str) -> int:
    """Return how much of a resource goes beyond the board's ceiling or a tighter wish."""
    row = next(row for row in resource_rows(findings) if row.name == name)
    capped = [w.bound for w in findings.wish if w.name == name and w.operator == "<="]
    beyond = row.used - floor(min(row.allowed, *capped, row.used))
    return beyond or findings.fit.excess.get(name, 0)


def _smaller(findings: Findings) -> Iterator[str]:
    """Say what would make the design fit."""
    short = shortfalls(findings)
    yield _hungriest(findings, max(short, key=lambda name: short[name]))
    yield from _tight_wishes(findings)
    if findings.fit.ways_out:
        yield from findings.fit.ways_out
        return
    if _pressed_for_speed(findings):
        yield (
            "Wish for fewer frames per second, or allow more latency: slower engines share "
            "more hardware."
        )
    ceilings = _higher_ceilings(findings)
    if ceilings:
        yield ceilings
    holding = [board for board in findings.other_boards if _holds(board, findings)]
    if holding:
        smallest = sorted(holding, key=lambda board: board.resources.lut)[:BOARDS_NAMED]
        titles = ", ".join(board.title for board in smallest)
        yield f"Take a larger board: this design fits {titles}."


def _pressed_for_speed(findings: Findings) -> bool:
    """Whether a wish for speed made the design larger than it could be."""
    met = {check.met for check in findings.wish_checks if check.constraint.name in _SPEED}
    return True in met or (False in met and findings.fit.interval == findings.fit.bound)


def _faster(findings: Findings) -> Iterator[str]:
    """Say what would make a design that fits faster."""
    if findings.fit.interval > findings.fit.bound:
        yield f"More hardware: {findings.fit.advice}."
    else:
        yield "No folding of these templates is faster at this clock: the network has to shrink."
    clock_mhz = findings.design.clock_hz / 1e6
    highest = findings.board.clocks_mhz[-1]
    if highest > clock_mhz:
        yield (
            f"The board's clocks go up to {highest:g} MHz, {highest / clock_mhz:.3g} times "
            f"this one; whether the design reaches it, only implementation can tell."
        )
    layers = sorted({i.layer for i in slowest_processes(findings) if i.layer})
    if layers:
        yield (
            f"A smaller map, fewer channels or a stride in {' and '.join(layers)} would shorten "
            "the interval."
        )


def _pacemakers(slowest: Sequence[Instance]) -> str:
    """Return the subject of "set the pace" with its verb."""
    layers = list(dict.fromkeys(instance.layer for instance in slowest if instance.layer))
    if not layers:
        return f"No layer but the process {slowest[0].name} sets"
    if len(layers) == 1:
        return f"Layer {layers[0]} sets"
    return f"Layers {', '.join(layers[:-1])} and {layers[-1]} set"


def _hungriest(findings: Findings, resource: str) -> str:
    """Say who takes most of a resource."""
    takes = {part: usage[resource] for part, usage in parts(findings).items()}
    part = max(takes, key=lambda name: takes[name])
    label, share = quantity(resource).label, takes[part] / max(1, sum(takes.values()))
    taken = f"{count(takes[part])} {label}, {percent(share, 0)} of all that is needed"
    if part in {node.name for node in findings.graph}:
        return (
            f"Layer {part} takes {taken}: fewer channels, a smaller kernel or fewer bits there "
            "help first."
        )
    if part == SHELL:
        return f"What surrounds any accelerator takes {taken}: a larger board helps first."
    return f"The {part} take {taken}: fewer or narrower layers help first."


def _tight_wishes(findings: Findings) -> list[str]:
    """Name the wishes that allow less of a missing resource than the board does."""
    budget, short = findings.estimate.budget, shortfalls(findings)
    return [
        f"The wish {wanted.text} allows less than the board, which has room for "
        f"{count(budget[wanted.name])}."
        for wanted in findings.wish
        if wanted.name in short and wanted.bound < budget[wanted.name]
    ]


def _higher_ceilings(findings: Findings) -> str:
    """Say which ceilings would let the design in, if the device itself holds it."""
    beyond = [row for row in resource_rows(findings) if row.margin < 0]
    if not beyond or any(row.used > row.total for row in beyond):
        return ""
    wanted = ", ".join(
        f"ceilings.{row.name} {ceil(100 * row.used / row.total) / 100:.2f} for {row.ceiling:.2f}"
        for row in beyond
    )
    return (
        f"The device itself holds the design: {wanted} in the board's file would let it in. "
        "Whether timing still closes, only implementation can tell."
    )


def _holds(board: Board, findings: Findings) -> bool:
    """Whether the design, as it is, fits another board."""
    return board.name != findings.board.name and all(
        row.used <= board.budget[row.name] for row in resource_rows(findings)
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
