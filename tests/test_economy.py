"""Trainings that end early: when, after how many epochs, and with whose weights they begin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign import load
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.economy import Economy, Monitor
from codesign.accuracy.evaluator import Evaluator, accuracy
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.evaluators.qat import Qat
from codesign.accuracy.sieve import Sieve
from codesign.network.families.convnet import Convnet
from codesign.network.network import FloatParameters
from codesign.network.serialize import digest
from codesign.network.tensor import Tensor

DIGITS = Digits().load()
FEW = replace(
    DIGITS,
    train=DIGITS.train.take(np.arange(64)),
    validation=DIGITS.validation.take(np.arange(64)),
)
FAMILY = Convnet(Tensor((1, 8, 8), 8, signed=False), 10, widths=(4, 6))
NAMES = load.names("accuracy.evaluators")
rows = st.lists(st.tuples(*(st.integers(0, 5).map(float),) * 2), min_size=1, max_size=20)


def graph_of(**changes):
    point = {choice.name: choice.values[0] for choice in FAMILY.space().choices}
    return FAMILY.decode(point | changes)


def after(last):
    return lambda epoch, _share: epoch == last


@pytest.mark.parametrize("name", NAMES)
def test_a_training_that_nothing_ends_is_the_full_one(name):
    member = load.member("accuracy.evaluators", Evaluator, name)(epochs=2)
    full = member.evaluate(graph_of(), FEW, seed=0)
    same = member.economise(graph_of(), FEW, 0, Economy(halt=after(99)))
    assert digest(full.network) == digest(same.network)
    assert full.epochs == same.epochs == 2 + member.tuning_epochs()


def test_an_ended_training_has_one_more_epoch_and_as_small_a_share_of_fine_tuning():
    trained = Qat(epochs=6, fine_tune_epochs=4).economise(
        graph_of(), FEW, 0, Economy(halt=after(2))
    )
    assert trained.epochs == (2 + 1) + 2
    assert trained.validation_accuracy == accuracy(trained.network, FEW.validation)


def test_a_training_is_judged_after_every_epoch_but_the_last():
    seen = {}
    Ptq(epochs=4).economise(graph_of(), FEW, 0, Economy(halt=lambda e, s: seen.update({e: s})))
    assert list(seen) == [1, 2, 3]
    assert all(0 <= share <= 1 for share in seen.values())


def test_weights_are_inherited_where_their_shape_agrees():
    parent = Ptq(epochs=8, batch=16).evaluate(graph_of(), FEW, seed=0).floats
    last = parent.graph.outputs[0]
    wrong = FloatParameters(np.zeros((3, 3)), np.zeros(3))
    begun = []
    for inherited in ({}, parent.parameters, {**parent.parameters, last: wrong}):
        trained = Ptq(epochs=1, batch=64, learning_rate=1e-6).economise(
            graph_of(), FEW, 5, Economy(inherited=inherited)
        )
        begun.append(trained.floats.parameters)
    drawn, whole, part = (own[last].weights for own in begun)
    np.testing.assert_allclose(whole, parent.parameters[last].weights, atol=1e-4)
    np.testing.assert_allclose(part, drawn, atol=1e-4)
    assert not np.allclose(whole, drawn, atol=1e-2)


def test_a_plateau_is_so_many_epochs_without_a_better_accuracy():
    monitor = Monitor(patience=2)
    shares = [0.1, 0.5, 0.5, 0.6, 0.4, 0.6]
    assert [monitor(e, share) for e, share in enumerate(shares, 1)] == [False] * 5 + [True]
    assert monitor.curve == dict(enumerate(shares, 1))
    greedy = Monitor(patience=2, least_gain=0.2)
    assert [greedy(e, share) for e, share in enumerate([0.1, 0.2, 0.3], 1)] == [False, False, True]


def test_a_rung_is_for_those_that_few_earlier_ones_beat():
    rungs = {2: Sieve(tuple((-share,) for share in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)), 1 / 3)}
    assert Monitor(rungs=rungs)(2, 0.45)
    assert not Monitor(rungs=rungs)(2, 0.55)
    assert not Monitor(rungs=rungs)(1, 0.0)


@given(rows, st.integers(1, 10))
def test_a_sieve_lets_through_its_share_at_least_and_whatever_nothing_beats(earlier, tenths):
    sieve = Sieve(tuple(earlier), tenths / 10)
    passing = [row for row in earlier if sieve.excess(row) == 0]
    assert len(passing) >= int(len(earlier) * tenths / 10)
    assert sieve.excess((-1.0, 99.0)) == sieve.excess((99.0, -1.0)) == 0


def test_a_sieve_ranks_promises_alone_and_spares_what_is_cheap():
    alone = Sieve(tuple((-float(n),) for n in range(10)), 0.5)
    assert [n for n in range(10) if alone.excess((-float(n),)) == 0] == [5, 6, 7, 8, 9]
    assert alone.excess((-2.0,)) < alone.excess((-1.0,))
    dear = Sieve(tuple((1.0, -float(n)) for n in range(10)), 0.5)
    assert dear.excess((0.5, 9.0)) == 0
    assert dear.excess((1.0, 9.0)) > 0


@pytest.mark.parametrize("keep", [0.0, 1.5, -1])
def test_a_share_of_none_is_refused(keep):
    with pytest.raises(ValueError, match="keep is a share"):
        Sieve((), keep)
