"""What `fit` says of the shortest interval must be true of some design."""

import pytest

from codesign.fit.dataflow import fit
from codesign.hardware.board import Board
from codesign.network.graph import Graph, Node
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor

ZCU104 = Board.load("zcu104")


def classifier() -> Graph:
    """One dense layer on 67 numbers, of which a beat carries one: a prime has no other divisor.

    An engine that reads one, too, is slower than the port, and any other one needs a width
    conversion, which is slower than the port by one cycle.
    """
    dense = Node("dense0", Dense(67, 10, 8), ("input",), Tensor((10,), 24, True), 0)
    return Graph("classifier", Tensor((67,), 8, signed=False), (dense,))


@pytest.mark.parametrize("longest", [None, 1, 70])
def test_a_conversion_that_nothing_avoids_counts(longest):
    answer = fit(classifier(), ZCU104, 200e6, longest_interval=longest)
    assert answer.feasible
    assert (answer.interval, answer.bound, answer.shortage) == (71, 71, None)


def test_the_smallest_design_does_not_claim_to_be_the_fastest():
    answer = fit(classifier(), ZCU104, 200e6, objective="resources", longest_interval=300)
    assert answer.bound < answer.interval <= 300
    assert answer.advice() == "of the designs that keep the wish, this one takes least of the board"
