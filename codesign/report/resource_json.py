"""The resource fit as JSON values, for `resource_fit.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from codesign.hardware.interval import Interval
from codesign.report.breakdown import (
    FifoRow,
    LayerRow,
    ResourceRow,
    beside_layers,
    fifo_rows,
    layer_rows,
    process_interval,
    resource_rows,
    slowest_processes,
)
from codesign.report.explain import CAVEATS, binding, misses, remedies, sources, verdict
from codesign.report.findings import Findings, WishCheck
from codesign.report.performance import performance
from codesign.report.ports import port_rows
from codesign.report.waiting import StallRow, batch_rows, stall_rows

SCHEMA = 1


def resource_tree(findings: Findings) -> dict[str, Any]:
    """Return everything about the fit as JSON values: SI units in the names, counts bare."""
    board = findings.board
    return {
        "schema": SCHEMA,
        "title": findings.title,
        "verdict": verdict(findings),
        "fits": findings.fits,
        "wish_met": findings.wish_met,
        "proven": findings.proven,
        "level": "implementation",
        "calibrated": False,
        "board": {"name": board.name, "title": board.title, "part": board.part},
        "clock_hz": findings.design.clock_hz,
        "resources": {row.name: _resource_tree(row) for row in resource_rows(findings)},
        "performance": {
            "simulated": findings.estimate.simulated,
            **{row.name: _interval_tree(row.range) for row in performance(findings)},
        },
        "pipeline": _pipeline_tree(findings),
        **_fit_tree(findings),
        "layers": [_layer_tree(row) for row in layer_rows(findings)],
        "beside_layers": beside_layers(findings),
        "fifos": [_fifo_tree(row) for row in fifo_rows(findings)],
        "ports": [asdict(row) for row in port_rows(findings)],
        "stalls": [_stall_tree(row) for row in stall_rows(findings)],
        "accuracies": {
            split: {"value": value, "images": findings.images.get(split)}
            for split, value in findings.accuracies.items()
        },
        "wish": [_wish_tree(check) for check in findings.wish_checks],
        "misses": list(misses(findings)),
        "remedies": list(remedies(findings)),
        "caveats": list(CAVEATS),
        "sources": sources(findings),
    }


def _fit_tree(findings: Findings) -> dict[str, Any]:
    """Return what binds, and what is too large."""
    slowest, fit = slowest_processes(findings), findings.fit
    return {
        "violations": {
            violation.resource: {
                "needed": violation.needed,
                "allowed": violation.allowed,
                "excess": violation.excess,
            }
            for violation in findings.estimate.violations
        },
        "fit": {
            "interval_cycles": fit.interval,
            "bound_cycles": fit.bound,
            "excess": dict(fit.excess),
            "advice": fit.advice,
        },
        "bottleneck": {
            "cycles": process_interval(slowest[0]),
            "processes": [instance.name for instance in slowest],
            "layers": [row.layer.name for row in layer_rows(findings) if row.bottleneck],
        },
        "binding": list(binding(findings)),
    }


def _pipeline_tree(findings: Findings) -> dict[str, Any] | None:
    """Return what the simulation of the pipeline says, without ranges; None without one."""
    timing = findings.timing
    if timing is None:
        return None
    return {
        "interval_cycles": timing.interval,
        "interval_proven": timing.period is not None,
        "latency_cycles": timing.latency,
        "fill_cycles": timing.fill,
        "batch_latency_cycles": {str(row.images): row.cycles for row in batch_rows(findings)},
    }


def _interval_tree(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "value": interval.value, "high": interval.high}


def _resource_tree(row: ResourceRow) -> dict[str, Any]:
    return {
        "used": row.used,
        "low": row.low,
        "high": row.high,
        "csynth": row.csynth,
        "csynth_low": row.csynth_low,
        "csynth_high": row.csynth_high,
        "board": row.total,
        "ceiling": row.ceiling,
        "allowed": row.allowed,
        "share": row.share,
        "margin": row.margin,
        "state": row.state,
    }


def _layer_tree(row: LayerRow) -> dict[str, Any]:
    return {
        "name": row.layer.name,
        "operator": row.operator,
        "shape": list(row.layer.shape),
        "bits": row.bits,
        "macs": row.layer.macs,
        "knobs": dict(row.layer.knobs),
        "cycles": row.layer.cycles,
        "share_of_interval": row.share,
        "bottleneck": row.bottleneck,
        "resources": dict(row.usage),
    }


def _fifo_tree(row: FifoRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "source": row.source,
        "sink": row.sink,
        "depth_words": row.depth,
        "word_bits": row.bits,
        "memory": row.memory,
        "lut": row.lut,
        "bram18": row.bram18,
        "fullest_words": row.fullest,
    }


def _stall_tree(row: StallRow) -> dict[str, Any]:
    return {
        "process": row.process,
        "layer": row.layer,
        "works_cycles": row.works,
        "waits_for_words_cycles": row.for_words,
        "waits_for_room_cycles": row.for_room,
        "fifo": row.fifo,
        "lacks": row.lacks,
        "neighbour": row.neighbour,
    }


def _wish_tree(check: WishCheck) -> dict[str, Any]:
    return {
        "constraint": check.constraint.text,
        "value": check.value,
        "met": check.met,
        "margin": check.margin,
    }
