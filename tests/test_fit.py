"""`fit` against brute force: every design of small networks, priced whole by `cost.estimate`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from brute_force import BOARDS, CLOCK_HZ, Brute, needed, slowest, small_problems
from cases import signed, unsigned

from codesign.errors import InputError
from codesign.fit.dataflow import Fit, fit
from codesign.fit.goal import Shortest
from codesign.fit.options import unbuildable
from codesign.hardware.board import RESOURCES, Board, Ceilings
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window

NETWORKS = 24
"""`python -m benchmarks.fit_exact` takes 500, and every objective."""

PROBLEMS = tuple(small_problems(NETWORKS))


@pytest.mark.parametrize("part", range(8))
def test_fit_equals_brute_force(part: int) -> None:
    for seed, graph, board in PROBLEMS[part::8]:
        brute = Brute(graph, board)
        random = np.random.default_rng(seed)
        for budget in brute.budgets(random):
            check_interval(brute, graph, budget)
            check_resources(brute, graph, budget, int(random.choice(brute.intervals)))


def check_interval(brute: Brute, graph: Graph, budget: Mapping[str, int]) -> None:
    """The shortest interval, and of the designs that keep it the cheapest."""
    amounts = brute.amounts(budget)
    answer = fit(graph, brute.board, CLOCK_HZ, budget=budget)
    assert answer.bound <= brute.intervals[0]
    for target in brute.intervals:
        costs = [brute.cost(n, target, amounts) for n in brute.fitting(target, amounts)]
        if costs:
            assert answer.feasible
            assert answer.interval == target
            check_price(answer, min(costs), brute, amounts)
            assert target == brute.intervals[0] or answer.shortage is not None
            return
    check_infeasible(answer, amounts)


@pytest.mark.parametrize("slack", [0.25, 0.5])
def test_slack_buys_the_cheapest_design_of_intervals_that_count_as_equal(slack: float) -> None:
    longer = 0
    for seed, graph, board in PROBLEMS[:8]:
        brute = Brute(graph, board)
        budget = next(iter(brute.budgets(np.random.default_rng(seed))))
        amounts = brute.amounts(budget)
        feasible = [cycles for cycles in brute.intervals if brute.fitting(cycles, amounts)]
        if feasible:
            answer = fit(graph, board, CLOCK_HZ, Shortest(slack), budget=budget)
            target = max(c for c in brute.intervals if c <= (1 + slack) * feasible[0])
            costs = [brute.cost(n, target, amounts) for n in brute.fitting(target, amounts)]
            check_price(answer, min(costs), brute, amounts)
            assert feasible[0] <= answer.interval <= target
            assert answer.gap == 0
            longer += answer.interval > feasible[0]
    assert longer > 0


def check_resources(brute: Brute, graph: Graph, budget: Mapping[str, int], longest: int) -> None:
    """The cheapest design that keeps an interval."""
    amounts = brute.amounts(budget)
    answer = fit(graph, brute.board, CLOCK_HZ, "resources", longest, budget)
    costs = [brute.cost(n, longest, amounts) for n in brute.fitting(longest, amounts)]
    assert answer.feasible == bool(costs)
    if costs:
        assert answer.interval <= longest
        check_price(answer, min(costs), brute, amounts)


def check_price(answer: Fit, least: float, brute: Brute, amounts: np.ndarray) -> None:
    """Price the answer as a whole design, and compare with the cheapest of all."""
    assert slowest(answer.design) == answer.interval
    own = needed(answer.design)
    assert np.all(own <= amounts + 1e-6)
    assert brute.objective(own, amounts) == pytest.approx(least, rel=1e-9)


def check_infeasible(answer: Fit, amounts: np.ndarray) -> None:
    """The closest design says by how much it is too large."""
    assert not answer.feasible
    assert "nothing fits" in answer.advice()
    over = np.maximum(needed(answer.design) - amounts, 0.0)
    excess = {name: amount for name, amount in zip(RESOURCES, over, strict=True) if amount > 1e-6}
    assert set(answer.excess) == set(excess)
    for name, amount in excess.items():
        assert amount - 1e-6 <= answer.excess[name] <= amount + 1


def test_problems_are_varied() -> None:
    """Otherwise brute force would prove little."""
    operators = {type(node.op) for _, graph, _ in PROBLEMS for node in graph}
    assert operators == {Conv2d, Pool2d, Add, Dense}
    assert {len(graph.nodes) for _, graph, _ in PROBLEMS} >= {1, 2, 3}


def chain() -> Graph:
    """Two convolutions, a pool and a dense layer, as in the digits networks."""
    same = Window((3, 3), (1, 1), (1, 1, 1, 1))
    nodes = (
        Node("conv0", Conv2d(1, 8, same, 8), (INPUT,), unsigned(8, 8, 8, bits=4)),
        Node("conv1", Conv2d(8, 8, same, 4), ("conv0",), unsigned(8, 8, 8, bits=4)),
        Node(
            "pool",
            Pool2d("max", Window((2, 2), (2, 2))),
            ("conv1",),
            unsigned(8, 4, 4, bits=4),
            0,
        ),
        Node("dense", Dense(128, 10, 4), ("pool",), signed(10, bits=20), 0),
    )
    return Graph("chain", unsigned(1, 8, 8, bits=8), nodes)


@pytest.mark.parametrize("name", BOARDS)
def test_an_interval_is_bought_with_multipliers(name: str) -> None:
    """No layer finishes before its products are done: interval >= MACs / multipliers."""
    graph, board = chain(), Board.load(name)
    for longest in (20000, 5000, 2000, 1000):
        answer = fit(graph, board, CLOCK_HZ, "resources", longest)
        assert answer.interval <= longest
        for node in graph:
            groups = [
                group
                for instance in answer.design.layer(node.name)
                for group in instance.structure.multipliers
            ]
            macs = node.op.macs([tensor.shape for tensor in graph.inputs(node)])
            products = sum(int(g.count) for g in groups if g.name == "products")
            assert products * answer.interval >= macs


def test_more_of_everything_is_never_slower() -> None:
    graph, board = chain(), Board.load("pynq_z2")
    intervals = []
    for lut in (3800, 4000, 4200, 4400, 5000, 10000):
        answer = fit(graph, board, CLOCK_HZ, budget={"lut": lut, "dsp": 20})
        intervals.append(answer.interval if answer.feasible else 10**9)
    assert intervals == sorted(intervals, reverse=True)
    assert len(set(intervals)) > 3


def test_a_shortage_says_what_the_next_shorter_interval_needs() -> None:
    """With that much more, it is reached."""
    graph, board = chain(), Board.load("pynq_z2")
    tight = {"lut": 4200, "dsp": 20}
    answer = fit(graph, board, CLOCK_HZ, budget=tight)
    assert answer.feasible
    assert answer.shortage is not None
    assert set(answer.shortage.missing) == {"lut"}
    more = tight | {"lut": tight["lut"] + answer.shortage.missing["lut"]}
    better = fit(graph, board, CLOCK_HZ, budget=more)
    assert better.interval <= answer.shortage.interval < answer.interval
    assert "more LUT" in answer.advice()


def test_a_wish_beyond_every_board_gives_the_fastest_design() -> None:
    board = replace(Board.load("zcu104"), ceilings=Ceilings(1, 1, 1, 1, 1))
    fastest = fit(chain(), board, CLOCK_HZ)
    wished = fit(chain(), board, CLOCK_HZ, "resources", longest_interval=1)
    assert wished.feasible
    assert wished.interval == fastest.interval > 1


def test_nothing_fits_a_board_that_is_smaller_than_its_shell() -> None:
    answer = fit(chain(), Board.load("pynq_z2"), CLOCK_HZ, budget={"lut": 100, "bram18": 0})
    assert not answer.feasible
    assert set(answer.excess) >= {"lut", "bram18"}


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="not 'speed'"):
        fit(chain(), Board.load("pynq_z2"), CLOCK_HZ, "speed")


class Mystery(Pool2d):
    """An operator that no template implements."""


def test_layers_without_a_template_are_all_named() -> None:
    ops = {name: kind("max", Window((1, 1))) for name, kind in (("a", Mystery), ("b", Pool2d))}
    nodes = [Node(name, op, (INPUT,), unsigned(2, 3, 3), 0) for name, op in ops.items()]
    nodes.append(Node("c", ops["a"], ("b",), unsigned(2, 3, 3), 0))
    graph = Graph("strange", unsigned(2, 3, 3), tuple(nodes), outputs=("a", "c"))
    assert list(unbuildable(graph)) == ["a", "c"]
    with pytest.raises(InputError) as caught:
        fit(graph, Board.load("zcu104"), CLOCK_HZ)
    assert "a needs the operator Mystery; c needs the operator Mystery" in str(caught.value)


def test_every_convolution_and_pooling_can_be_built() -> None:
    """In groups, apart, over a vector, and as large as it gets."""
    around, apart = Window((3, 3), (1, 1), (1, 1, 1, 1)), Window((2, 3), (2, 1), dilation=(2, 3))
    for shape in ((4,), (4, 7, 8)):
        for window in (around, apart, Window((1, 1))):
            for op in (
                Conv2d(4, 6, window, 4),
                Conv2d(4, 6, window, 4, groups=2),
                Conv2d(4, 8, window, 4, groups=4),
                ConvTranspose2d(4, 6, window, 4, groups=2),
                Pool2d("max", window),
                Pool2d("average", window, counts_padding=False),
            ):
                try:
                    output = unsigned(*op.output_shape([shape]))
                except ValueError:
                    continue  # larger than the map
                node = Node("node", op, (INPUT,), output)
                assert unbuildable(Graph("one", unsigned(*shape), (node,))) == {}
