"""Bias correction: the mean error that rounding causes on the calibration images vanishes."""

from __future__ import annotations

import numpy as np
import pytest
from random_networks import random_images, random_network

from codesign.network.floats import answer_floats, execute_floats, real_sums
from codesign.network.quantize import post_training
from codesign.network.scales import MULTIPLIER_BITS, Method


def mean_errors(network, images, kind, corrects):
    """Return each output channel's mean error of the scores, in their steps."""
    quantised = post_training(network, images, kind, Method(correct_bias=corrects))
    scores = quantised.answer(quantised.quantize_input(images))
    wanted = answer_floats(network, images)["scores"] / quantised.scales["scores"]
    return np.abs((scores - wanted).mean(axis=0))


@pytest.mark.parametrize("kind", MULTIPLIER_BITS)
def test_the_mean_error_of_the_scores_vanishes(kind):
    before = []
    for seed in range(15):
        network = random_network(seed)
        images = random_images(network, seed, 20)
        # a bias is an integer: half a step is left
        assert mean_errors(network, images, kind, corrects=True).max() <= 0.5 + 1e-6
        before.append(mean_errors(network, images, kind, corrects=False).max())
    assert np.median(before) > 5


def test_hidden_layers_are_right_on_average_too():
    network = random_network(4, layers=12)
    images = random_images(network, 4, 20)
    real = execute_floats(network, images)
    quantised = post_training(network, images, method=Method(correct_bias=True))
    integers = quantised.execute(quantised.quantize_input(images))
    checked = 0
    for node in quantised.graph:
        own = quantised.parameters[node.name]
        if node.op.has_bias:
            sources = [integers[name] for name in node.inputs]
            sums = node.op.accumulate(sources, own.weights)
            axes = tuple(axis for axis in range(sums.ndim) if axis != 1)
            wanted = real_sums(network, node, [real[name] for name in node.inputs])
            unit = quantised.scales[node.name] * (2.0**-own.shift if node.multiplier_bits else 1.0)
            error = (sums.mean(axis=axes) + own.bias) - wanted.mean(axis=axes) / unit
            assert np.abs(error).max() <= 0.5 + 1e-6, node.name
            checked += 1
    assert checked > 2
