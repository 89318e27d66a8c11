"""Spaces without what a board makes no use of: the front is not lost, and the file works."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import UNTRAINED, invoke

from codesign.candidate import Target
from codesign.cost.estimate import estimate
from codesign.errors import InfeasibleError, InputError
from codesign.fit.dataflow import fit
from codesign.fit.floor import Floor
from codesign.fit.narrow import Narrower, Narrowing
from codesign.flow.prepare import prepare
from codesign.flow.settings import load_settings, resolve
from codesign.flow.spaces import narrowed
from codesign.hardware.board import RESOURCES, Board
from codesign.load import read_yaml
from codesign.network.capacity import capacity
from codesign.network.families.convnet import Convnet
from codesign.network.families.resnet import Resnet
from codesign.network.graph import Graph
from codesign.network.narrowed import Narrowed
from codesign.network.tensor import Tensor
from codesign.search.pareto import nondominated
from codesign.search.trial import Constraint
from codesign.space import Choice, Condition, Point, Space

pytestmark = pytest.mark.usefixtures("no_user_folders")

BOARD = Board.load("pynq_z2")
CLOCK_HZ = BOARD.typical_clock_mhz * 1e6
DIGIT = Tensor((1, 8, 8), 8, signed=False)
SMALL = Convnet(
    DIGIT,
    10,
    layers=(1,),
    widths=(3, 4, 7, 8),
    kernels=(1, 3),
    residuals=(False,),
    weight_bits=(4,),
    activation_bits=(4,),
)
"""64 points."""


def narrowing(family, board=BOARD, **options) -> Narrowing:
    floor = Floor(board, CLOCK_HZ, board.budget)
    return Narrower(space=family.space(), decode=family.decode, floor=floor, **options).narrow()


def merit(graph: Graph) -> float:
    """Stand in for accuracy: more of anything is better."""
    return sum(math.log(number) for number in capacity(graph))


@pytest.fixture(scope="module")
def priced() -> dict[str, tuple[Graph, dict[str, float]]]:
    """Every network of the small space, with the true figures of its best designs."""
    found = {}
    space = SMALL.space()
    for point in map(space.at, range(space.size)):
        key = SMALL.canonical(point)
        if key not in found:
            graph = SMALL.decode(point)
            fast = estimate(fit(graph, BOARD, CLOCK_HZ).design).values()
            slow = fit(graph, BOARD, CLOCK_HZ, "resources", longest_interval=400).design
            values = estimate(slow).values()
            shares = sum(values[name] / max(BOARD.budget[name], 1) for name in RESOURCES)
            found[key] = graph, {"interval_s": fast["interval_s"], "shares": shares}
    return found


@pytest.mark.parametrize("cost", ["interval_s", "shares"])
def test_no_point_of_the_true_front_is_lost(priced, cost: str) -> None:
    longest = 400 if cost == "shares" else None
    found = narrowing(SMALL, longest=longest)
    assert found.dropped, "a test that drops nothing shows nothing"
    assert found.left.size < found.space.size == found.contexts == 64
    left = {SMALL.canonical(found.left.at(n)) for n in range(found.left.size)}
    assert len(left) < len(priced)

    def costs(keys) -> np.ndarray:
        return np.array([[-merit(priced[key][0]), priced[key][1][cost]] for key in sorted(keys)])

    whole, rest = costs(priced), costs(left)
    front = whole[nondominated(whole)]
    assert len(front) > 2
    for point in front:
        assert (rest <= point + 1e-9 * np.abs(point)).all(axis=1).any(), point


def test_what_is_dropped_says_what_is_never_worse() -> None:
    found = narrowing(SMALL)
    average = next(d for d in found.dropped if d.value == "average" and d.choice == "downsample0")
    assert (average.reason, average.by) == ("dominated", "max")
    assert average.other is not None
    assert average.other.no_worse(average.own)
    assert not average.own.no_worse(average.other)


def test_of_equal_values_the_first_stays() -> None:
    tiny = Resnet(Tensor((1, 8, 8), 8, signed=False), 10, stages=(16, 32), stem=16)
    found = narrowing(tiny, samples=3)
    assert ("width0", 0.5, "same", 0.25) in {
        (d.choice, d.value, d.reason, d.by) for d in found.dropped
    }
    assert found.kept["width0"] == (0.25, 0.75)


def test_the_floor_is_below_every_design(priced) -> None:
    floor = Floor(BOARD, CLOCK_HZ, BOARD.budget)
    for graph, _ in list(priced.values())[::7]:
        answer = fit(graph, BOARD, CLOCK_HZ)
        values = estimate(answer.design).values()
        shares = np.array([values[name] / max(BOARD.budget[name], 1) for name in RESOURCES])
        floors = floor.of(graph, [answer.interval, 1 << 60])
        assert floors[0, 0] <= shares.mean() * (1 + 1e-9)
        assert (floors[0, 1 : 1 + len(RESOURCES)] <= shares * (1 + 1e-9)).all()
        assert (floors[1] <= floors[0]).all()
        assert floor.excess(floors)[0] <= 1
        assert floor.shortest(graph) <= answer.interval
        assert np.isinf(floor.of(graph, [floor.shortest(graph) - 1])).any()


@pytest.mark.parametrize("lut", [2700, 3500, 4300, 5000])
def test_what_the_floor_refuses_does_not_fit(lut: int) -> None:
    board = replace(BOARD, resources=replace(BOARD.resources, lut=lut))
    floor = Floor(board, CLOCK_HZ, board.budget)
    space = SMALL.space()
    for number in range(0, space.size, 9):
        graph = SMALL.decode(space.at(number))
        answer = fit(graph, board, CLOCK_HZ, "resources", longest_interval=300)
        if floor.excess(floor.of(graph, [300]))[0] > 1:
            assert not answer.feasible


def test_what_a_small_board_cannot_hold_is_dropped() -> None:
    board = replace(BOARD, resources=replace(BOARD.resources, lut=10_000, dsp=40))
    wide = replace(SMALL, widths=(4, 512), kernels=(3,), downsamples=("stride",))
    found = narrowing(wide, board, longest=100)
    (unfit,) = [d for d in found.dropped if d.reason == "unfit"]
    assert (unfit.choice, unfit.value) == ("width0", 512)
    assert unfit.own.excess > 1
    point = {**found.left.at(0), "width0": 512}
    assert not fit(wide.decode(point), board, CLOCK_HZ, longest_interval=100).feasible
    hopeless = replace(wide, widths=(512,))
    with pytest.raises(InfeasibleError, match=r"closest takes at least \d+\.\d\d times"):
        narrowing(hopeless, board, longest=100)
    with pytest.raises(InfeasibleError, match="no engine makes as fast"):
        narrowing(wide, board, longest=2)


def test_a_wish_on_counts_drops_what_breaks_it() -> None:
    limit = 9 * 64 * 4 + 8 * 8 * 4 * 10
    found = narrowing(
        replace(SMALL, widths=(4, 64), kernels=(3,), downsamples=("none",)),
        refuse=lambda graph: max(0, graph.macs / limit - 1),
    )
    assert [(d.choice, d.value, d.reason) for d in found.dropped] == [("width0", 64, "unfit")]
    assert found.dropped[0].own.refused > 0


def test_a_choice_is_looked_at_where_it_counts() -> None:
    """The second layer's downsampling counts for networks of two layers only."""
    two = replace(SMALL, layers=(1, 2), widths=(4, 8), kernels=(3,), heads=("average",))
    narrower = Narrower(two.space(), two.decode, Floor(BOARD, CLOCK_HZ, BOARD.budget))
    hanging = Space(
        (
            Choice("a", (1, 2, 3)),
            Choice("b", (1, 2), Condition("a", (2, 3))),
            Choice("c", (1, 2), Condition("b", (2,))),
        )
    )
    looking = replace(narrower, space=hanging)
    point = looking._set({"a": 1, "b": 1, "c": 1}, hanging.choices[2], 2)
    assert point == {"a": 2, "b": 2, "c": 2}
    assert looking._set({"a": 3, "b": 2, "c": 1}, hanging.choices[2], 2)["a"] == 3


def test_what_is_left_is_legal_and_finds_its_way_back() -> None:
    found = narrowing(SMALL)
    family = Narrowed.of(SMALL, found.kept)
    assert family.space() == found.left
    random = np.random.default_rng(1)
    for _ in range(20):
        point = family.space().sample(random)
        assert family.space().decode(family.space().encode(point)) == point
        assert SMALL.space().decode(SMALL.space().encode(point)) == point
        assert family.decode(point) == SMALL.decode(point)
        assert family.label(point) == SMALL.label(point)
        assert family.canonical(point) == SMALL.canonical(point)


def test_a_narrowing_depends_on_the_seed_alone() -> None:
    big = replace(SMALL, layers=(1, 2, 3), widths=(4, 8), downsamples=("max", "average"))
    first, again = (narrowing(big, samples=2, seed=3) for _ in range(2))
    assert first.kept == again.kept
    assert (first.before, first.after, first.contexts) == (again.before, again.after, 3)


def test_a_space_only_has_what_is_kept() -> None:
    space = Space((Choice("a", (1, 2, 3)), Choice("b", ("x", "y"), Condition("a", (2, 3)))))
    assert space.only({}) == space
    less = space.only({"a": (3, 1)})
    assert less.choices[0].values == (1, 3), "the order is the space's"
    assert (less.size, less.distinct) == (4, 3)
    for kept, message in (({"c": (1,)}, "no choice 'c'"), ({"a": (4,)}, "no value 4 but 1, 2, 3")):
        with pytest.raises(ValueError, match=message):
            space.only(kept)


FLOW = (
    "board=pynq_z2",
    "dataset=digits",
    "network.layers=[1]",
    "network.widths=[3, 4, 7, 8]",
    "network.kernels=[3]",
    "network.residuals=[false]",
    "network.weight_bits=[4]",
    "network.activation_bits=[4]",
    "network.heads=[average]",
)


def test_a_space_file_is_what_a_run_searches(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    done = invoke("space", *FLOW, "fps>=100000", "--samples", 2, "--out", file)
    assert done.exit_code == 0, done.output
    told = read_yaml(file)
    assert told["family"] == "convnet"
    assert {one["choice"] for one in told["dropped"]} == set(told["choices"])
    for one in told["dropped"]:
        assert one["why"] in done.stdout
        assert one["value"] not in told["choices"][one["choice"]]
    whole = prepare(load_settings("quickstart", FLOW))
    settings = load_settings("quickstart", (*FLOW, f"search.space={file}"))
    file.unlink()  # the resolved flow says everything
    again = resolve(settings.data, (), "flow.yaml")
    assert again.data == settings.data
    study = prepare(again).study
    assert study.space == whole.study.space.only(again.search.space)
    assert study.space.distinct == told["points"]["after"] < whole.study.space.distinct
    assert study.definition()["space"] != whole.study.definition()["space"]


def test_choices_can_be_named_in_the_flow() -> None:
    settings = load_settings("quickstart", (*FLOW, "search.space={width0: [3, 8]}"))
    choice = next(c for c in prepare(settings).study.space.choices if c.name == "width0")
    assert choice.values == (3, 8)
    assert Target(BOARD, (CLOCK_HZ,), "interval", (Constraint.parse("fps>=1"),)).ranks == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("search.space={width0: [5]}", "search.space: choice 'width0' has no value 5 but 3, 4"),
        ("search.space={with0: [3]}", "search.space: there is no choice 'with0'"),
        ("search.space=nowhere.yaml", r"nowhere\.yaml: "),
        ("search.space=wrong.yaml", r"wrong\.yaml: is a space of the family resnet, not convnet"),
        ("search.space=flow.yaml", r"flow\.yaml: is no space by schema 1; 'codesign space"),
    ],
)
def test_wrong_spaces_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.yaml").write_text("schema: 1\nfamily: resnet\nchoices: {}\n")
    Path("flow.yaml").write_text("schema: 1\n")
    with pytest.raises(InputError, match=message):
        prepare(load_settings("quickstart", (*FLOW, text)))


def test_a_space_is_made_for_one_board() -> None:
    done = invoke("space", *UNTRAINED, "board=pynq_z2,zcu104")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "made for one board" in done.stderr


def test_objectives_and_wishes_on_a_resource_count_for_themselves() -> None:
    settings = load_settings(
        "quickstart", (*FLOW, "lut<=20000", "search.objectives=[max accuracy, min dsp]")
    )
    found = narrowed(settings, samples=1)
    assert all(d.own.costs.shape[1] == 3 for d in found.dropped)


def point_of(family: Convnet, **changes) -> Point:
    return {**family.space().at(0), **changes}


def test_capacity_counts_what_a_network_has() -> None:
    graph = SMALL.decode(point_of(SMALL, width0=4, kernel0=3, downsample0="none", head="average"))
    found = capacity(graph)
    assert (found.macs, found.parameters) == (graph.macs, graph.parameters)
    assert found.weight_bits == 4 * (9 * 4 + 4 * 10)
    assert found.receptive_field == 3
    assert found.layers == 3
    deep = replace(SMALL, layers=(2,), widths=(4,), kernels=(3,))
    halved = point_of(deep, downsample0="stride")
    assert capacity(deep.decode(halved)).receptive_field == 7
    pooled = point_of(deep, downsample0="max")
    assert capacity(deep.decode(pooled)).receptive_field == 8, "the whole image"
