"""The report says what the estimate and the trials say, in every form, and nothing else."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from codesign.cost.estimate import estimate
from codesign.cost.pipeline import simulate
from codesign.fit.dataflow import fit
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.board import RESOURCES, Board, boards
from codesign.hardware.interval import Interval
from codesign.network.graph import Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.report.breakdown import fifo_rows, layer_rows, parts, resource_rows, whole
from codesign.report.explain import misses, remedies, shortfalls, verdict, wish_text
from codesign.report.figure import Figure
from codesign.report.findings import Findings, FitSummary, Validation, WishCheck
from codesign.report.front_figure import front_figure
from codesign.report.page import page
from codesign.report.pareto import pareto
from codesign.report.quantities import accuracy_range, count, percent, ratio, shown, si, si_range
from codesign.report.resource_figure import resource_figure
from codesign.report.resource_fit import resource_fit
from codesign.report.resource_json import resource_tree
from codesign.report.roofline_figure import roofline_figure
from codesign.report.summary import WIDTH, summary
from codesign.report.waiting import stall_rows
from codesign.report.write import report_files
from codesign.search.trial import Constraint, Objective, Trial

OBJECTIVES = (Objective("accuracy", maximize=True), Objective("latency_s", maximize=False))
LINKS = {"src", "href", "srcset", "data", "action", "poster"}
HOSTILE = "<script>alert(1)</script> & </title>"


def graph(channels: int, bits: int) -> Graph:
    """Return a residual network of seven layers."""

    def maps(channels: int, size: int, bits: int) -> Tensor:
        return Tensor((channels, size, size), bits, signed=False)

    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    halved = Window((2, 2), (2, 2))
    nodes = (
        Node("conv0", Conv2d(1, channels, same, 8), ("input",), maps(channels, 8, 4)),
        Node("conv1", Conv2d(channels, channels, same, bits), ("conv0",), maps(channels, 8, 4)),
        Node("add0", Add(4), ("conv0", "conv1"), maps(channels, 8, 5)),
        Node("pool0", Pool2d("max", halved), ("add0",), maps(channels, 4, 5), 0),
        Node("conv2", Conv2d(channels, channels, halved, bits), ("pool0",), maps(channels, 2, 6)),
        Node("pool1", Pool2d("average", halved), ("conv2",), maps(channels, 1, 6)),
        Node("dense0", Dense(channels, 10, 8), ("pool1",), Tensor((10,), 32, signed=True), 0),
    )
    return Graph("residual", maps(1, 8, 8), nodes)


def trial(number: int, accuracy: float | None, latency_s: float, **violations: float) -> Trial:
    values = {"latency_s": latency_s, "energy_j": 3 * latency_s, "lut": 5000.0 + number}
    if accuracy is not None:
        values["accuracy"] = accuracy
    return Trial(number, {"layers": 2}, f'{{"layers":{number}}}', values, violations, seed=number)


TRIALS = (
    trial(0, 0.90, 4e-6),
    trial(1, 0.97, 9e-6),
    trial(2, 0.95, 6e-6),
    trial(3, 0.93, 7e-6),
    trial(4, None, 2e-6, lut=0.5),
    trial(5, 0.99, 3e-6, power_w=0.1),
    trial(6, 0.85, 8e-6),
)


@cache
def priced() -> Findings:
    """Return a small network's price on a large board: no search, no data."""
    answer = fit(graph(8, 4), Board.load("zcu104"), 200e6)
    timing = simulate(answer.design, 8)
    return Findings(
        title="residual on zcu104",
        design=answer.design,
        estimate=estimate(answer.design, timing),
        fit=FitSummary.of(answer),
        timing=timing,
    )


@cache
def found() -> Findings:
    """Return the findings of a whole run."""
    return replace(
        priced(),
        accuracies={"validation": 0.97, "test": 0.9639},
        images={"validation": 300, "test": 360},
        objectives=OBJECTIVES,
        wish=(Constraint("fps", ">=", 1000.0), Constraint("accuracy", ">=", 0.98)),
        trials=TRIALS,
        chosen=1,
        validation=Validation("g++", "12.2.0", True, 360, 7, "ab" * 32),
        stages={"search": 61.25, "fit": 0.5},
        versions={"codesign": "0.1.0"},
        seed=7,
        digests={"project": "ab" * 32},
    )


@cache
def too_large() -> Findings:
    """Return the findings of a network that no folding brings onto a tiny board."""
    arty = Board.load("arty_a7_100")
    some = replace(arty.resources, lut=6000, bram18=16, dsp=4)
    tiny = replace(arty, name="tiny", title="Tiny board", resources=some)
    less_tiny = replace(tiny, name="less_tiny", resources=replace(some, lut=7000))
    answer = fit(graph(64, 8), tiny, 100e6)
    return Findings(
        title="large on tiny",
        design=answer.design,
        estimate=estimate(answer.design),
        fit=FitSummary.of(answer),
        wish=(Constraint("fps", ">=", 1e6),),
        other_boards=(tiny, less_tiny, *boards()),
    )


# What every view shares


def test_parts_add_up_to_what_the_estimate_says() -> None:
    for findings in (found(), too_large()):
        usage = parts(findings)
        for name, interval in findings.estimate.resources.items():
            used = sum(part[name] for part in usage.values())
            assert used == math.ceil(interval.value), name


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=12))
def test_whole_parts_lie_within_one_of_the_exact_ones(amounts: list[float]) -> None:
    total = math.ceil(math.fsum(amounts))
    rounded = whole(amounts, total)
    assert sum(rounded) == total
    assert all(abs(part - amount) <= 1 for part, amount in zip(rounded, amounts, strict=True))


def test_the_slowest_layer_is_the_bottleneck() -> None:
    rows = layer_rows(found())
    slowest = max(row.layer.cycles for row in rows)
    assert [r.bottleneck for r in rows] == [r.layer.cycles == slowest for r in rows]


def test_a_resource_whose_range_passes_the_ceiling_may_not_fit() -> None:
    findings = found()
    row = next(row for row in resource_rows(findings) if row.name == "lut")
    assert row.state == "fits"
    assert replace(row, allowed=row.used).state == "may not fit"
    assert replace(row, allowed=row.used - 1).state == "exceeds"


def test_fifos_deeper_than_the_minimum_are_listed_with_what_they_held() -> None:
    findings = found()
    assert findings.timing is not None
    deep = {f.name: f for f in findings.design.fifos if f.depth > 2}
    assert {row.name: (row.depth, row.fullest) for row in fifo_rows(findings)} == {
        name: (fifo.depth, findings.timing.occupancy[name]) for name, fifo in deep.items()
    }
    assert deep
    unsimulated = fifo_rows(replace(findings, timing=None))
    assert [row.fullest for row in unsimulated] == [None] * len(deep)


def test_stalls_name_who_waits_for_whom() -> None:
    findings = found()
    assert findings.timing is not None
    rows = {row.process: row for row in stall_rows(findings)}
    fifos = {fifo.name: fifo for fifo in findings.design.fifos}
    assert list(rows) == [instance.name for instance in findings.design.instances]
    assert any(row.lacks == "words" for row in rows.values())
    for name, row in rows.items():
        stall = findings.timing.stalls[name]
        waits = row.for_words, row.for_room
        assert (row.works, *waits) == (stall.works, stall.for_words, stall.for_room)
        assert row.share == pytest.approx(stall.works / stall.cycles)
        if row.lacks == "":
            assert waits == (0, 0)
            continue
        ends = fifos[row.fifo].source, fifos[row.fifo].sink
        assert ends == ((row.neighbour, name) if row.lacks == "words" else (name, row.neighbour))
    tree = resource_tree(findings)
    assert [row["process"] for row in tree["stalls"]] == list(rows)
    pipeline = tree["pipeline"]
    assert pipeline["latency_cycles"] == pipeline["batch_latency_cycles"]["1"]
    batch = pipeline["fill_cycles"] + 64 * pipeline["interval_cycles"]
    assert pipeline["batch_latency_cycles"]["64"] == batch
    unsimulated = resource_tree(replace(findings, timing=None))
    assert unsimulated["stalls"] == []
    assert unsimulated["pipeline"] is None


def test_the_wish_is_judged_on_the_accuracy_that_the_search_saw() -> None:
    speed, accuracy = found().wish_checks
    assert speed.met
    assert speed.margin == pytest.approx(found().estimate.fps / 1000 - 1)
    assert accuracy.value == 0.97
    assert accuracy.met is False
    assert accuracy.margin == pytest.approx(-0.01 / 0.98)
    assert not found().wish_met
    assert verdict(found()).endswith("but misses the wish")


def test_what_nobody_measured_is_neither_met_nor_missed() -> None:
    findings = replace(priced(), wish=(Constraint("accuracy", ">=", 0.9),))
    (check,) = findings.wish_checks
    assert (check.value, check.met, check.margin) == (None, None, None)
    assert "unknown" in summary(findings)


def test_findings_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="accuracy of 'test'"):
        replace(found(), accuracies={"test": 97.0})
    with pytest.raises(ValueError, match="no trial 99"):
        replace(found(), chosen=99)


# Numbers as people read them


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (si(9.72e-6, "s"), "9.72 \N{MICRO SIGN}s"),
        (si(999.6e-6, "s"), "1.00 ms"),
        (si(300_300, "fps"), "300 kfps"),
        (si(0, "J"), "0 J"),
        (si(3.0, "W"), "3.00 W"),
        (si_range(Interval(4.5e-6, 9e-6, 19e-6), "J"), "4.5 to 19 \N{MICRO SIGN}J"),
        (si_range(Interval(295_100, 300_300, 302_600), "fps"), "295 to 303 kfps"),
        (shown("accuracy", 0.975), "97.50 %"),
        (shown("clock_mhz", 187.5), "187.5 MHz"),
        (shown("lut", 230400), "230,400"),
        (shown("own_metric", 0.123456), "0.1235"),
        (percent(0.00001), "< 0.1 %"),
        (percent(0), "0.0 %"),
        (count(1362), "1,362"),
        (ratio(6151.3), "6,150"),
        (ratio(0.0421), "0.0421"),
        (ratio(31.27), "31.3"),
        (ratio(7.2e6), "7.20 M"),
    ],
)
def test_numbers_read_well(text: str, expected: str) -> None:
    assert text == expected


@given(st.floats(1e-12, 1e14))
def test_a_prefixed_number_means_the_same(value: float) -> None:
    number, unit = si(value, "s").split()
    prefix = unit.removesuffix("s")
    power = {"p": -12, "n": -9, "\N{MICRO SIGN}": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9}
    scale = 10.0 ** ({**power, "T": 12}[prefix])
    assert float(number.replace(",", "")) * scale == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(("right", "images"), [(351, 360), (0, 10), (10, 10), (1, 3)])
def test_the_range_of_an_accuracy_is_wilsons(right: int, images: int) -> None:
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert accuracy_range(right / images, images) == pytest.approx(tuple(expected))


# Tables


def rows_below(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first Markdown table below a heading."""
    lines = text.split(f"## {heading}\n", 1)[1].splitlines()
    table = [line for line in lines[1:] if line][: lines[1:].index("")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def number(cell: str) -> int:
    return int(cell.replace(",", ""))


@pytest.mark.parametrize("make", [found, too_large])
def test_the_columns_of_the_layer_table_sum_to_its_last_line(make: Any) -> None:
    findings = make()
    head, _, *rows, total = rows_below(resource_fit(findings)["resource_fit.md"], "Layers")
    assert total[0] == "total"
    for label, name in zip(("LUT", "FF", "DSP", "BRAM18", "URAM"), RESOURCES, strict=True):
        column = head.index(label)
        assert sum(number(row[column]) for row in rows) == number(total[column])
        assert number(total[column]) == math.ceil(findings.estimate.resources[name].value)


def test_the_bottleneck_is_bold() -> None:
    rows = rows_below(resource_fit(found())["resource_fit.md"], "Layers")
    bold = [row[0].strip("*") for row in rows if row[0].startswith("**")]
    assert bold == [row.layer.name for row in layer_rows(found()) if row.bottleneck]


def test_markdown_shows_foreign_text_as_it_is() -> None:
    text = resource_fit(replace(found(), title=HOSTILE))["resource_fit.md"]
    assert text.startswith("# \\<script>alert(1)\\</script>")


def test_a_design_reads_the_same_after_its_file_was_read() -> None:
    findings = found()
    tree = to_tree(findings.design, findings.board.name)
    design = from_tree(tree, findings.graph, "design.yaml")
    again = replace(findings, design=design, estimate=estimate(design, findings.timing))
    assert resource_fit(again) == resource_fit(findings)


@pytest.mark.parametrize("make", [priced, found, too_large])
def test_json_says_what_the_estimate_says(make: Any) -> None:
    findings = make()
    tree = json.loads(resource_fit(findings)["resource_fit.json"])
    price, board = findings.estimate, findings.board
    assert tree["schema"] == 1
    assert (tree["level"], tree["calibrated"]) == ("implementation", False)
    for name in RESOURCES:
        row = tree["resources"][name]
        assert row["used"] == math.ceil(price.resources[name].value)
        assert row["low"] <= price.resources[name].low
        assert row["high"] >= price.resources[name].high
        assert row["csynth"] == math.ceil(price.csynth[name].value)
        assert row["csynth_low"] <= price.csynth[name].low <= row["csynth"] <= row["csynth_high"]
        assert row["board"] == getattr(board.resources, name)
        assert row["allowed"] == board.budget[name] == row["used"] + row["margin"]
    assert set(tree["violations"]) == {violation.resource for violation in price.violations}
    assert tree["fits"] == (not price.violations)
    performance = tree["performance"]
    assert performance["fps"]["value"] == pytest.approx(price.fps)
    assert performance["latency_s"]["value"] == pytest.approx(price.latency_s)
    assert performance["energy_j"]["high"] == pytest.approx(price.energy_j.high)
    assert performance["simulated"] == price.simulated
    assert [layer["name"] for layer in tree["layers"]] == [layer.name for layer in price.layers]
    assert sum(layer["macs"] for layer in tree["layers"]) == price.macs
    assert tree["bottleneck"]["cycles"] >= price.bottleneck.cycles
    assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in intervals(performance))


def intervals(performance: dict[str, Any]) -> list[dict[str, float]]:
    return [entry for entry in performance.values() if isinstance(entry, dict)]


def test_the_front_is_a_table_that_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(pareto(found())["pareto.csv"])))
    assert [int(row["number"]) for row in rows] == [1, 2, 0]
    assert [row["chosen"] for row in rows] == ["yes", "no", "no"]
    for row in rows:
        stored = TRIALS[int(row["number"])]
        assert {name: float(row[name]) for name in stored.values} == stored.values
        assert row["key"] == stored.key


def test_without_a_search_there_is_no_front() -> None:
    assert pareto(priced()) == {}
    assert front_figure(priced()) is None


# What does not fit


def test_what_does_not_fit_says_by_how_much() -> None:
    findings = too_large()
    assert verdict(findings).startswith("Does not fit")
    lines = "\n".join(misses(findings))
    assert findings.estimate.violations
    for violation in findings.estimate.violations:
        excess = violation.needed - violation.allowed
        assert f"needs {count(violation.needed)}" in lines
        assert f"{count(excess)} too many" in lines
    worst = max(findings.estimate.violations, key=lambda violation: violation.excess)
    assert max(shortfalls(findings), key=lambda n: shortfalls(findings)[n]) == worst.resource
    assert "wish fps>=1000000" in lines
    text = resource_fit(findings)["resource_fit.md"]
    assert text.index("## What is missing") < text.index("## Resources")


def test_the_first_remedy_names_the_layer_that_takes_most() -> None:
    findings = too_large()
    short = shortfalls(findings)
    worst = max(short, key=lambda name: short[name])
    greedy = max(findings.estimate.layers, key=lambda layer: layer.usage[worst])
    assert remedies(findings)[0].startswith(f"Layer {greedy.name} takes")


def test_the_smallest_boards_that_hold_the_design_are_named() -> None:
    findings = too_large()
    (named,) = (line for line in remedies(findings) if line.startswith("Take a larger board"))
    holding = [
        board
        for board in findings.other_boards
        if not estimate(replace(findings.design, board=board)).violations
    ]
    assert 3 < len(holding) < len(findings.other_boards)
    smallest = sorted(holding, key=lambda board: board.resources.lut)[:3]
    assert named.endswith(": this design fits " + ", ".join(b.title for b in smallest) + ".")


def test_less_speed_is_advised_where_speed_made_the_design_large() -> None:
    small = too_large().board
    hint = "Wish for fewer frames per second"
    slow = too_large()  # has the longest interval there is: even less speed saves nothing
    fast_fit = fit(graph(64, 8), small, 100e6, longest_interval=50_000)
    fast = replace(
        slow,
        design=fast_fit.design,
        estimate=estimate(fast_fit.design),
        fit=FitSummary.of(fast_fit),
        wish=(Constraint("fps", ">=", 2000.0),),
    )
    assert fast.wish_checks[0].met
    assert any(line.startswith(hint) for line in remedies(fast))
    assert not any(line.startswith(hint) for line in remedies(slow))


def test_a_ceiling_that_would_do_does() -> None:
    board = Board.load("zcu104")
    needed = {row.name: row.used for row in resource_rows(priced())}
    tight = replace(
        board, ceilings=replace(board.ceilings, lut=(needed["lut"] - 1) / board.resources.lut)
    )
    design = replace(priced().design, board=tight)
    findings = replace(priced(), design=design, estimate=estimate(design, priced().timing))
    assert not findings.fits
    (hint,) = (line for line in remedies(findings) if "ceilings.lut" in line)
    (offered,) = re.findall(r"ceilings\.lut (\d\.\d+)", hint)
    raised = replace(board, ceilings=replace(board.ceilings, lut=float(offered)))
    assert not estimate(replace(design, board=raised)).violations


def test_a_wish_tighter_than_the_board_is_named() -> None:
    answer = fit(graph(8, 4), Board.load("zcu104"), 200e6, budget={"lut": 3000})
    findings = replace(
        priced(),
        design=answer.design,
        estimate=estimate(answer.design),
        fit=FitSummary.of(answer),
        wish=(Constraint("lut", "<=", 3000.0),),
    )
    assert not findings.estimate.violations
    assert not findings.fits
    used = math.ceil(findings.estimate.resources["lut"].value)
    assert (
        f"may use 3,000 of the board's 230,400: {count(used - 3000)} too many"
        in misses(findings)[0]
    )
    assert any(line.startswith("The wish lut<=3000 allows less") for line in remedies(findings))


def test_a_design_that_fits_but_is_too_slow_gets_advice_on_speed() -> None:
    findings = replace(priced(), wish=(Constraint("fps", ">=", 1e9),))
    assert findings.fits
    assert any("300 MHz" in line for line in remedies(findings))
    assert remedies(priced()) == ()


@pytest.mark.parametrize(
    ("constraint", "value", "text"),
    [
        (Constraint("fps", ">=", 1000.0), 1500.0, "1.50 kfps, 50 % to spare"),
        (Constraint("fps", ">=", 1e6), 339.0, "339 fps, more than 99 % too little"),
        (Constraint("latency_s", "<=", 1e-3), 3e-3, "3.00 ms, 200 % too much"),
        (Constraint("accuracy", ">=", 0.98), 0.97, "97.00 %, 1.0 % too little"),
        (Constraint("dsp", "<=", 0.0), 12.0, "12, the bound is 0"),
        (Constraint("accuracy", ">=", 0.98), None, "not measured"),
    ],
)
def test_a_wish_says_how_far_it_is(constraint: Constraint, value: float | None, text: str) -> None:
    assert wish_text(WishCheck(constraint, value)) == text


# Figures


def specs(figure: Figure | None) -> dict[str, Any]:
    """Return a figure's traces by name, after Plotly itself has checked every property."""
    assert figure is not None
    assert plotly.graph_objects.Figure(figure.spec()).data
    return {trace["name"]: trace for trace in figure.traces if "name" in trace}


def points(trace: dict[str, Any]) -> set[tuple[float, float]]:
    return set(zip(trace["x"], trace["y"], strict=True))


def test_the_front_figure_shows_every_trial_that_has_both_values() -> None:
    traces = specs(front_figure(found()))
    assert points(traces["Pareto front"]) == {(4e-6, 0.90), (6e-6, 0.95), (9e-6, 0.97)}
    assert points(traces["other trials"]) == {(7e-6, 0.93), (8e-6, 0.85)}
    assert points(traces["misses the wish"]) == {(3e-6, 0.99)}
    assert points(traces["chosen"]) == {(9e-6, 0.97)}


def test_what_lies_outside_the_frame_is_said() -> None:
    figure = front_figure(found())
    assert figure is not None
    low, high = figure.layout["yaxis"]["range"]
    assert low < 0.85
    assert high > 0.97
    assert "Outside" not in figure.text
    failed = replace(TRIALS[6], values={**TRIALS[6].values, "accuracy": 0.1})
    worse = front_figure(replace(found(), trials=(*TRIALS[:6], failed)))
    assert worse is not None
    assert worse.layout["yaxis"]["range"] == [low, high]
    assert "Outside the frame: 1;" in worse.text


def test_colours_and_hover_texts_belong_to_their_points() -> None:
    front = specs(front_figure(found()))["Pareto front"]
    assert front["marker"]["color"] == pytest.approx([3 * x for x in front["x"]])
    for x, text in zip(front["x"], front["hovertext"], strict=True):
        assert shown("latency_s", x) in text


@pytest.mark.parametrize(
    ("objective", "shape"), [("min latency_s", "hv"), ("max fps", "vh"), ("min energy_j", "hv")]
)
def test_no_trial_lies_beyond_the_edge(objective: str, shape: str) -> None:
    across = Objective.parse(objective)
    made = [replace(t, values={**t.values, "fps": 1 / t.values["latency_s"]}) for t in TRIALS]
    findings = replace(found(), trials=tuple(made), objectives=(OBJECTIVES[0], across))
    edge = specs(front_figure(findings))["edge of what was reached"]
    assert edge["line"]["shape"] == shape
    assert edge["x"] == sorted(edge["x"])
    feasible = [t for t in made if t.feasible]
    corners = list(zip(edge["x"], edge["y"], strict=True))
    for left, right in pairwise(corners):
        height = left[1] if shape == "hv" else right[1]
        between = [t for t in feasible if left[0] < t.values[across.name] < right[0]]
        assert all(t.values["accuracy"] <= height for t in between)


def test_a_search_for_one_thing_is_shown_over_its_trials() -> None:
    findings = replace(found(), objectives=OBJECTIVES[:1], chosen=1)
    traces = specs(front_figure(findings))
    assert points(traces["Pareto front"]) == {(1.0, 0.97)}
    assert (0.0, 0.90) in points(traces["other trials"])


@pytest.mark.parametrize("make", [found, too_large])
def test_the_resource_figure_shows_shares_ranges_and_ceilings(make: Any) -> None:
    findings = make()
    traces = specs(resource_figure(findings))
    bars, ceilings = traces["used, with its range"], traces["ceiling"]
    totals = {"BRAM18": findings.board.resources.bram18, "LUT": findings.board.resources.lut}
    for label, total in totals.items():
        at = bars["y"].index(label)
        expected = findings.estimate.resources[label.lower()]
        assert bars["x"][at] == pytest.approx(100 * math.ceil(expected.value) / total)
        top = bars["x"][at] + bars["error_x"]["array"][at]
        assert top == pytest.approx(100 * math.ceil(expected.high) / total)
        ceiling = getattr(findings.board.ceilings, label.lower())
        assert ceilings["x"][ceilings["y"].index(label)] == pytest.approx(100 * ceiling)
    assert ("URAM" in bars["y"]) == (findings.board.resources.uram > 0)


def test_the_roofline_shows_the_design_below_its_roofs() -> None:
    traces = specs(roofline_figure(found()))
    point = found().estimate.roofline
    assert points(traces["design"]) == {(point.intensity, point.achieved_ops_per_s)}
    roof = traces["roofs of the AMD ZCU104 evaluation kit"]
    assert max(roof["y"]) == point.peak_ops_per_s
    assert roof["x"][0] * point.bytes_per_s == pytest.approx(roof["y"][0])
    layers = {layer.name: layer.roofline for layer in found().estimate.layers if layer.macs}
    assert dict(zip(traces["layer"]["text"], traces["layer"]["y"], strict=True)) == {
        name: layer.achieved_ops_per_s for name, layer in layers.items()
    }
    reached, attainable = traces["layer"]["y"], traces["its engine's roof"]["y"]
    assert all(y <= roof for y, roof in zip(reached, attainable, strict=True))


# The page


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop(), f"{tag} closes another element"

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        """All that is shown."""
        shown = (text for tag, text in self.texts if tag not in ("script", "style", "title"))
        return " ".join(" ".join(shown).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


@pytest.mark.parametrize("make", [priced, found, too_large])
def test_the_page_needs_nothing_but_its_folder(make: Any) -> None:
    files = page(make())
    assert set(files) == {"report.html", "plotly.min.js"}
    html = files["report.html"]
    assert re.search(r"(https?:)?//[a-z]+\.", html) is None
    assert "url(" not in html
    assert "@import" not in html
    seen = Page(html)
    assert seen.open == []
    linked = [value for _, a in seen.elements for key, value in a.items() if key in LINKS]
    assert linked == ["plotly.min.js"]
    assert "Plotly" in files["plotly.min.js"]


def test_no_button_sends_the_figures_away() -> None:
    html = page(found())["report.html"]
    assert 'plotlyServerURL: ""' in html
    assert "modeBarButtons:" in html
    assert "sendChartToCloud" not in html


def test_the_figures_on_the_page_are_the_figures() -> None:
    seen = Page(page(found())["report.html"])
    plots = [a for tag, a in seen.elements if a.get("class") == "plot"]
    stored = [text for tag, text in seen.texts if tag == "script" and text.startswith("{")]
    figures = [front_figure(found()), resource_figure(found()), roofline_figure(found())]
    assert [json.loads(text) for text in stored] == [
        json.loads(json.dumps(figure.spec())) for figure in figures if figure
    ]
    assert [a["aria-label"] for a in plots] == [figure.text for figure in figures if figure]


def test_the_page_says_everything_without_its_figures() -> None:
    text = Page(page(found())["report.html"]).text
    price = found().estimate
    wanted = [
        "97.00 %",
        "96.39 %",
        si(price.fps, "fps"),
        si(price.latency_s, "s"),
        "fps>=1000",
        "missed",
        "95.00 %",  # a point of the front that was not chosen
        found().fit.advice[1:],
        "Passed.",
        "g++ 12.2.0",
        "61.8 s",  # all stages
        "ab" * 32,
        "uncalibrated",
    ]
    assert [words for words in wanted if words not in text] == []
    for layer in price.layers:
        assert layer.name in text


def test_a_page_without_search_or_proof_claims_none() -> None:
    seen = Page(page(priced())["report.html"])
    headings = [text for tag, text in seen.texts if tag == "h2"]
    assert "Search" not in headings
    assert "Wish" not in headings
    assert "Passed." not in seen.text
    assert "a price, not a proof" in seen.text


def test_the_page_of_what_does_not_fit_explains_first() -> None:
    seen = Page(page(too_large())["report.html"])
    headings = [text for tag, text in seen.texts if tag == "h2"]
    assert headings[0] == "What is missing"
    for line in (*misses(too_large()), *remedies(too_large())):
        assert line in seen.text


def test_a_failed_proof_does_not_read_as_a_passed_one() -> None:
    assert found().validation is not None
    failed = replace(found().validation, passed=False, message="layer conv1, image 3, element 7")
    findings = replace(found(), validation=failed)
    text = Page(page(findings)["report.html"]).text
    assert "Failed." in text
    assert "layer conv1, image 3, element 7" in text
    assert "every number equal" not in text
    assert "bit for bit" not in text
    assert "as the hardware computes it" not in summary(findings)
    assert json.loads(resource_fit(findings)["resource_fit.json"])["proven"] is False
    assert "FAILED: layer conv1, image 3, element 7" in summary(findings)


def test_a_tool_is_named_once() -> None:
    proof = Validation("g++", "g++ (Debian) 12.2.0", True, 1, 1, "")
    assert proof.tool_text == "g++ (Debian) 12.2.0"
    assert replace(proof, version="12.2.0").tool_text == "g++ 12.2.0"


def test_hostile_names_stay_text() -> None:
    board = replace(found().board, title=HOSTILE, part=HOSTILE)
    findings = replace(
        found(),
        title=HOSTILE,
        design=replace(found().design, board=board),
        accuracies={HOSTILE: 0.5},
        trials=(replace(TRIALS[0], violations={HOSTILE: 0.5}), *TRIALS[1:]),
        versions={HOSTILE: HOSTILE},
        digests={HOSTILE: HOSTILE},
        stages={HOSTILE: 1.0},
        validation=Validation(HOSTILE, HOSTILE, False, 1, 1, HOSTILE, HOSTILE),
    )
    seen, plain = Page(page(findings)["report.html"]), Page(page(found())["report.html"])
    assert seen.count("script") == plain.count("script")
    assert seen.open == []
    assert HOSTILE in seen.text
    hovers = front_figure(findings)
    assert hovers is not None
    assert "<script" not in json.dumps(hovers.spec())


# The screen and the folder


@pytest.mark.parametrize("make", [priced, found, too_large])
def test_the_summary_fits_the_screen(make: Any) -> None:
    text = summary(make(), Path("runs/2026-11-20-zcu104-1"))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "\x1b" not in text
    for name in ("report.html", "resource_fit.md", "best/model.onnx", "best/hls"):
        assert f"runs/2026-11-20-zcu104-1/{name}" in text


def test_the_summary_says_what_matters() -> None:
    text = " ".join(summary(found()).split())
    price = found().estimate
    wanted = [
        "97.00 % validation (300 images), 96.39 % test (360 images), as the hardware computes it",
        f"{count(round(price.fps))} frames per second",
        f"latency {si(price.latency_s, 's')}",
        f"{math.ceil(price.resources['lut'].value):,} of 230,400",
        "fps>=1000 met",
        "accuracy>=0.98 MISSED: 97.00 %, 1.0 % too little",
        "C simulation (g++ 12.2.0): 360 images and 7 layers alone equal",
        found().fit.advice[1:],
    ]
    assert [words for words in wanted if words not in text] == []
    assert "runs/" not in text


def test_a_report_is_the_same_every_time() -> None:
    files = report_files(found())
    assert set(files) == {
        "report.html",
        "plotly.min.js",
        "resource_fit.md",
        "resource_fit.json",
        "pareto.csv",
    }
    assert report_files(found()) == files
    assert set(files) - set(report_files(priced())) == {"pareto.csv"}
