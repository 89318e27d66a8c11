"""Tables: priced spaces, resumed or not, and rows by index or name."""

import csv
import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from codesign.cost.estimate import estimate
from codesign.errors import InputError
from codesign.fit import passage
from codesign.fit.dataflow import fit
from codesign.fit.price import price
from codesign.fit.problem import Known, Problem
from codesign.fit.solver import Solver
from codesign.flow import tabulate as tabulating
from codesign.flow.tabulate import COLUMNS, JOURNAL, Pricer, tabulate
from codesign.hardware.board import RESOURCES, Board
from codesign.network.cell import Cell
from codesign.network.families.convnet import Convnet
from codesign.network.families.nasbench201 import Nasbench201
from codesign.network.tensor import Tensor
from codesign.search.strategies.exhaustive import Exhaustive
from codesign.search.strategies.random import Random
from codesign.search.study import Budget, Store, Study
from codesign.search.tabular import Tabular
from codesign.search.trial import Objective
from codesign.table import Table

BOARD = Board.load("pynq_z2")
SMALL = (
    "family=convnet",
    "board=pynq_z2",
    "input=[1, 6, 6]",
    "classes=3",
    "network.layers=[1]",
    "network.widths=[2, 4]",
    "network.kernels=[1, 3]",
    "network.downsamples=[none, max]",
    "network.residuals=[false]",
    "network.weight_bits=[4, 8]",
    "network.activation_bits=[4]",
    "network.heads=[average]",
    "table.workers=1",
)
POINTS = 2 * 2 * 2 * 2 * 2
CELLS = Nasbench201(Tensor((1, 6, 6), 8, signed=False), 3, channels=4, cells=2)


def silent(text):
    """Take a line of progress."""


@cache
def graphs():
    """Return networks that meet their budgets in different ways."""
    image = Tensor((3, 16, 16), 8, signed=False)
    convnet = Convnet(image, 10, layers=(3, 4))
    drawn = [convnet.space().sample(np.random.default_rng(seed)) for seed in range(4)]
    cells = [CELLS.point(Cell.parse(digits)) for digits in ("333333", "000000", "421211")]
    return (*map(convnet.decode, drawn), *map(CELLS.decode, cells))


@pytest.mark.parametrize("number", range(7))
def test_a_price_is_that_of_the_best_design(number):
    graph = graphs()[number]
    own, best = price(graph, BOARD, 100e6), fit(graph, BOARD, 100e6)
    assert own.fits == best.feasible
    assert own.interval * (1 - own.gap) <= best.interval <= own.interval
    assert all(own.usage[name] <= BOARD.budget[name] for name in RESOURCES) == own.fits
    problem = Problem(graph, BOARD, 100e6, BOARD.budget)
    worth = replace(Solver(problem).worth, hard=False)
    figures = estimate(best.design).values()
    mine, its = (
        float(worth.of(np.array([usage[name] for name in RESOURCES]) - problem.taken))
        for usage in (own.usage, figures)
    )
    # neither is cheaper than the other's bound; usages are whole numbers here
    assert mine * (1 - own.resource_gap) < its * 1.001
    assert its * (1 - best.resource_gap) < mine * 1.001
    assert own.energy_j == pytest.approx(figures["energy_j"], rel=0.02)


def test_what_was_priced_before_changes_no_price():
    known = Known()
    chosen = graphs()[3:5]
    for graph in (*chosen, *reversed(chosen)):
        assert price(graph, BOARD, 100e6, known) == price(graph, BOARD, 100e6)
    assert known.options
    assert known.edges


def test_coarse_shares_lengthen_a_latency_by_little(monkeypatch):
    problem = Problem(graphs()[4], BOARD, 100e6, BOARD.budget)
    fine = passage.Passage(problem)
    monkeypatch.setattr(passage, "_FINEST", 16)
    coarse = passage.Passage(problem)
    assert max(map(len, coarse.shares)) <= 17 < max(map(len, fine.shares))
    _, items = problem.cheapest(problem.cycles.astype(float))
    lengths = [own.longest(items).length(items) for own in (fine, coarse)]
    assert lengths[0] <= lengths[1] < 1.1 * lengths[0]


def test_a_whole_space_is_priced(tmp_path):
    path = tabulate(SMALL, tmp_path, silent)
    table = Table.load(tmp_path)
    assert path == tmp_path / "table.csv"
    assert len(table) == POINTS
    assert table.columns == tuple(COLUMNS)
    about = json.loads((tmp_path / "table.json").read_text())
    assert about["request"]["family"] == "convnet"
    assert set(about["columns"]) == set(table.columns)
    assert about["networks"] == len({row["network"] for row in map(table.__getitem__, table)})
    for index in (0, POINTS - 1):
        row = table[index]
        assert row["index"] == index
        assert row["fits"] == 1
        assert row["fps"] == pytest.approx(1 / row["interval_s"], rel=1e-6)


def test_rows_are_the_prices_of_their_networks(tmp_path):
    tabulate(SMALL, tmp_path, silent)
    table = Table.load(tmp_path)
    request = tabulating.build(
        tabulating.TableRequest, tabulating.override({}, SMALL, tabulating.TableRequest), "test"
    )
    family = tabulating._family(request)
    board = Board.load("pynq_z2")
    for number in (0, 7, POINTS - 1):
        point = family.space().at(number)
        index, name = family.label(point)
        found = price(family.decode(point), board, board.typical_clock_mhz * 1e6)
        assert table[index] == table[name]
        assert table[name]["lut"] == found.usage["lut"]
        assert table[name]["interval_s"] == pytest.approx(
            found.interval / board.typical_clock_mhz / 1e6, rel=1e-6
        )
        assert table[name]["energy_j"] == pytest.approx(found.energy_j, rel=1e-6)


@pytest.mark.parametrize("cut", [0, 3, 11])
def test_resumed_equals_uninterrupted_to_the_byte(cut, tmp_path, monkeypatch):
    whole = tabulate(SMALL, tmp_path / "whole", silent).read_bytes()
    priced = []

    def interrupted(self, point, number, seed):
        if number == cut:
            raise KeyboardInterrupt
        return call(self, point, number, seed)

    def counted(self, point, number, seed):
        priced.append(number)
        return call(self, point, number, seed)

    call = Pricer.__call__
    monkeypatch.setattr(Pricer, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tabulate(SMALL, tmp_path / "cut", silent)
    assert not (tmp_path / "cut" / "table.csv").exists()
    monkeypatch.setattr(Pricer, "__call__", counted)
    assert tabulate(SMALL, tmp_path / "cut", silent).read_bytes() == whole
    assert min(priced) == cut
    priced.clear()
    tabulate(SMALL, tmp_path / "cut", silent)
    assert not priced


def test_two_processes_write_the_same(tmp_path):
    one = tabulate(SMALL, tmp_path / "one", silent).read_bytes()
    assert tabulate((*SMALL, "table.workers=2"), tmp_path / "two", silent).read_bytes() == one


def test_a_sample_has_so_many_networks_and_grows(tmp_path):
    few = Table.load(tabulate((*SMALL, "table.points=3"), tmp_path, silent))
    assert len(few) == len({few[name]["network"] for name in few}) == 3
    more = Table.load(tabulate((*SMALL, "table.points=5"), tmp_path, silent))
    assert set(few) < set(more)


def test_another_table_is_not_written_over(tmp_path):
    tabulate((*SMALL, "table.points=1"), tmp_path, silent)
    with pytest.raises(InputError, match=rf"{JOURNAL}: was written with"):
        tabulate((*SMALL, "table.points=1", "board=zcu104"), tmp_path, silent)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("family=nasbench202", "did you mean nasbench201"),
        ("network.wdths=[2]", "wdths: is no key here"),
        ("table.points=-1", "at least 0"),
        ("hardware.objective=latency", "hardware.objective=interval"),
        ("classes=1", "classes are at least two"),
    ],
)
def test_wrong_requests_are_refused(change, problem, tmp_path):
    with pytest.raises(InputError, match=problem):
        tabulate((*SMALL, change), tmp_path, silent)


def written(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_any_csv_is_a_table(tmp_path):
    path = written(
        tmp_path / "a.csv",
        [["arch", "ops", "ms", "note"], [7, "01", 2.5, "x"], [3, "11", "", ""]],
    )
    table = Table.load(path, name="ops", index="arch")
    assert table[7] == table["01"] == {"arch": 7.0, "ms": 2.5}
    assert table[3] == {"arch": 3.0}
    assert table.column("ms") == {"01": 2.5}
    assert list(table) == ["01", "11"]
    assert 7 in table
    assert 8 not in table
    for key in (8, "00"):
        with pytest.raises(InputError, match="has no row of"):
            table[key]
    with pytest.raises(InputError, match="no column 'mss'; did you mean ms"):
        table.column("mss")


def test_wrong_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Table.load(tmp_path / "none.csv")
    path = written(tmp_path / "a.csv", [["ops", "ms"], ["01", 1], ["01", 2]])
    with pytest.raises(InputError, match="row 2 has the name '01'"):
        Table.load(path, name="ops")
    with pytest.raises(InputError, match="has no column 'name'"):
        Table.load(path)


def test_a_tabular_task_answers_from_several_tables(tmp_path):
    digits = ["000000", "333333", "421211"]
    rows = [["ops", "accuracy"], *([own, 10.0 + number] for number, own in enumerate(digits))]
    accuracies = Table.load(written(tmp_path / "a.csv", rows), name="ops")
    rows = [["ops", "ms"], *([own, 5.0 * number] for number, own in enumerate(digits))]
    latencies = Table.load(written(tmp_path / "b.csv", rows), name="ops")

    def name(point):
        return CELLS.cell(point).digits

    sources = {"accuracy": (accuracies, "accuracy"), "latency_ms": (latencies, "ms")}
    task = Tabular(name, sources)
    found = task(CELLS.point(Cell.parse("333333")), 0, 0)
    assert found.values == {"accuracy": 11.0, "latency_ms": 5.0}
    with pytest.raises(InputError, match="has no row of '000001'"):
        task(CELLS.point(Cell.parse("000001")), 0, 0)
    with pytest.raises(InputError, match="accuracy: has no column 'acuracy'; did you mean acc"):
        Tabular(name, {"accuracy": (accuracies, "acuracy")})


def test_a_study_runs_on_tables(tmp_path):
    path = tabulate(SMALL, tmp_path, silent)
    request = tabulating.build(
        tabulating.TableRequest, tabulating.override({}, SMALL, tabulating.TableRequest), "test"
    )
    family = tabulating._family(request)
    table = Table.load(path)
    task = Tabular(lambda point: family.label(point)[1], {"lut": (table, "lut")})
    for strategy, trials in ((Exhaustive, POINTS), (Random, 5)):
        study = Study(
            space=family.space(),
            objectives=(Objective("lut", maximize=False),),
            strategy=strategy,
            canonical=family.canonical,
        )
        with Store.open(None, study.definition()) as store:
            found = study.run(task, Budget(trials), store).trials
        best = min(trial.values["lut"] for trial in found)
        assert best >= min(table.column("lut").values())
        assert strategy is Random or best == min(table.column("lut").values())


def test_labels_are_published_where_they_can_be():
    cell = Cell.at(77)
    assert CELLS.label(CELLS.point(cell)) == (77, cell.text)
    both = Nasbench201(CELLS.input, 3, weight_bits=(4, 8))
    index, name = both.label(both.point(cell))
    assert both.space().at(index) == both.point(cell)
    assert "weight_bits=4" in name
