"""The contract of evaluators, for every member of the folder; torch against the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_networks import random_images, random_network

from codesign import load
from codesign.accuracy.dataset import Dataset, Split
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import Evaluator, accuracy
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.evaluators.qat import Qat
from codesign.accuracy.torch_functions import FUNCTIONS
from codesign.accuracy.torch_module import FloatModule, IntegerModule, random_weights
from codesign.accuracy.torch_operators import sums
from codesign.accuracy.torch_training import Recipe, train
from codesign.errors import InputError
from codesign.network import functions
from codesign.network.families.convnet import Convnet
from codesign.network.floats import execute_floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.dense import Dense
from codesign.network.ops.table import Table
from codesign.network.scales import MULTIPLIER_BITS, choose_scales
from codesign.network.serialize import digest, operators
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


def exact(network):
    """Return the float module of a network in double precision, weights included."""
    module = FloatModule(network).double()
    with torch.no_grad():
        for name, own in network.parameters.items():
            module.of("weights", network.graph[name]).copy_(torch.from_numpy(own.weights))
            module.of("bias", network.graph[name]).copy_(torch.from_numpy(own.bias))
    return module.eval()


def learned(seed, kind):
    """Return the integer module of a random network after a little training, and images."""
    network = random_network(seed)
    images = random_images(network, seed, count=16)
    module = IntegerModule(network, choose_scales(network, images, kind))
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    labels = torch.from_numpy(np.random.default_rng(seed).integers(5, size=len(images)))
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(torch.from_numpy(images)), labels).backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    return module, images


@pytest.mark.parametrize("seed", range(60))
def test_torch_computes_every_real_number_of_the_reference(seed):
    network = random_network(seed)
    images = random_images(network, seed)
    found = exact(network).values(torch.from_numpy(images).double())
    for name, values in execute_floats(network, images).items():
        mine = found[name].detach().numpy()
        np.testing.assert_allclose(mine, values, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("kind", MULTIPLIER_BITS)
@pytest.mark.parametrize("seed", range(60))
def test_torch_computes_every_integer_of_the_reference(seed, kind):
    module, images = learned(seed, kind)
    with torch.no_grad():
        # a bias beyond its range is clipped, and by both
        module.of("bias", module.start.graph["scores"])[0] *= 1e6
    network = module.quantized()
    integers = network.quantize_input(images)
    wanted = network.execute(integers)
    found = module.integers(torch.from_numpy(integers))
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name].numpy(), values, err_msg=name)


@pytest.mark.parametrize("seed", range(20))
def test_training_sees_the_scores_of_the_reference(seed):
    module, images = learned(seed, "power_of_two")
    network = module.quantized()
    scores = network.answer(network.quantize_input(images)) * network.scales["scores"]
    with torch.no_grad():
        found = module(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, scores, rtol=1e-5, atol=1e-6)


def test_the_random_networks_have_every_operator_and_clips():
    networks = [random_network(seed) for seed in range(60)]
    assert {type(n.op) for network in networks for n in network.graph} == set(operators().values())
    tables = [n.op for network in networks for n in network.graph if isinstance(n.op, Table)]
    assert {op.function for op in tables} == set(functions.FUNCTIONS)
    assert any(op.channels > 1 for op in tables)
    assert sum(len(network.clips) for network in networks) > 60
    assert sum(len(network.graph.outputs) > 1 for network in networks) > 30


@pytest.mark.parametrize("seed", range(20))
def test_batch_normalisation_starts_as_nothing_and_is_fused(seed):
    network = random_network(seed)
    images = random_images(network, seed, count=24)
    module = FloatModule(network, normalises=True).double().eval()
    before = module(torch.from_numpy(images).double()).detach().numpy()
    start = execute_floats(network, images)["scores"]
    np.testing.assert_allclose(before, start, rtol=1e-3, atol=1e-3)
    module.train()
    module(torch.from_numpy(images).double())
    scores = module.eval()(torch.from_numpy(images).double()).detach().numpy()
    fused = execute_floats(module.network(), images)["scores"]
    np.testing.assert_allclose(fused, scores, rtol=1e-9, atol=1e-9)
    hidden = [n for n in network.parameters if n not in network.graph.outputs]
    assert {name for name, _ in module.named_buffers()} == {
        f"{kind}_{name}" for name in hidden for kind in ("mean", "variance")
    }


@pytest.mark.parametrize("name", functions.FUNCTIONS)
def test_a_function_and_its_gradient_are_those_of_its_definition(name):
    own = functions.FUNCTIONS[name]
    x = 3 * np.random.default_rng(0).normal(size=(4, 3, 30))
    variants = [own.defaults]
    if own.defaults:
        variants.append(tuple(1.3 * value for value in own.defaults))
    if name == "leaky_relu":
        variants.append((0.1, -0.4, 2.0))
    for parameters in variants:
        inputs = torch.tensor(x, requires_grad=True)
        found = FUNCTIONS[name](inputs, *parameters)
        np.testing.assert_allclose(found.detach(), own.compute(x, *parameters), atol=1e-12)
        found.sum().backward()
        step = 1e-6
        rise = own.compute(x + step, *parameters) - own.compute(x - step, *parameters)
        slope = rise / (2 * step) if name != "sign" else np.abs(x) < 1
        np.testing.assert_allclose(inputs.grad, slope, atol=1e-5)


def test_a_table_learns_by_its_function_where_it_does_not_saturate():
    table = Table("tanh", (), (-8, 7), (-4, 3))
    source = Tensor((1,), 4, signed=True)
    nodes = (
        Node("dense", Dense(1, 1, 8), (INPUT,), source),
        Node("table", table, ("dense",), Tensor((1,), 3, signed=True), 0),
    )
    parameters = {"dense": FloatParameters(np.ones((1, 1)), np.zeros(1))}
    network = FloatNetwork(Graph("tanh", source, nodes), parameters)
    scales = choose_scales(network, np.linspace(-1, 1, 50)[:, None], "power_of_two")
    scales.tensors.update(input=0.25, dense=0.25, table=0.25)
    module = IntegerModule(network, scales)
    for value in (-0.75, -0.5, 0.0, 0.25, 0.5, 1.5):
        images = torch.tensor([[value]], requires_grad=True)
        answer = module(images)
        assert answer.item() == np.clip(np.rint(np.tanh(value) / 0.25), -4, 3) * 0.25
        (gradient,) = torch.autograd.grad(answer, images)
        expected = 1 - np.tanh(value) ** 2 if np.tanh(value) < 0.75 else 0.0
        assert gradient.item() == pytest.approx(expected, abs=1e-6)


def test_an_operator_without_a_twin_is_a_mistake():
    with pytest.raises(TypeError, match="str cannot be trained"):
        sums("no operator", [], None)


def test_a_node_may_be_called_anything():
    source = Tensor((2,), 8, signed=False)
    names = ("values", "keys", "training", "of", "bias")
    before = (INPUT, *names)
    nodes = [
        Node(name, Dense(2, 2, 8), (before[number],), Tensor((2,), 8, signed=False))
        for number, name in enumerate(names)
    ]
    network = random_weights(Graph("names", source, tuple(nodes)), torch.Generator())
    images = np.random.default_rng(0).random((4, 2)).astype(np.float32)
    scores = FloatModule(network)(torch.from_numpy(images)).detach()
    np.testing.assert_allclose(scores, execute_floats(network, images)["bias"], rtol=1e-4)


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
    start = random_weights(wide, torch.Generator())
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


def test_images_are_shifted_and_half_of_them_mirrored():
    images = np.zeros((400, 1, 5, 5), np.float32)
    images[:, :, 2, 2:] = (0.2, 0.4, 0.6)
    seen = []

    class Spy(torch.nn.Linear):
        def forward(self, batch):
            seen.append(batch)
            return super().forward(batch.flatten(1))

    recipe = Recipe(1, 100, 0.01, shift=1, flip=True)
    split = Split(images, np.zeros(400, np.int64))
    train(Spy(25, 2), split, recipe, torch.Generator().manual_seed(0))
    found = torch.cat(seen)[:, 0]
    assert sorted(found.amax((1, 2)).unique().tolist()) == pytest.approx([0.4, 0.6])
    mirrored = found[:, :, 0].sum(1) + found[:, :, 1].sum(1) > found[:, :, 3:].sum((1, 2))
    assert 160 < mirrored.sum() < 240
    assert {int(rows) for rows in found.sum(2).argmax(1)} == {1, 2, 3}


def test_eight_bits_learn_the_digits_and_few_bits_need_training_for_them():
    eight = Qat().evaluate(graph_of(8), DIGITS, seed=0)
    assert accuracy(eight.network, DIGITS.test) >= 0.97
    three = Qat().evaluate(graph_of(3), DIGITS, seed=0, start=eight.floats)
    rounded = Ptq().evaluate(graph_of(3), DIGITS, seed=0, start=eight.floats)
    assert three.validation_accuracy >= 0.9
    assert three.validation_accuracy > rounded.validation_accuracy + 0.02
