"""The contract of evaluators, for every member of the folder; torch against the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from codesign import load
from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import Evaluator, accuracy
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.evaluators.qat import Qat
from codesign.accuracy.torch_module import FloatModule, IntegerModule
from codesign.accuracy.torch_training import Recipe, train
from codesign.errors import InputError
from codesign.network.families.convnet import Convnet
from codesign.network.floats import execute_floats
from codesign.network.network import FloatNetwork
from codesign.network.scales import MULTIPLIER_BITS, choose_scales
from codesign.network.serialize import digest
from codesign.network.tensor import Tensor

NAMES = load.names("accuracy.evaluators")
DIGITS = Digits().load()
FEW = replace(DIGITS, train=DIGITS.train.take(np.arange(200)))


def graph_of(bits=4, **changes):
    family = Convnet(Tensor((1, 8, 8), 8, signed=False), 10)
    point = {choice.name: choice.values[0] for choice in family.space().choices}
    for layer, width in enumerate((8, 16, 16)):
        point |= {f"width{layer}": width, f"kernel{layer}": 3, f"downsample{layer}": "max"}
    point |= {name: bits for name in point if "bits" in name}
    return family.decode(point | {"layers": 3} | changes)


def evaluator(name, **options):
    return load.build(load.member("accuracy.evaluators", Evaluator, name), options, "evaluator")


def random_module(seed, kind):
    """Return the integer module of a random graph after a little training, and images."""
    random = np.random.default_rng(seed)
    shape = ((1, 8, 8), (3, 12, 9))[seed % 2]
    family = Convnet(Tensor(shape, 8, signed=False), 5, layers=(1, 2, 3))
    graph = family.decode(family.space().sample(random))
    images = random.random((24, *shape)).astype(np.float32)
    split = Split(images, random.integers(5, size=24))
    generator = torch.Generator().manual_seed(seed)
    floats = FloatModule(graph, generator)
    train(floats, split, Recipe(1, 8, 0.01, shift=1), generator)
    network = floats.network()
    module = IntegerModule(network, choose_scales(network, images, kind))
    train(module, split, Recipe(1, 8, 0.01, shift=0), generator)
    return floats, module, images


@pytest.mark.parametrize("kind", MULTIPLIER_BITS)
@pytest.mark.parametrize("seed", range(40))
def test_torch_computes_every_integer_of_the_reference(seed, kind):
    _, module, images = random_module(seed, kind)
    with torch.no_grad():
        # a bias beyond its range is clipped, and by both
        module.biases["conv0"][0] *= 1e6
    network = module.network()
    integers = network.quantize_input(images)
    wanted = network.execute(integers)
    found = module.integers(torch.from_numpy(integers))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name].numpy(), values, err_msg=name)


@pytest.mark.parametrize("seed", range(10))
def test_training_sees_the_scores_of_the_reference(seed):
    _, module, images = random_module(seed, "power_of_two")
    network = module.network()
    last = network.graph.nodes[-1].name
    scores = network.execute(network.quantize_input(images))[last] * network.scales[last]
    with torch.no_grad():
        found = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_fused_network_is_the_trained_module(seed):
    floats, _, images = random_module(seed, "power_of_two")
    network = floats.network()
    with torch.no_grad():
        scores = floats(torch.from_numpy(images)).numpy()
    found = execute_floats(network, images)[network.graph.nodes[-1].name]
    np.testing.assert_allclose(found, scores, rtol=1e-3, atol=1e-4)


def test_the_issue_evaluators_are_there():
    assert {"ptq", "qat"} <= set(NAMES)


@pytest.mark.parametrize("kind", MULTIPLIER_BITS)
@pytest.mark.parametrize("name", NAMES)
def test_an_evaluation_depends_on_its_arguments_alone(name, kind):
    member = evaluator(name, epochs=2, scales=kind, shift=1)
    first = member.evaluate(graph_of(), FEW, seed=3)
    torch.manual_seed(99)
    torch.set_num_threads(2)
    other = member.evaluate(graph_of(8), FEW, seed=4)
    again = member.evaluate(graph_of(), FEW, seed=3)
    assert torch.get_num_threads() == 2
    assert digest(again.network) == digest(first.network) != digest(other.network)
    assert digest(member.evaluate(graph_of(), FEW, seed=4).network) != digest(first.network)


@pytest.mark.parametrize("name", NAMES)
def test_accuracy_is_counted_by_the_reference_on_validation(name):
    trained = evaluator(name, epochs=2).evaluate(graph_of(), FEW, seed=0)
    right = trained.network.predict(FEW.validation.images) == FEW.validation.labels
    assert trained.validation_accuracy == accuracy(trained.network, FEW.validation) == right.mean()
    assert trained.validation_accuracy != accuracy(trained.network, FEW.test)
    assert 0 < trained.validation_accuracy < 1
    assert trained.seconds > 0


@pytest.mark.parametrize("name", NAMES)
def test_weights_to_start_from_replace_the_first_training(name):
    trained = evaluator(name).evaluate(graph_of(8), FEW, seed=0)
    started = evaluator(name).evaluate(graph_of(6), FEW, seed=1, start=trained.floats)
    assert started.floats.parameters is trained.floats.parameters
    assert started.floats.graph == graph_of(6)
    assert started.validation_accuracy > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_belong_together_is_refused(name):
    member, graph = evaluator(name), graph_of()
    small = Split(np.zeros((20, 1, 4, 4), np.float32), np.arange(20) % 10)
    with pytest.raises(InputError, match=r"reads \(1, 8, 8\), images of small are \(1, 4, 4\)"):
        member.evaluate(graph, Dataset("small", 10, small, small, small), seed=0)
    with pytest.raises(InputError, match="scores 10 classes, digits has 11"):
        member.evaluate(graph, replace(DIGITS, classes=11), seed=0)
    wide = graph_of(width1=32)
    start = FloatModule(wide, torch.Generator()).network()
    with pytest.raises(InputError, match=r"conv1: starts from weights \(32, 8, 3, 3\)"):
        member.evaluate(graph, DIGITS, seed=0, start=start)
    with pytest.raises(InputError, match="conv0: starts from weights None"):
        member.evaluate(graph, DIGITS, seed=0, start=FloatNetwork(wide, {}))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is at least 1, got 0"),
        ({"batch": 0}, "batch is at least 1"),
        ({"shift": -1}, "shift is at least 0"),
        ({"threads": 0}, "threads is at least 1"),
        ({"scales": "power_of_to"}, "did you mean power_of_two"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    with pytest.raises(InputError, match=message):
        evaluator(name, **options)


def test_eight_bits_learn_the_digits_and_few_bits_need_training_for_them():
    eight = Qat().evaluate(graph_of(8), DIGITS, seed=0)
    assert accuracy(eight.network, DIGITS.test) >= 0.97
    three = Qat().evaluate(graph_of(3), DIGITS, seed=0, start=eight.floats)
    rounded = Ptq().evaluate(graph_of(3), DIGITS, seed=0, start=eight.floats)
    assert three.validation_accuracy >= 0.9
    assert three.validation_accuracy > rounded.validation_accuracy + 0.02
