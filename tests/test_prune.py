"""Pruning: shapes shrink for real, and channels that compute zero are never missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_images, random_network

from codesign.errors import InputError
from codesign.load import names
from codesign.network.coupling import couple
from codesign.network.floats import execute_floats
from codesign.network.functions import FUNCTIONS
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.model import reference
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.table import Table
from codesign.network.prune import filter_norms, prune, remove
from codesign.network.quantize import post_training
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

SEEDS = range(60)


def free_sets(network):
    """Return the channels `{name: [indices]}` of every set that may leave."""
    coupling = couple(network.graph)
    return [
        {name: np.flatnonzero(own == number) for name, own in coupling.sets.items()}
        for number in np.flatnonzero(~coupling.fixed)
    ]


def silenced(network, channels):
    """Return the network with zero weights and biases wherever these channels are learned."""
    parameters = {}
    for name, own in network.parameters.items():
        weights, bias = own.weights.copy(), own.bias.copy()
        weights[channels[name]], bias[channels[name]] = 0.0, 0.0
        parameters[name] = FloatParameters(weights, bias)
    return replace(network, parameters=parameters)


def without_offsets(network):
    """Return the network with functions that keep zero where it is, unless they only gate."""
    nodes = []
    for node in network.graph:
        op = node.op
        readers = network.graph.readers(node.name)
        gates = all(
            isinstance(reader.op, Multiply) and reader.inputs[0] != node.name for reader in readers
        )
        if isinstance(op, Table) and not gates:
            zero = FUNCTIONS[op.function].compute(np.zeros((1, op.channels)), *op.parameters)
            if zero.any():
                op = replace(op, function="tanh", parameters=())
        nodes.append(replace(node, op=op))
    return replace(network, graph=replace(network.graph, nodes=tuple(nodes)))


def leaving(network, channels):
    """Remove one set of channels, or return None where it must stay."""
    name = next(name for name, own in channels.items() if len(own))
    try:
        return remove(network, {name: channels[name][:1]})
    except InputError:
        return None


@pytest.mark.parametrize("seed", SEEDS)
def test_channels_of_zeros_are_never_missed(seed):
    network = without_offsets(random_network(seed))
    images = random_images(network, seed)
    for channels in free_sets(network):
        quiet = silenced(network, channels)
        smaller = leaving(quiet, channels)
        if smaller is None:
            continue
        before, after = execute_floats(quiet, images), execute_floats(smaller, images)
        for name, values in before.items():
            wanted = np.delete(values, channels[name], axis=1)
            np.testing.assert_allclose(after[name], wanted, rtol=1e-9, atol=1e-9, err_msg=name)


def test_the_zeros_of_random_networks_are_of_every_kind():
    kinds = {
        type(node.op)
        for seed in SEEDS
        for network in [without_offsets(random_network(seed))]
        for channels in free_sets(network)
        if (smaller := leaving(network, channels)) is not None
        for node in smaller.graph
        if node.output.shape != network.graph[node.name].output.shape
    }
    assert len(kinds) == len(names("network.ops"))


def counted_macs(graph, kept):
    """Count the multiplications between channels that are kept, one by one."""
    total = 0
    for node in graph:
        op, made, read = node.op, kept[node.name], kept[node.inputs[0]]
        if isinstance(op, Dense):
            total += made.sum() * read.sum() * graph.inputs(node)[0].pixels
        elif node.op.has_bias:
            pairs = np.zeros((op.outputs, op.inputs), dtype=bool)
            for group in range(op.groups):
                rows, columns = op.outputs // op.groups, op.inputs // op.groups
                pairs[group * rows : (group + 1) * rows, group * columns :][:, :columns] = True
            pixels = node.output if isinstance(op, Conv2d) else graph.inputs(node)[0]
            used = pairs[made][:, read].sum()
            total += used * pixels.pixels * op.window.positions
    return total


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_and_macs_shrink_as_counted(seed):
    network = random_network(seed)
    smaller = prune(network, 0.5)
    kept = {
        name: np.arange(tensor.channels) >= 0
        for name, tensor in ((n, network.graph.tensor(n)) for n in couple(network.graph).sets)
    }
    assert counted_macs(network.graph, kept) == network.graph.macs
    gone = couple(network.graph)
    chosen = np.ones(len(gone.fixed), dtype=bool)
    for name in network.parameters:
        left = smaller.parameters[name].bias
        chosen[gone.sets[name][~np.isin(network.parameters[name].bias, left)]] = False
    kept = gone.channels(chosen)
    for node in smaller.graph:
        assert node.output.channels == kept[node.name].sum(), node.name
        assert node.accumulator_bits <= network.graph[node.name].accumulator_bits
        if node.op.has_bias:
            assert smaller.parameters[node.name].weights.shape == node.op.weight_shape
    assert smaller.graph.macs == counted_macs(network.graph, kept) <= network.graph.macs
    assert [smaller.graph.tensor(n).shape for n in (INPUT, *network.graph.outputs)] == [
        network.graph.tensor(n).shape for n in (INPUT, *network.graph.outputs)
    ]
    images = random_images(network, seed)
    answers = post_training(smaller, images).predict(images)
    assert answers.shape == (len(images),)


@pytest.mark.parametrize("name", ["resnet8", "ecg", "mobilenet_v1_025", "mobilenet_v3_small"])
def test_half_of_every_layer_of_known_networks_leaves(name):
    network = reference(name).network(0)
    smaller = prune(network, 0.5)
    for layer, own in network.parameters.items():
        left = len(smaller.parameters[layer].bias)
        fixed = layer in network.graph.outputs
        assert left == (len(own.bias) if fixed else len(own.bias) - len(own.bias) // 2), layer
    # a layer between halved ones keeps a quarter of its products, a depthwise one half
    assert 0.25 < smaller.graph.macs / network.graph.macs < 0.35


def residual():
    """Return x -> first -> (second -> PReLU) + first, beside it a part, flattened and scored."""
    point, maps = Window((1, 1)), Tensor((4, 2, 2), 8, signed=False)
    slopes = (0.1, 0.2, 0.3, 0.4)
    nodes = (
        Node("first", Conv2d(2, 4, point, 8), (INPUT,), maps),
        Node("second", Conv2d(4, 4, point, 8), ("first",), replace(maps, signed=True)),
        Node(
            "prelu",
            Table("leaky_relu", slopes, (-128, 127), (-128, 127), 4),
            ("second",),
            replace(maps, signed=True),
            0,
        ),
        Node("sum", Add(4), ("first", "prelu"), maps),
        Node("other", Conv2d(2, 3, point, 8), (INPUT,), Tensor((3, 2, 2), 8, signed=False)),
        Node("both", Concat(2, 4), ("other", "sum"), Tensor((7, 2, 2), 8, signed=False)),
        Node("scores", Dense(28, 3, 8), ("both",), Tensor((3,), 32, signed=True), 0),
    )
    graph = Graph("residual", Tensor((2, 2, 2), 8, signed=False), nodes)
    random = np.random.default_rng(0)
    parameters = {
        node.name: FloatParameters(
            random.normal(size=node.op.weight_shape), np.arange(float(node.op.outputs))
        )
        for node in nodes
        if node.op.has_bias
    }
    return FloatNetwork(graph, parameters)


def test_what_is_coupled_leaves_together_by_hand():
    network = residual()
    smaller = remove(network, {"second": [2], "other": [0]})
    first, second, scores = (smaller.parameters[n] for n in ("first", "second", "scores"))
    assert first.bias.tolist() == second.bias.tolist() == [0, 1, 3]
    rest = [0, 1, 3]
    assert np.array_equal(second.weights, network.parameters["second"].weights[rest][:, rest])
    assert smaller.graph["prelu"].op.parameters == (0.1, 0.2, 0.4)
    # the columns of a channel are its four pixels: channels 1, 2 of other, then 0, 1, 3 of sum
    columns = [4 * channel + pixel for channel in (1, 2, 3, 4, 6) for pixel in range(4)]
    assert np.array_equal(scores.weights, network.parameters["scores"].weights[:, columns])
    assert scores.bias.tolist() == [0, 1, 2]


def test_the_least_important_leave_and_the_greediest_share_counts():
    network = residual()
    norms = filter_norms(network)
    assert norms["first"] == pytest.approx(
        np.abs(network.parameters["first"].weights).sum((1, 2, 3))
    )
    relative = sum(norms[name] / norms[name].mean() for name in ("first", "second"))
    kept = np.sort(np.argsort(relative)[2:]).tolist()
    for shares in ({"first": 0.5}, {"second": 0.5}, {"first": 0.25, "second": 0.74}, 0.5):
        assert prune(network, shares).parameters["first"].bias.tolist() == kept
    loud = dict(network.parameters)
    loud["second"] = replace(loud["second"], weights=100 * loud["second"].weights)
    louder = replace(network, parameters=loud)
    assert prune(louder, {"first": 0.5}).parameters["first"].bias.tolist() == kept
    assert kept != np.sort(np.argsort(norms["second"])[2:]).tolist()
    given = {"first": np.array([1.0, 4, 3, 2])}
    assert prune(network, {"first": 0.5}, given).parameters["second"].bias.tolist() == [1, 2]
    assert len(prune(network, {"other": 0.67}).parameters["other"].bias) == 1
    assert prune(network, 0.2).graph == network.graph


def test_something_is_always_left():
    smaller = prune(residual(), 1)
    assert [node.output.channels for node in smaller.graph] == [1, 1, 1, 1, 1, 2, 3]


def test_a_table_without_slopes_of_its_own_keeps_its_parameters():
    network = residual()
    table = replace(network.graph["prelu"].op, function="elu", parameters=(0.5,))
    nodes = [replace(n, op=table) if n.name == "prelu" else n for n in network.graph]
    network = replace(network, graph=replace(network.graph, nodes=tuple(nodes)))
    op = remove(network, {"sum": [0]}).graph["prelu"].op
    assert (op.channels, op.parameters) == (3, (0.5,))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: prune(n, {"frist": 0.5}), "no layer 'frist'.*did you mean first"),
        (lambda n: prune(n, {"scores": 0.5}), "no layer 'scores' whose channels can leave"),
        (lambda n: prune(n, {"prelu": 0.5}), "no layer 'prelu'"),
        (lambda n: prune(n, 1.5), "a share is within 0..1, got 1.5"),
        (lambda n: remove(n, {"sun": [0]}), "no node 'sun'; did you mean sum"),
        (lambda n: remove(n, {"first": [1, 4]}), r"first has 4 channels, numbers \[4\] are none"),
        (lambda n: remove(n, {"scores": [1]}), "channel 1 of scores has to stay"),
        (lambda n: remove(n, {"other": [0, 1, 2]}), "channel 2 of other has to stay"),
    ],
)
def test_what_cannot_leave_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        change(residual())
