"""Sensitivity and mixed precision: what is measured is so, and what is chosen is the best."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_images, random_network
from torch.nn import functional

from codesign.accuracy.datasets.digits import Digits
from codesign.errors import InfeasibleError, InputError
from codesign.fit.dataflow import fit
from codesign.fit.precision import interval_of_widths
from codesign.hardware.board import Board
from codesign.network.families.convnet import Convnet
from codesign.network.floats import answer_floats, execute_floats, predict_floats
from codesign.network.knapsack import choose, choose_by
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.precision import choose_widths, errors, mixed_precision
from codesign.network.quantize import post_training
from codesign.network.scales import MULTIPLIER_BITS, choose_scales, weight_range
from codesign.network.sensitivity import Probe, sensitivity
from codesign.network.tensor import Tensor
from codesign.network.widths import (
    activations,
    layers,
    weight_bits,
    weight_counts,
    with_widths,
)

DIGITS = Digits().load()


def convnet(seed=0, layers=3):
    """Return a small network for digits with random weights that suit it."""
    family = Convnet(Tensor((1, 8, 8), 8, signed=False), 10)
    point = {choice.name: choice.values[0] for choice in family.space().choices}
    point |= {name: 8 for name in point if "bits" in name}
    for layer, width in zip(range(layers), (8, 16, 16), strict=False):
        point |= {f"width{layer}": width, f"kernel{layer}": 3, f"downsample{layer}": "max"}
    graph = family.decode(point | {"layers": layers})
    random = np.random.default_rng(seed)
    parameters = {}
    for node in graph:
        if node.op.has_bias:
            shape = node.op.weight_shape
            weights = random.normal(size=shape) * np.sqrt(2 / np.prod(shape[1:]))
            parameters[node.name] = FloatParameters(weights, random.normal(size=shape[0]) * 0.1)
    return FloatNetwork(graph, parameters)


def images(count=12):
    return DIGITS.train.images[:count]


@pytest.mark.parametrize("seed", range(20))
def test_widths_change_what_is_named_and_keep_the_function(seed):
    network = random_network(seed)
    weights = {name: 2 + number % 7 for number, name in enumerate(layers(network.graph))}
    tensors = {name: 2 + number % 6 for number, name in enumerate(activations(network.graph))}
    changed = with_widths(network, weights, tensors)
    for name, bits in weights.items():
        assert changed.graph[name].op.weight_bits == bits
    for name, bits in tensors.items():
        assert changed.graph.tensor(name).bits == bits
    pictures = random_images(network, seed)
    wanted, found = answer_floats(network, pictures), answer_floats(changed, pictures)
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    quantised = post_training(changed, pictures)
    for name, bits in weights.items():
        low, high = weight_range(bits)
        own = quantised.parameters[name].weights
        assert low <= own.min() <= own.max() <= high
    back = with_widths(
        changed,
        {name: network.graph[name].op.weight_bits for name in weights},
        {name: network.graph.tensor(name).bits for name in tensors},
    )
    assert weight_bits(back.graph) == weight_bits(network.graph)


def test_an_unknown_layer_names_the_right_one():
    with pytest.raises(InputError, match="did you mean dense0"):
        with_widths(convnet(), {"dense": 4})
    with pytest.raises(InputError, match="activations: there is no 'conf0'"):
        with_widths(convnet(), tensors={"conf0": 4})


@pytest.mark.parametrize("kind", MULTIPLIER_BITS)
def test_a_layer_rounded_alone_is_what_quantising_it_gives(kind):
    network, pictures = convnet(), images()
    found = sensitivity(network, pictures, probe=Probe((3,), kind), what=("weights",))
    assert found.activations == {}
    assert tuple(found.weights) == layers(network.graph)
    last = network.graph.outputs[0]
    right = answer_floats(network, pictures)[last]
    for name in found.weights:
        narrow = with_widths(network, {name: 3})
        steps = choose_scales(narrow, pictures, kind).weights[name]
        own = network.parameters[name]
        steps = steps.reshape(-1, *(1,) * (own.weights.ndim - 1))
        rounded = steps * post_training(narrow, pictures, kind).parameters[name].weights
        alone = replace(
            network,
            parameters={**network.parameters, name: FloatParameters(rounded, own.bias)},
        )
        scores = answer_floats(alone, pictures)[last]
        error = ((scores - right) ** 2).sum() / (right**2).sum()
        assert found.weights[name][3].error == pytest.approx(error, rel=1e-4)


def test_a_tensor_rounded_alone_is_so_for_its_readers():
    network, pictures = convnet(), images()
    probe = Probe((2, 4, 8), measure="divergence")
    found = sensitivity(network, pictures, probe=probe, what=("activations",))
    assert found.weights == {}
    assert tuple(found.activations) == activations(network.graph)
    # only the input is read by the first layer: round it by hand
    narrow = with_widths(network, tensors={"input": 4})
    step = choose_scales(narrow, pictures, "power_of_two").tensors["input"]
    rounded = np.clip(np.rint(pictures.astype(float) / step), 0, 15) * step
    last = network.graph.outputs[0]
    right, scores = (
        torch.from_numpy(execute_floats(network, values)[last]) for values in (pictures, rounded)
    )
    wanted = functional.kl_div(
        scores.log_softmax(1), right.log_softmax(1), reduction="batchmean", log_target=True
    )
    assert found.activations["input"][4].error == pytest.approx(float(wanted), rel=1e-3)


def test_fewer_bits_cost_more():
    found = sensitivity(convnet(), images())
    for losses in (found.weights, found.activations):
        for own in losses.values():
            assert own[2].error > own[4].error > own[8].error >= 0
            assert own[2].accuracy is None


def test_accuracy_is_counted_where_labels_are_given():
    network, split = convnet(), DIGITS.train
    pictures, labels = split.images[:300], split.labels[:300]
    found = sensitivity(network, pictures, labels, Probe((2, 8)))
    share = (predict_floats(network, pictures) == labels).mean()
    assert found.accuracy == pytest.approx(share)
    counted = [loss.accuracy for own in found.weights.values() for loss in own.values()]
    assert all(0 <= share <= 1 for share in counted)
    assert len(set(counted)) > 2
    with pytest.raises(InputError, match="300 images were given 299 labels"):
        sensitivity(network, pictures, labels[1:])


@pytest.mark.parametrize("seed", range(8))
def test_losses_of_every_operator_are_finite(seed):
    network = random_network(seed)
    found = sensitivity(network, random_images(network, seed), probe=Probe((2, 8), "multiplier"))
    for losses in (found.weights, found.activations):
        for own in losses.values():
            assert all(0 <= loss.error < np.inf for loss in own.values())


def test_impossible_probes_are_refused():
    with pytest.raises(ValueError, match="bits are 2 to 16"):
        Probe((1,))
    with pytest.raises(ValueError, match="noise or divergence"):
        Probe(measure="loss")


OPTIONS = st.integers(2, 8)
ERRORS = st.floats(-12, 3).map(lambda exponent: 10.0**exponent)


@st.composite
def problems(draw):
    """Return errors, costs and a budget for a few parts with a few options."""
    parts = draw(st.integers(1, 4))
    known, costs = {}, {}
    for part in range(parts):
        options = draw(st.sets(OPTIONS, min_size=1, max_size=5))
        known[f"p{part}"] = {option: draw(ERRORS) for option in sorted(options)}
        costs[f"p{part}"] = {option: draw(st.integers(0, 10**6)) for option in sorted(options)}
    low = sum(min(own.values()) for own in costs.values())
    high = sum(max(own.values()) for own in costs.values())
    return known, costs, draw(st.integers(low, high))


def best_of_all(known, allowed):
    """Return the least error among all combinations that are allowed."""
    totals = []
    for options in itertools.product(*known.values()):
        picked = dict(zip(known, options, strict=True))
        if allowed(picked):
            totals.append(sum(known[part][option] for part, option in picked.items()))
    return min(totals)


@settings(max_examples=150, deadline=None)
@given(problems())
def test_the_choice_is_the_best_of_all(problem):
    known, costs, budget = problem

    def total(picked):
        return sum(costs[part][option] for part, option in picked.items())

    found = choose(known, costs, budget)
    assert found.cost == total(found.options) <= budget
    assert found.error == sum(known[part][option] for part, option in found.options.items())
    wanted = best_of_all(known, lambda picked: total(picked) <= budget)
    assert found.error == pytest.approx(wanted, rel=1e-6)
    assert found.bound == found.error


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(0, 2**32))
def test_the_choice_by_any_rising_cost_is_the_best_of_all(problem, seed):
    known, _, _ = problem
    weights = np.random.default_rng(seed).integers(1, 9, len(known))

    def cost(picked):
        # not a sum: the slowest part decides, and products cost as well
        bits = np.array(list(picked.values()))
        return float((weights * bits).max() + np.prod(bits.astype(float)) ** 0.5)

    smallest, largest = (
        cost({part: pick(own) for part, own in known.items()}) for pick in (min, max)
    )
    budget = np.random.default_rng(seed + 1).uniform(smallest, largest)
    found = choose_by(known, cost, budget)
    assert found.cost == cost(found.options) <= budget
    wanted = best_of_all(known, lambda picked: cost(picked) <= budget)
    assert found.error == pytest.approx(wanted, rel=1e-6)


def test_a_search_cut_short_says_how_far_it_may_be_from_the_best():
    random = np.random.default_rng(0)
    known = {
        f"p{part}": dict(zip(range(2, 9), -np.sort(-random.random(7)), strict=True))
        for part in range(8)
    }

    def cost(picked):
        return float(sum(bits**2 * (part + 1) for part, bits in enumerate(picked.values())))

    found = choose_by(known, cost, budget=900.0, attempts=3)
    assert found.cost <= 900.0
    assert found.bound < found.error
    costs = {
        f"p{part}": {bits: float(bits**2 * (part + 1)) for bits in range(2, 9)} for part in range(8)
    }
    best = choose(known, costs, 900.0).error
    assert found.bound <= best <= found.error


def test_nothing_within_the_budget_is_said():
    known, costs = {"a": {2: 1.0, 8: 0.0}}, {"a": {2: 20.0, 8: 80.0}}
    with pytest.raises(InfeasibleError, match="cost 20, beyond the budget of 19"):
        choose(known, costs, 19)
    with pytest.raises(InfeasibleError, match="cost 20, beyond the budget of 19"):
        choose_by(known, lambda picked: 10.0 * picked["a"], 19)


def test_half_the_weight_bits_are_spread_better_than_evenly():
    network, pictures = convnet(), images(40)
    budget = weight_bits(network.graph) / 2
    mixed = mixed_precision(network, pictures, budget)
    assert weight_bits(mixed.network.graph) == mixed.choice.cost <= budget
    assert len(set(mixed.widths.values())) > 1
    losses = sensitivity(network, pictures, what=("weights",)).weights
    evenly = sum(own[4].error for own in losses.values())
    assert mixed.choice.error < evenly
    last = network.graph.outputs[0]
    right = answer_floats(network, pictures)[last]

    def noise(candidate):
        found = post_training(candidate, pictures)
        scores = found.answer(found.quantize_input(pictures)) * found.scales[last]
        return ((scores - right) ** 2).sum()

    even = with_widths(network, dict.fromkeys(layers(network.graph), 4))
    assert noise(mixed.network) < noise(even)


def test_costs_of_layers_can_be_anything():
    network, pictures = convnet(), images()
    losses = errors(sensitivity(network, pictures, what=("weights",)).weights)
    counts = weight_counts(network.graph)
    memories = {
        name: {bits: -(-bits * counts[name] // 1024) for bits in own}
        for name, own in losses.items()
    }
    budget = sum(own[5] for own in memories.values())
    found = choose_widths(network, losses, budget, memories)
    wanted = best_of_all(
        losses, lambda picked: sum(memories[n][bits] for n, bits in picked.items()) <= budget
    )
    assert found.error == pytest.approx(wanted, rel=1e-9)


def test_the_interval_of_the_best_design_can_be_the_cost():
    network, board = convnet(layers=2), Board.load("zcu104")
    names = layers(network.graph)
    # a budget at which narrower weights permit a faster design
    for lut in range(5000, 9000, 200):
        budget = {"dsp": 0, "lut": lut}
        cost = interval_of_widths(network, board, 200e6, budget)
        wide, narrow = (cost(dict.fromkeys(names, bits)) for bits in (8, 2))
        if narrow < 0.8 * wide < np.inf:
            break
    assert narrow < 0.8 * wide
    probe = Probe((2, 4, 8))
    losses = errors(sensitivity(network, images(), probe=probe, what=("weights",)).weights)
    limit = (wide + narrow) / 2
    found = choose_widths(network, losses, limit, cost)
    wanted = best_of_all(losses, lambda picked: cost(picked) <= limit)
    assert found.error == pytest.approx(wanted, rel=1e-6)
    graph = with_widths(network, found.options).graph
    assert fit(graph, board, 200e6, budget=budget).interval == found.cost <= limit
    too_little = interval_of_widths(network, board, 200e6, {"lut": 10})
    assert too_little(dict.fromkeys(names, 8)) == np.inf
