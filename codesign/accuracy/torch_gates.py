"""Networks of a supernet with gates: what every other choice would have changed, to learn from.

A gate is 0 and changes no answer. But its gradient says how the loss would change if a part of the
alternative's tensor took the place of the network's own, where both meet again (`detour`). So one
network is computed per step, and of every alternative only what differs.

Source: the gates of Cai et al., ICLR 2019 (arXiv 1812.00332), section 3.2; the straight-through
Gumbel-softmax of Jang et al., ICLR 2017 (arXiv 1611.01144), sections 2.1 and 2.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from codesign.accuracy.torch_operators import real
from codesign.accuracy.torch_supernet import SharedWeights
from codesign.network.detour import ANSWER, Detour, detour
from codesign.network.floats import rectifies
from codesign.network.graph import INPUT, Graph, Node

_EPSILON = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """A number without dimensions, and the network towards which it opens."""

    alternative: Graph
    opening: Tensor


def straight_through(logits: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """Return a value drawn by a softmax, as ones and zeros with the gradients of soft shares."""
    levels = torch.rand(logits.shape, generator=generator).clamp(1e-9, 1 - 1e-7)
    noisy = logits - torch.log(-torch.log(levels))
    soft = functional.softmax(noisy / temperature, dim=0)
    hard = functional.one_hot(noisy.argmax(), len(logits)).to(soft.dtype)
    return hard + soft - soft.detach()


def gated(shared: SharedWeights, images: Tensor, graph: Graph, gates: Iterable[Gate]) -> Tensor:
    """Return a network's answers, `[N, classes]`, through which gradients reach the gates.

    Batches normalise themselves. Gates towards networks that real numbers cannot tell apart, or
    that the supernet does not have, get no gradient.
    """
    weights = shared.slices(graph)
    values: dict[str, Tensor] = {INPUT: images}
    opened = _opened(shared, graph, gates)
    for node in graph:
        sources = [
            _mixed(shared, values, name, opened[node.name, port])
            for port, name in enumerate(node.inputs)
        ]
        values[node.name] = _computed(node, sources, weights)
    return _mixed(shared, values, graph.outputs[0], opened[ANSWER]).flatten(1)


def visible(graph: Graph, alternative: Graph) -> bool:
    """Whether two networks differ in real numbers."""
    return detour(graph, alternative) is not None


@dataclass(slots=True, eq=False)
class _Opened:
    """A gate on its way, and once it was computed, what it would add."""

    gate: Gate
    way: Detour
    difference: Tensor | None = None


def _opened(
    shared: SharedWeights, graph: Graph, gates: Iterable[Gate]
) -> Mapping[tuple[str, int], Sequence[_Opened]]:
    """Return the gates that matter by who reads behind them."""
    found: defaultdict[tuple[str, int], list[_Opened]] = defaultdict(list)
    for gate in gates:
        way = detour(graph, gate.alternative)
        if way is None or not shared.extents.cover(gate.alternative):
            continue
        one = _Opened(gate, way)
        for reader in way.readers:
            found[reader].append(one)
    return found


def _mixed(
    shared: SharedWeights, values: Mapping[str, Tensor], name: str, opened: Iterable[_Opened]
) -> Tensor:
    """Return a tensor with what the gates in front of its reader add: nothing but gradients."""
    own = values[name]
    for one in opened:
        if one.difference is None:
            one.difference = _arriving(shared, values, one) - values[one.way.leaves].detach()
        own = own + one.gate.opening * one.difference
    return own


@torch.no_grad()
def _arriving(shared: SharedWeights, values: Mapping[str, Tensor], one: _Opened) -> Tensor:
    """Return what the alternative makes of the tensors that both networks begin with."""
    other, weights = one.gate.alternative, shared.slices(one.gate.alternative)
    begin = {INPUT, *(node.name for node in other.nodes[: one.way.start])}
    known = {name: values[name] for name in begin}
    for node in other.nodes[one.way.start :]:
        if one.way.arrives in known:
            break
        known[node.name] = _computed(node, [known[name] for name in node.inputs], weights)
    return known[one.way.arrives]


def _computed(node: Node, sources: Sequence[Tensor], weights: Mapping[str, Tensor]) -> Tensor:
    """Return what a node makes in real numbers, its batch normalised where it has a gain."""
    answer = real(node.op, sources, weights.get(f"weights_{node.name}"))
    bias, gain = weights.get(f"bias_{node.name}"), weights.get(f"gain_{node.name}")
    if gain is not None:
        answer = functional.batch_norm(answer, None, None, gain, bias, training=True, eps=_EPSILON)
    elif bias is not None:
        answer = answer + bias.reshape(1, -1, *(1,) * (answer.ndim - 2))
    return functional.relu(answer) if rectifies(node) else answer
