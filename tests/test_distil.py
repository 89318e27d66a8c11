"""Learning from a teacher, and more training of networks that were imported or pruned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from scipy.stats import entropy

from codesign.accuracy.dataset import Split
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.evaluators.qat import Qat
from codesign.accuracy.torch_module import FloatModule, random_weights
from codesign.accuracy.torch_training import Distillation, Recipe, fine_tune, learn_floats, train
from codesign.errors import InputError
from codesign.load import build
from codesign.network.floats import execute_floats, predict_floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.layers import PLAIN, Layers, Style, square
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.dense import Dense
from codesign.network.prune import filter_norms, prune
from codesign.network.serialize import digest
from codesign.network.tensor import Tensor

DIGITS = Digits().load()


def linear(weights):
    """Return the network of one dense layer with these weights."""
    outputs, inputs = weights.shape
    op = Dense(inputs, outputs, 8)
    node = Node("dense", op, (INPUT,), Tensor((outputs,), 32, signed=True), 0)
    graph = Graph("linear", Tensor((inputs, 1, 1), 8, signed=False), (node,))
    return FloatNetwork(graph, {"dense": FloatParameters(weights, np.zeros(outputs))})


def convnet():
    written = Layers(Tensor((1, 8, 8), 8, signed=False), 8, 8)
    maps = written.conv(INPUT, 16, square(3), Style())
    for width in (24, 24):
        maps = written.pool(maps, "max", square(2, 2))
        branch = written.conv(maps, width, square(3), Style())
        maps = written.add(branch, written.conv(branch, width, square(3), Style("linear")), "relu")
    written.dense(maps, 10)
    return written.graph("convnet")


@pytest.mark.parametrize(("share", "temperature"), [(0.0, 3.0), (0.4, 1.0), (0.7, 4.0), (1.0, 8.0)])
def test_the_gradient_is_that_of_the_published_loss(share, temperature):
    random = np.random.default_rng(0)
    teacher, student = (linear(random.normal(size=(3, 4)) * 2) for _ in range(2))
    images = random.random((5, 4, 1, 1)).astype(np.float32)
    split = Split(images, random.integers(3, size=5))

    def loss(weights):
        scores, wanted = (
            execute_floats(network, images)["dense"] for network in (linear(weights), teacher)
        )
        hard = -log_softmax(scores, axis=1)[np.arange(5), split.labels].mean()
        p, q = (np.exp(log_softmax(s / temperature, axis=1)) for s in (wanted, scores))
        return (1 - share) * hard + share * temperature**2 * entropy(p, q, axis=1).mean()

    weights = student.parameters["dense"].weights
    expected = np.empty_like(weights)
    for place in np.ndindex(weights.shape):
        step = np.zeros_like(weights)
        step[place] = 1e-5
        expected[place] = (loss(weights + step) - loss(weights - step)) / 2e-5

    module, seen = FloatModule(student), []
    parameter = module.of("weights", student.graph["dense"])
    parameter.register_hook(lambda gradient: seen.append(gradient.numpy().copy()))
    distillation = Distillation(teacher, share, temperature)
    train(module, split, Recipe(1, 5, 1e-3), torch.Generator(), distillation)
    np.testing.assert_allclose(seen[0], expected, rtol=1e-3, atol=1e-5)


def test_a_student_without_labels_learns_its_teacher():
    random = np.random.default_rng(1)
    teacher = linear(random.normal(size=(4, 6)))
    images = random.random((512, 6, 1, 1)).astype(np.float32)
    wrong = Split(images, random.integers(4, size=512))
    start = random_weights(teacher.graph, torch.Generator().manual_seed(0))
    recipe = Recipe(30, 32, 0.03)
    generator = torch.Generator().manual_seed(0)
    taught = fine_tune(start, wrong, recipe, generator, Distillation(teacher, 1.0, 2.0))
    right = predict_floats(teacher, images)
    assert (predict_floats(taught, images) == right).mean() > 0.97
    assert (predict_floats(start, images) == right).mean() < 0.7


class Foreign(torch.nn.Module):
    """What a person brings: clips, tables, a gate, a depthwise layer, and the way back up."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        nn = torch.nn
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU6(), nn.MaxPool2d(2))
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Hardswish())
        gate = (nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.gate = nn.Sequential(*gate)
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 6, 2, stride=2), nn.LeakyReLU(0.2))
        self.scores = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(96, 10))

    def forward(self, images):
        maps = self.depthwise(self.stem(images))
        return self.scores(self.up(maps * self.gate(maps)))


def foreign_network(module):
    """Return what a `Foreign` computes, its types of 4 bits."""
    written = Layers(Tensor((1, 8, 8), 8, signed=False), 4, 4)
    stem = written.conv(INPUT, 8, square(3), Style("relu6"))
    maps = written.depthwise(written.pool(stem, "max", square(2, 2)), square(3), PLAIN)
    maps = written.function(maps, "hard_swish")
    gate = written.conv(written.average(maps), 8, square(1), PLAIN)
    maps = written.multiply(maps, written.function(gate, "sigmoid"))
    maps = written.function(written.transposed(maps, 6, square(2, 2), PLAIN), "leaky_relu", (0.2,))
    written.dense(written.pool(maps, "average", square(2, 2)), 10)
    network = written.network("foreign", 0)
    parts = (module.stem[0], module.depthwise[0], module.gate[1], module.up[0], module.scores[2])
    parameters = {}
    for name, part in zip(network.parameters, parts, strict=True):
        weights, bias = (p.detach().numpy().astype(np.float64) for p in (part.weight, part.bias))
        if isinstance(part, torch.nn.ConvTranspose2d):
            weights = weights.swapaxes(0, 1)
        parameters[name] = FloatParameters(weights, bias)
    return replace(network, parameters=parameters)


def test_given_weights_keep_their_function_and_learn_through_integers():
    module = Foreign().eval()
    optimizer = torch.optim.Adam(module.parameters(), 0.03)
    images, labels = torch.from_numpy(DIGITS.train.images), torch.from_numpy(DIGITS.train.labels)
    for _ in range(80):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(images), labels).backward()
        optimizer.step()
    network = foreign_network(module)
    assert network.clips == {"conv0": (0.0, 6.0)}
    test = torch.from_numpy(DIGITS.test.images)
    with torch.no_grad():
        np.testing.assert_allclose(FloatModule(network)(test), module(test), rtol=1e-4, atol=1e-4)
    rounded, tuned = (
        evaluator.evaluate(network.graph, DIGITS, 0, network).validation_accuracy
        for evaluator in (Ptq(), Qat(fine_tune_epochs=4, distill=0.5))
    )
    assert tuned > max(rounded + 0.02, 0.9)


def test_fine_tuning_depends_on_the_teacher_and_its_options_alone():
    few = replace(DIGITS, train=DIGITS.train.take(np.arange(200)))
    floats = random_weights(convnet(), torch.Generator().manual_seed(0))
    found = {
        (share, temperature): digest(
            Qat(fine_tune_epochs=1, distill=share, temperature=temperature)
            .evaluate(floats.graph, few, 0, floats)
            .network
        )
        for share, temperature in ((0.0, 4.0), (0.0, 2.0), (0.5, 4.0), (0.5, 2.0), (0.9, 2.0))
    }
    assert found[0.0, 4.0] == found[0.0, 2.0]
    assert len(set(found.values())) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distill": -0.1}, "distill is at least 0, got -0.1"),
        ({"distill": 1.5}, "distill is a share, at most 1, got 1.5"),
        ({"temperature": 0}, "temperature is at least 0.01"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build(Qat, options, "evaluator")


def test_imported_clips_stay_in_training():
    network = linear(np.array([[2.0, -2.0], [1.0, 1.0]]))
    network = replace(network, clips={"dense": (-0.5, 0.75)})
    images = np.random.default_rng(0).random((64, 2, 1, 1)).astype(np.float32)
    split = Split(images, np.arange(64) % 2)
    assert learn_floats(network.graph, split, Recipe(1, 8, 0.1), torch.Generator(), network) == (
        network
    )
    tuned = fine_tune(network, split, Recipe(1, 8, 1e-6), torch.Generator())
    assert tuned.clips == network.clips
    scores = FloatModule(tuned)(torch.from_numpy(images)).detach().numpy()
    assert (scores.min(), scores.max()) == (-0.5, 0.75)
    np.testing.assert_allclose(scores, execute_floats(network, images)["dense"], atol=1e-4)


@pytest.fixture(scope="module")
def whole():
    generator = torch.Generator().manual_seed(0)
    return learn_floats(convnet(), DIGITS.train, Recipe(12, 64, 0.02), generator, None)


def right(network):
    """Return the share of test images that real numbers classify rightly."""
    return (predict_floats(network, DIGITS.test.images) == DIGITS.test.labels).mean()


def test_the_channels_of_small_norm_are_missed_least(whole):
    worst = {name: 1 / norms for name, norms in filter_norms(whole).items()}
    assert right(whole) >= 0.97
    assert right(prune(whole, 0.2)) > right(prune(whole, 0.2, worst)) + 0.3


def test_fine_tuning_gives_a_pruned_network_its_accuracy_back(whole):
    pruned = prune(whole, 0.5)
    generator = torch.Generator().manual_seed(1)
    tuned = fine_tune(pruned, DIGITS.train, Recipe(8, 64, 0.01), generator)
    assert pruned.graph.macs < 0.3 * whole.graph.macs
    assert right(pruned) < right(whole) - 0.2
    assert right(tuned) > right(whole) - 0.03
    quantised = Qat().evaluate(tuned.graph, DIGITS, 0, tuned)
    assert quantised.validation_accuracy > 0.95
