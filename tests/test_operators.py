"""Costs of single parts against the tables mined from public synthesis reports."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from codesign.cost import operators, resources

TABLES = Path(__file__).parents[2] / "shared" / "data" / "hls_costs"
needs_tables = pytest.mark.skipif(not TABLES.is_dir(), reason=f"no tables in {TABLES}")
Row = dict[str, str]


def table(name: str) -> list[Row]:
    with (TABLES / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def number(row: Row, column: str) -> float:
    text = row[column]
    return float(text) if text not in {"", "-"} else 0.0


def memories(resource: str) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted and reported counts of the memories that take a resource."""
    rule = {"BRAM_18K": operators.bram18, "LUT": operators.lutram_luts}[resource]
    other = {"BRAM_18K": "LUT", "LUT": "BRAM_18K"}[resource]
    rows = [
        row
        for row in table("memories")
        if number(row, resource) and not number(row, other) and not number(row, "URAM")
    ]
    words, bits, banks = (
        np.array([int(row[column]) for row in rows]) for column in ("Words", "Bits", "Banks")
    )
    return np.asarray(rule(words, bits) * banks), np.array([number(row, resource) for row in rows])


@needs_tables
def test_bram18_of_reported_memories() -> None:
    predicted, reported = memories("BRAM_18K")
    assert len(reported) > 600
    assert np.mean(predicted == reported) >= 0.84
    # what is not exact is replicated as a whole, for more read ports
    assert np.mean(reported % predicted == 0) >= 0.97
    assert np.mean(predicted > reported) <= 0.03


@needs_tables
def test_lutram_of_reported_memories() -> None:
    predicted, reported = memories("LUT")
    assert len(reported) > 1200
    assert np.mean(predicted == reported) >= 0.97


@needs_tables
def test_fifos_of_reports() -> None:
    rows = table("fifos")
    depth, width = (np.array([int(row[c]) for row in rows]) for c in ("Depth", "Bits"))
    count = np.array([int(row["count"]) for row in rows])
    cost = operators.fifo_cost(depth, width)
    exact = cost["bram18"] == np.array([number(row, "BRAM_18K") for row in rows])
    assert np.mean(exact) >= 0.91
    assert np.average(exact, weights=count) >= 0.95
    for resource, least_rows, median in (("LUT", 30, 0.05), ("FF", 50, 0.12)):
        reported = np.array([number(row, resource) for row in rows])
        # older tools name LUT; they give shift registers 5 or 7 FF, Vitis HLS always 99
        named = (reported > 0) if resource == "LUT" else np.asarray(cost["bram18"]) > 0
        error = np.abs(np.asarray(cost[resource.lower()]) - reported)[named] / reported[named]
        assert len(error) >= least_rows
        assert np.median(error) <= median


@needs_tables
def test_fabric_multipliers_of_reports() -> None:
    rows = [row for row in table("expressions") if row["Operation"] == "*"]
    sizes = [(int(row["Bitwidth P0"]), int(row["Bitwidth P1"]), number(row, "LUT")) for row in rows]
    small = [(a, b, luts) for a, b, luts in sizes if max(a, b) <= 10]
    assert len(small) >= 15
    assert all(abs(operators.multiplier_luts(a, b) - luts) <= 4 for a, b, luts in small)


@needs_tables
def test_dsp_slices_of_reports() -> None:
    found = {}
    for row in table("cores"):
        name = re.fullmatch(r"mul_(\d+)n?s_(\d+)n?s_\d+_\d+", row["core"])
        if name and number(row, "DSP"):
            found[int(name[1]), int(name[2]), number(row, "DSP")] = int(row["count"])
    for row in table("expressions"):
        if row["Operation"] == "*" and number(row, "DSP"):
            key = (int(row["Bitwidth P0"]), int(row["Bitwidth P1"]), number(row, "DSP"))
            found[key] = int(row["count"])
    assert len(found) > 40
    exact = {key: operators.multiplier_dsps(key[0], key[1]) == key[2] for key in found}
    assert sum(exact.values()) / len(exact) >= 0.75
    # what engines multiply: up to 16-bit operands, and sums of up to 25 bits by a multiplier
    small = [good for (a, b, _), good in exact.items() if min(a, b) <= 18 and max(a, b) <= 25]
    assert len(small) > 20
    assert all(small)


@pytest.mark.parametrize(
    ("words", "bits", "halves"),
    [
        (512, 36, 1),
        (512, 37, 2),
        (513, 36, 2),
        (1024, 18, 1),
        (2048, 9, 1),
        (16384, 1, 1),
        (16385, 1, 2),
        (20000, 9, 18),
        (20000, 32, 64),
        (10000, 8, 8),
    ],
)
def test_bram18_by_hand(words: int, bits: int, halves: int) -> None:
    assert operators.bram18(words, bits) == halves


def test_the_same_number_for_integers_and_arrays() -> None:
    words, bits = (
        a.ravel() for a in np.meshgrid([1, 33, 512, 700, 5000, 40000], [1, 8, 36, 72, 513])
    )
    for rule in (operators.bram18, operators.uram, operators.lutram_luts):
        one_by_one = [rule(int(w), int(b)) for w, b in zip(words, bits, strict=True)]
        assert np.array_equal(rule(words, bits), one_by_one)
    costs = operators.fifo_cost(words, bits)
    for number_, (w, b) in enumerate(zip(words.tolist(), bits.tolist(), strict=True)):
        for name, cost in operators.fifo_cost(w, b).items():
            assert np.asarray(costs[name])[number_] == pytest.approx(float(cost))


@pytest.mark.parametrize(
    ("a", "b", "slices"),
    [(8, 8, 1), (25, 18, 1), (18, 25, 1), (20, 20, 2), (25, 25, 2), (26, 18, 2), (32, 17, 2)],
)
def test_dsp_slices_by_hand(a: int, b: int, slices: int) -> None:
    assert operators.multiplier_dsps(a, b) == slices


@pytest.mark.parametrize(
    ("words", "bits", "blocks"), [(1, 1, 1), (4096, 72, 1), (4097, 72, 2), (8192, 144, 4)]
)
def test_uram_by_hand(words: int, bits: int, blocks: int) -> None:
    assert operators.uram(words, bits) == blocks


@needs_tables
def test_implementation_factors_are_the_quartiles_of_pairs() -> None:
    rows = table("csynth_vs_impl")
    for resource, tolerance in (("lut", 0.01), ("ff", 0.04)):
        ratios = [
            number(row, f"impl_{resource}") / number(row, f"csynth_{resource}") for row in rows
        ]
        factors = resources.IMPLEMENTATION_FACTOR[resource]
        assert np.percentile(ratios, [25, 50, 75]) == pytest.approx(factors, abs=tolerance)


@needs_tables
def test_synthesis_factors_are_the_percentiles_of_reported_operators() -> None:
    ratios, counts = [], []
    for row in table("expressions"):
        kind, luts = row["Operation"], number(row, "LUT")
        if kind not in {"+", "-", "*", "icmp", "select"} or number(row, "DSP") or not luts:
            continue
        a, b = (int(row[column] or 0) for column in ("Bitwidth P0", "Bitwidth P1"))
        if not 2 <= max(a, b) <= 64:
            continue
        rule = operators.multiplier_luts(a, b) if kind == "*" else operators.adder_luts(max(a, b))
        ratios.append(luts / rule)
        counts.append(int(row["count"]))
    order = np.argsort(ratios)
    shares = np.cumsum(np.array(counts)[order]) / sum(counts)
    found = np.array(ratios)[order][np.searchsorted(shares, [0.1, 0.5, 0.9])]
    assert sum(counts) == 352_222
    assert found == pytest.approx(resources.SYNTHESIS_FACTOR["lut"], abs=0.01)
    predicted, reported = memories("BRAM_18K")
    replicated = np.percentile(reported / predicted, [10, 50, 90])
    assert replicated == pytest.approx(resources.SYNTHESIS_FACTOR["bram18"])
