"""Where resources and cycles go, in rows whose parts add up to their totals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

from codesign.cost import latency, resources
from codesign.cost.estimate import LayerEstimate, fifos_usage
from codesign.design import MIN_FIFO_DEPTH, Instance
from codesign.hardware.board import RESOURCES
from codesign.hardware.fifo import is_shift_register
from codesign.network.graph import Node
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window
from codesign.report.findings import Findings

STREAMS, FIFOS, SHELL = "ports, forks and width changes", "FIFOs", "shell (DMA, interconnect)"
"""What takes resources beside the layers' engines."""


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """One resource of the board and what the design takes of it."""

    name: str
    used: int
    """After implementation; `low` and `high` are the range in which to expect it."""
    low: int
    high: int
    csynth: int
    """As C-synthesis would report the accelerator, without shell and FIFO memories; with the range
    `csynth_low` to `csynth_high`."""
    csynth_low: int
    csynth_high: int
    total: int
    ceiling: float
    allowed: int

    @property
    def share(self) -> float:
        """Part of the board's total that is used; 0 where the board has none and none is used."""
        return self.used / self.total if self.total else float(self.used > 0)

    @property
    def margin(self) -> int:
        """What is left below the ceiling; negative where the design has too many."""
        return self.allowed - self.used

    @property
    def state(self) -> Literal["fits", "may not fit", "exceeds"]:
        """Return "may not fit" where the upper end of the estimate passes the ceiling."""
        if self.margin < 0:
            return "exceeds"
        return "may not fit" if self.high > self.allowed else "fits"


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer on its engine; `share` is the part of the interval that it is busy."""

    layer: LayerEstimate
    operator: str
    bits: str
    share: float
    bottleneck: bool
    usage: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FifoRow:
    """One FIFO deeper than the minimum."""

    name: str
    source: str
    sink: str
    depth: int
    bits: int
    memory: Literal["shift registers", "BRAM"]
    lut: int
    bram18: int
    fullest: int | None
    """Most words that the simulation saw in it; None without one."""


def resource_rows(findings: Findings) -> tuple[ResourceRow, ...]:
    """Return one row per resource."""
    estimate, board = findings.estimate, findings.board
    return tuple(
        ResourceRow(
            name=name,
            used=ceil(estimate.resources[name].value),
            low=floor(estimate.resources[name].low),
            high=ceil(estimate.resources[name].high),
            csynth=ceil(estimate.csynth[name].value),
            csynth_low=floor(estimate.csynth[name].low),
            csynth_high=ceil(estimate.csynth[name].high),
            total=getattr(board.resources, name),
            ceiling=getattr(board.ceilings, name),
            allowed=estimate.budget[name],
        )
        for name in RESOURCES
    )


def parts(findings: Findings) -> dict[str, dict[str, int]]:
    """Return whole resources per layer and for what lies beside; they sum to `used`."""
    exact = _exact_parts(findings)
    rounded: dict[str, dict[str, int]] = {part: {} for part in exact}
    for row in resource_rows(findings):
        shares = whole([usage[row.name] for usage in exact.values()], row.used)
        for part, share in zip(exact, shares, strict=True):
            rounded[part][row.name] = share
    return rounded


def beside_layers(findings: Findings) -> dict[str, dict[str, int]]:
    """Return the parts that belong to no layer."""
    layers = {node.name for node in findings.graph}
    return {part: usage for part, usage in parts(findings).items() if part not in layers}


def whole(amounts: Sequence[float], total: int) -> list[int]:
    """Return amounts rounded so that they sum to `total` (the largest remainders round up)."""
    rounded = [floor(amount) for amount in amounts]
    by_remainder = sorted(range(len(amounts)), key=lambda i: rounded[i] - amounts[i])
    for index in by_remainder[: max(0, total - sum(rounded))]:
        rounded[index] += 1
    return rounded


def layer_rows(findings: Findings) -> tuple[LayerRow, ...]:
    """Return one row per layer, in the graph's order."""
    usage = parts(findings)
    slowest = {instance.layer for instance in slowest_processes(findings)}
    return tuple(
        LayerRow(
            layer=layer,
            operator=operator_text(findings.graph[layer.name]),
            bits=bits_text(findings.graph[layer.name]),
            share=layer.cycles / findings.estimate.interval_cycles.value,
            bottleneck=layer.name in slowest,
            usage=usage[layer.name],
        )
        for layer in findings.estimate.layers
    )


def fifo_rows(findings: Findings) -> tuple[FifoRow, ...]:
    """Return the FIFOs that are deeper than the minimum."""
    rows = []
    for fifo in findings.design.fifos:
        if fifo.depth <= MIN_FIFO_DEPTH:
            continue
        bits = int(fifo.stream.lanes) * int(fifo.stream.bits)
        usage = resources.fifo_usage(fifo.depth, bits)
        rows.append(
            FifoRow(
                name=fifo.name,
                source=fifo.source,
                sink=fifo.sink,
                depth=fifo.depth,
                bits=bits,
                memory="shift registers" if is_shift_register(fifo.depth, bits) else "BRAM",
                lut=ceil(float(usage["lut"])),
                bram18=ceil(float(usage["bram18"])),
                fullest=findings.timing.occupancy[fifo.name] if findings.timing else None,
            )
        )
    return tuple(rows)


def slowest_processes(findings: Findings) -> tuple[Instance, ...]:
    """Return the processes that set the pace: of engines, or at the accelerator's ports."""
    slowest = max(process_interval(instance) for instance in findings.design.instances)
    return tuple(i for i in findings.design.instances if process_interval(i) == slowest)


def process_interval(instance: Instance) -> int:
    """Return the cycles between images if nothing else were slower."""
    return int(latency.process_interval(instance.structure))


def operator_text(node: Node) -> str:
    """Return an operator with its window, e.g. "Conv2d 3 x 3, stride 2"."""
    name = type(node.op).__name__
    if isinstance(node.op, Conv2d | ConvTranspose2d):
        return f"{name} {_window_text(node.op.window)}"
    if isinstance(node.op, Pool2d):
        return f"{name} {node.op.kind} {_window_text(node.op.window)}"
    return name


def bits_text(node: Node) -> str:
    """Return the widths of weights (where there are some) and outputs, e.g. "W4 A8"."""
    weights = f"W{node.op.weight_bits} " if node.op.has_bias else ""
    return f"{weights}A{node.output.bits}"


def _window_text(window: Window) -> str:
    rows, columns = window.kernel
    kernel = f"{rows} x {columns}"
    if window.stride == (1, 1):
        return kernel
    down, across = window.stride
    return f"{kernel}, stride {down}" + ("" if down == across else f" x {across}")


def _exact_parts(findings: Findings) -> dict[str, dict[str, float]]:
    """Return implementation-level resources of everything that the design is made of."""
    design = findings.design
    ports = resources.implemented(
        resources.total(
            resources.process_usage(instance.structure)
            for instance in design.instances
            if not instance.layer
        )
    )
    fifos = fifos_usage(design)
    beside = {
        STREAMS: {name: float(ports[name]) for name in RESOURCES},
        FIFOS: {name: float(fifos[name]) for name in RESOURCES},
        SHELL: {name: float(resources.SHELL[name][1]) for name in RESOURCES},
    }
    engines = {layer.name: dict(layer.usage) for layer in findings.estimate.layers}
    return engines | beside
