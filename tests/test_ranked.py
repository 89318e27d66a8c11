"""Hardware as genes: what ranks name, and that a flat search reaches what a nested one finds."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, invoke

from codesign.candidate import Target
from codesign.cost.estimate import estimate
from codesign.cost.latency import process_interval
from codesign.cost.resources import SHELL
from codesign.emit.project import digest, read
from codesign.errors import InputError
from codesign.fit.dataflow import RANKED, fit
from codesign.fit.options import layer_options
from codesign.fit.ranked import ranked
from codesign.flow.prepare import Prepared, prepare
from codesign.flow.settings import load_settings
from codesign.hardware.board import Board
from codesign.hardware.pace import Pace
from codesign.network.families.convnet import Convnet
from codesign.network.tensor import Tensor
from codesign.search.formulations.constrained import Constrained
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.ranks import LEVELS, Ranks
from codesign.search.store import Store
from codesign.search.trial import Constraint
from codesign.space import Choice, Space
from codesign.validate.measurement import Measurement
from codesign.validate.tools.gxx import Gxx

BOARD = Board.load("zcu104")
CLOCK_HZ = 200e6
FAMILY = Convnet(Tensor((1, 8, 8), 8, signed=False), 10, widths=(4, 6, 8))


def graphs(count: int) -> list:
    random = np.random.default_rng(3)
    return [FAMILY.decode(FAMILY.space().sample(random)) for _ in range(count)]


@pytest.mark.parametrize("graph", graphs(3), ids=lambda graph: f"{len(graph.nodes)} layers")
def test_ranks_name_legal_designs_that_slow_down_with_the_rank(graph) -> None:
    answers = [ranked(graph, BOARD, CLOCK_HZ, [rank]) for rank in (0.0, 0.4, 1.0)]
    slowest = [
        max(int(process_interval(own.structure)) for own in answer.design.instances)
        for answer in answers
    ]
    assert slowest == [answer.interval for answer in answers]
    assert sorted(slowest) == slowest
    assert slowest[0] < slowest[-1]
    best = fit(graph, BOARD, CLOCK_HZ)
    for answer in answers:
        assert answer.bound == best.bound <= best.interval
        assert answer.objective == RANKED
        if answer.feasible:
            assert answer.interval >= best.interval


def test_each_layer_takes_its_own_rank_and_further_layers_take_them_in_turn() -> None:
    graph = graphs(1)[0]
    ranks = [0.0, 1.0, 0.5]
    answer = ranked(graph, BOARD, CLOCK_HZ, ranks)
    lists = layer_options(graph, BOARD, Pace(BOARD.family, CLOCK_HZ))
    for number, (layer, price) in enumerate(
        zip(lists, estimate(answer.design).layers, strict=False)
    ):
        assert price.name == layer.node.name
        rank = ranks[number % 3]
        cycles = np.sort(layer.cycles)  # the board holds each of them alone
        assert price.cycles >= cycles[round(rank * (len(cycles) - 1))]
    whole = [ranks[number % 3] for number in range(len(lists))]
    assert ranked(graph, BOARD, CLOCK_HZ, whole).design == answer.design
    turned = ranked(graph, BOARD, CLOCK_HZ, ranks[::-1])
    assert turned.design != answer.design


def test_an_engine_that_is_alone_too_large_for_the_board_has_no_rank() -> None:
    graph = graphs(1)[0]
    lists = layer_options(graph, BOARD, Pace(BOARD.family, CLOCK_HZ))
    fastest = [int(layer.costs[layer.cycles.argmin(), 0]) for layer in lists]
    room = max(fastest) // 2
    held = [int(layer.cycles[layer.costs[:, 0] <= room].min()) for layer in lists]
    assert any(least > layer.cycles.min() for least, layer in zip(held, lists, strict=True))
    answer = ranked(graph, BOARD, CLOCK_HZ, [0.0], {"lut": room + int(SHELL["lut"][1])})
    prices = estimate(answer.design).layers
    assert all(price.cycles >= least for price, least in zip(prices, held, strict=False))


def test_a_named_design_that_does_not_fit_says_by_how_much() -> None:
    graph = graphs(1)[0]
    tiny = replace(BOARD, resources=replace(BOARD.resources, lut=3000, bram18=30))
    answer = ranked(graph, tiny, CLOCK_HZ, [0.0])
    found = {v.resource: v.needed - v.allowed for v in estimate(answer.design).violations}
    assert answer.excess == found != {}
    capped = ranked(graph, BOARD, CLOCK_HZ, [0.0], {"lut": 2000})
    assert capped.excess["lut"] == estimate(capped.design).values()["lut"] - 2000
    assert "search itself chose" in ranked(graph, BOARD, CLOCK_HZ, [1.0]).advice()


@pytest.mark.parametrize("ranks", [(), (0.5, 1.1), (-0.1,)])
def test_wrong_ranks_are_refused(ranks: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ranks are at least one"):
        ranked(graphs(1)[0], BOARD, CLOCK_HZ, ranks)


def test_the_best_of_all_ranks_is_no_better_than_fit() -> None:
    """Enumerated: with a gene per layer some ranks reach the interval that fit proves."""
    family = Convnet(
        FAMILY.input,
        10,
        layers=(1,),
        widths=(4,),
        kernels=(1,),
        residuals=(False,),
        heads=("average",),
    )
    point = {choice.name: choice.values[0] for choice in family.space().choices}
    graph = family.decode(point)
    levels = (0.0, 0.3, 0.7, 1.0)
    named = list(itertools.product(levels, repeat=len(graph.nodes)))
    every = [ranked(graph, BOARD, CLOCK_HZ, ranks) for ranks in named]
    best = fit(graph, BOARD, CLOCK_HZ)
    assert min(answer.interval for answer in every if answer.feasible) == best.interval
    needed = [estimate(answer.design).values()["lut"] for answer in every]
    budget = {"lut": int(np.median(needed))}
    kept = [own.interval for own, lut in zip(every, needed, strict=True) if lut <= budget["lut"]]
    assert min(kept) >= fit(graph, BOARD, CLOCK_HZ, budget=budget).interval


def test_a_joint_space_splits_into_network_and_ranks() -> None:
    networks = Space((Choice("width", (4, 8)), Choice("bits", (2, 3))))
    ranks = Ranks(3)
    joint = ranks.joint(networks)
    assert joint.size == networks.size * LEVELS**3
    point = joint.at(joint.size - 2)
    assert ranks.network(point) == networks.at(3)
    assert ranks.of(point) == (1.0, 1.0, (LEVELS - 2) / (LEVELS - 1))
    with pytest.raises(ValueError, match="at least one gene"):
        Ranks(0)


def test_a_target_is_judged_on_the_engines_that_ranks_name() -> None:
    graph = graphs(1)[0]
    wish = Constraint.parse("fps>=1e9")
    target = Target(BOARD, (CLOCK_HZ,), "interval", (wish,))
    outcome = target.at([0.7]).judged(graph)
    assert outcome.values == estimate(ranked(graph, BOARD, CLOCK_HZ, [0.7]).design).values()
    assert outcome.violations == {"fps>=1000000000": wish.violation(outcome.values)}
    assert target.judged(graph).values["fps"] > outcome.values["fps"]


def test_two_stages_of_hardware_bring_their_formulation() -> None:
    settings = load_settings("quickstart", ["search.hardware=two_stage", "search.finalists=3"])
    assert settings.formulation == TwoStage(3)
    assert settings.data["search"]["formulation"] == "two_stage"
    free = load_settings("quickstart", ["search.hardware=flat", "search.formulation=constrained"])
    assert free.formulation == Constrained()
    with pytest.raises(InputError, match=r"search\.hardware: two_stage does not go with"):
        load_settings("quickstart", ["search.hardware=two_stage", "search.formulation=constrained"])
    with pytest.raises(InputError, match=r"search\.hardware: has no such choice"):
        load_settings("quickstart", ["search.hardware=joint"])


def test_points_of_a_flat_search_are_one_where_their_engines_are() -> None:
    prepared = prepare(load_settings("quickstart", [*QUICK, "search.hardware=flat"]))
    assert isinstance(prepared, Prepared)
    space, canonical = prepared.study.space, prepared.study.canonical
    point = space.at(0)
    genes = [choice.name for choice in space.choices if choice.name.startswith("engine_rank")]
    layers = len(prepared.judge.judge.family.decode(point).nodes)  # type: ignore[union-attr]
    keys = {name: canonical({**point, name: 5}) == canonical(point) for name in genes}
    assert list(keys.values()) == [number >= layers for number in range(len(genes))]
    nested = prepare(load_settings("quickstart", QUICK))
    assert nested.study.space.size * LEVELS ** len(genes) == space.size


@pytest.mark.usefixtures("no_user_folders")
def test_a_flat_run_keeps_the_engines_that_it_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def believed(tool: Gxx, project: Path) -> Measurement:
        return Measurement("gxx", "1", digest(read(project)), True, "equal", 1, (), 0.0, "")

    monkeypatch.setattr(Gxx, "measure", believed)
    done = invoke("run", *QUICK, "search.hardware=flat", "search.workers=1", "--name", "flat")
    assert done.exit_code == 0, done.output
    run = tmp_path / "runs" / "flat"
    manifest = json.loads((run / "manifest.json").read_text())
    with Store.read(run / "trials.sqlite") as store:
        trial = store.trials()[manifest["chosen"]]
    assert manifest["fit"]["objective"] == RANKED
    assert manifest["fit"]["interval"] == round(trial.values["interval_s"] * CLOCK_HZ)
