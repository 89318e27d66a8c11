"""What time and energy one image takes, with the ranges in which to expect them."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.cost.estimate import COSIMULATION_CYCLES
from codesign.hardware.interval import Interval
from codesign.report.findings import Findings
from codesign.report.quantities import count, si, si_range


@dataclass(frozen=True, slots=True)
class PerformanceRow:
    """One figure with its range, in `unit` without prefix."""

    name: str
    label: str
    range: Interval
    unit: str

    @property
    def value_text(self) -> str:
        """The value; cycles as a count, all else with a prefix."""
        if self.unit == "cycles":
            return f"{count(round(self.range.value))} cycles"
        return si(self.range.value, self.unit)

    @property
    def range_text(self) -> str:
        """Both ends of the range."""
        if self.unit == "cycles":
            return f"{count(round(self.range.low))} to {count(round(self.range.high))} cycles"
        return si_range(self.range, self.unit)


def performance(findings: Findings) -> tuple[PerformanceRow, ...]:
    """Return speed first, then energy with what it is made of; what happens once comes last."""
    estimate = findings.estimate
    period_s = 1 / estimate.clock_hz
    per_second = estimate.interval_cycles.reciprocal() * estimate.clock_hz
    return (
        PerformanceRow("fps", "frames per second", per_second, "fps"),
        PerformanceRow(
            "interval_cycles", "interval between images", estimate.interval_cycles, "cycles"
        ),
        PerformanceRow(
            "latency_s", "latency of one image", estimate.latency_cycles * period_s, "s"
        ),
        PerformanceRow("latency_cycles", "latency in cycles", estimate.latency_cycles, "cycles"),
        PerformanceRow("energy_j", "energy per image at full rate", estimate.energy_j, "J"),
        PerformanceRow(
            "dynamic_energy_j", "of which operations and transfers", estimate.dynamic_energy_j, "J"
        ),
        PerformanceRow("power_w", "power at full rate", estimate.power_w, "W"),
        PerformanceRow("static_power_w", "of which the idle board", estimate.static_power_w, "W"),
        *_loading(findings),
    )


def _loading(findings: Findings) -> tuple[PerformanceRow, ...]:
    """Return what sending weights to URAM takes, if any lie there."""
    estimate = findings.estimate
    if not estimate.loading_cycles:
        return ()
    cycles = estimate.loading_cycles
    range_s = Interval(cycles, cycles, cycles + COSIMULATION_CYCLES) * (1 / estimate.clock_hz)
    return (PerformanceRow("loading_s", "loading of weights, once at start", range_s, "s"),)
