"""Structured pruning: whole channels leave a network, and its shapes shrink for real."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from math import floor

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.network.coupling import Coupling, couple, is_depthwise
from codesign.network.floats import Floats
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.op import Op
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor, signed_bits

Mask = NDArray[np.bool_]
Masks = Mapping[str, Mask]


def filter_norms(network: FloatNetwork) -> dict[str, Floats]:
    """Return the importance of each layer's output channels, `[outputs]`: the sum of |weights|.

    Source: Li et al., ICLR 2017, section 3.1.
    """
    return {
        name: np.abs(own.weights).reshape(len(own.weights), -1).sum(axis=1)
        for name, own in network.parameters.items()
    }


def prune(
    network: FloatNetwork,
    shares: float | Mapping[str, float],
    importance: Mapping[str, Floats] | None = None,
) -> FloatNetwork:
    """Remove the least important channels, with all that they are coupled to.

    Channels that are coupled, by a residual sum for instance, go together; of coupled layers the
    largest share counts. Importance is compared relative to the mean of each layer. What the
    input or an answer has stays, and so does the last channel of every tensor.

    Args:
        network: real weights, which usually need fine-tuning afterwards.
        shares: share of its output channels that each layer loses at most; one number for all
            layers, or one each for some.
        importance: of each layer's output channels, `[outputs]`; by default `filter_norms`. The
            gains of batch normalisations serve as well (Liu et al., ICCV 2017).

    Raises:
        InputError: there is no such layer, none of its channels can leave, or a share is not
            within 0..1.
    """
    coupling = couple(network.graph)
    wanted = _wanted(network, coupling, shares)
    rank = _set_importance(coupling, importance or filter_norms(network))
    leaving = _Leaving(coupling)
    for name, share in wanted.items():
        own = coupling.sets[name]
        most = floor(share * len(own) + 1e-9)
        for number in sorted(set(own.tolist()), key=rank.__getitem__):
            taken = np.count_nonzero((own == number) | leaving.chosen[own])
            if taken <= most:
                leaving.take(number)
    return _shrunk(network, coupling.channels(~leaving.chosen))


def remove(network: FloatNetwork, channels: Mapping[str, Collection[int]]) -> FloatNetwork:
    """Remove given output channels of some nodes, with all that they are coupled to.

    If all of these compute zero, no answer changes.

    Raises:
        InputError: there is no such node or channel, or it has to stay.
    """
    graph, coupling = network.graph, couple(network.graph)
    leaving = _Leaving(coupling)
    for name, chosen in channels.items():
        if name not in coupling.sets:
            raise InputError(graph.name, f"has no node '{name}'", nearest(name, coupling.sets))
        own = coupling.sets[name]
        strange = [channel for channel in chosen if not 0 <= channel < len(own)]
        if strange:
            problem = f"{name} has {len(own)} channels, numbers {strange} are none of them"
            raise InputError(graph.name, problem)
        for channel in chosen:
            if not leaving.take(int(own[channel])):
                problem = f"channel {channel} of {name} has to stay"
                remedy = "the input, an answer or a tensor of no other channel has it"
                raise InputError(graph.name, problem, remedy)
    return _shrunk(network, coupling.channels(~leaving.chosen))


class _Leaving:
    """The sets of channels chosen to leave so far, and how many channels they leave behind."""

    def __init__(self, coupling: Coupling) -> None:
        self.chosen = np.zeros(len(coupling.fixed), dtype=bool)
        self._fixed = coupling.fixed
        self._left = {name: len(own) for name, own in coupling.sets.items()}
        self._held: dict[int, Counter[str]] = defaultdict(Counter)
        for name, own in coupling.sets.items():
            for number in own.tolist():
                self._held[number][name] += 1

    def take(self, number: int) -> bool:
        """Choose a set, unless it is fixed or some tensor would be left with nothing."""
        if self.chosen[number]:
            return True
        held = self._held[number]
        if self._fixed[number] or any(self._left[name] == n for name, n in held.items()):
            return False
        for name, count in held.items():
            self._left[name] -= count
        self.chosen[number] = True
        return True


def _wanted(
    network: FloatNetwork, coupling: Coupling, shares: float | Mapping[str, float]
) -> dict[str, float]:
    """Return the share of each layer that is to lose channels, in the graph's order."""
    graph = network.graph
    free = [
        node.name
        for node in graph
        if node.op.has_bias and not coupling.fixed[coupling.sets[node.name]].all()
    ]
    if not isinstance(shares, Mapping):
        shares = dict.fromkeys(free, shares)
    for name, share in shares.items():
        if name not in free:
            problem = f"has no layer '{name}' whose channels can leave"
            raise InputError(graph.name, problem, nearest(name, free))
        if not 0 <= share <= 1:
            raise InputError(graph.name, f"{name}: a share is within 0..1, got {share}")
    return {name: shares[name] for name in free if name in shares}


def _set_importance(coupling: Coupling, importance: Mapping[str, Floats]) -> Floats:
    """Return the mean importance of each set's learned channels, relative to their layers'."""
    total, count = np.zeros((2, len(coupling.fixed)))
    for name, values in importance.items():
        np.add.at(total, coupling.sets[name], values / (values.mean() or 1.0))
        np.add.at(count, coupling.sets[name], 1.0)
    mean: Floats = total / np.maximum(count, 1.0)
    return mean


def _shrunk(network: FloatNetwork, kept: Masks) -> FloatNetwork:
    """Return the network of the channels that are kept."""
    graph = network.graph
    known: dict[str, Tensor] = {INPUT: graph.input}
    nodes: list[Node] = []
    parameters: dict[str, FloatParameters] = {}
    for node in graph:
        op = _narrowed(node, kept)
        sources = [known[name] for name in node.inputs]
        nodes.append(_typed(node, op, sources))
        known[node.name] = nodes[-1].output
        if node.op.has_bias:
            parameters[node.name] = _selected(node, graph, network.parameters[node.name], kept)
    return FloatNetwork(replace(graph, nodes=tuple(nodes)), parameters, network.clips)


def _narrowed(node: Node, kept: Masks) -> Op:
    """Return the operator for fewer channels."""
    op, source, made = node.op, kept[node.inputs[0]], kept[node.name]
    inputs, outputs = int(source.sum()), int(made.sum())
    if isinstance(op, Conv2d | ConvTranspose2d):
        groups = inputs if is_depthwise(op) else op.groups
        return replace(op, inputs=inputs, outputs=outputs, groups=groups)
    if isinstance(op, Dense):
        return replace(op, inputs=op.inputs // len(source) * inputs, outputs=outputs)
    if isinstance(op, Slice):
        start = int(source[: op.start].sum())
        return replace(op, start=start, stop=start + outputs)
    if isinstance(op, Table) and op.channels > 1:
        own = op.parameters
        if len(own) == op.channels and op.function == "leaky_relu":  # a slope per channel
            own = tuple(np.array(own)[made].tolist())
        return replace(op, parameters=own, channels=outputs)
    return op


def _typed(node: Node, op: Op, sources: list[Tensor]) -> Node:
    """Return the node with the narrowed operator, and sums no wider than they were."""
    low, high = op.accumulator_range(sources, None)
    bits = min(node.accumulator_bits, signed_bits(low, high) + (1 if op.has_bias else 0))
    shape = op.output_shape([tensor.shape for tensor in sources])
    output = replace(node.output, shape=shape)
    if not node.multiplier_bits and output.bits == node.accumulator_bits:
        output = replace(output, bits=bits)  # it is to hold the sums, no more
    return replace(node, op=op, output=output, accumulator_bits=bits)


def _selected(node: Node, graph: Graph, own: FloatParameters, kept: Masks) -> FloatParameters:
    """Return the weights between channels that are kept, and their biases."""
    op, source, made = node.op, kept[node.inputs[0]], kept[node.name]
    if isinstance(op, Dense):
        columns = np.repeat(source, graph.inputs(node)[0].pixels)
    elif is_depthwise(op):
        columns = np.ones(1, dtype=bool)
    else:
        columns = source[: own.weights.shape[1]]  # every group keeps the same places
    return FloatParameters(own.weights[made][:, columns], own.bias[made])
