"""A network as torch modules: one learns real weights, one learns through their integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.accuracy.torch_functions import rounded, straight_through
from codesign.accuracy.torch_operators import look_up, real, sums
from codesign.network.floats import rectifies
from codesign.network.fuse import BatchNorm, fuse
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters, Network
from codesign.network.ops.table import Table
from codesign.network.quantize import quantize
from codesign.network.scales import Scales, bias_range, weight_range

_EPSILON = 1e-5
_MOMENTUM = 0.1


def random_weights(graph: Graph, generator: torch.Generator) -> FloatNetwork:
    """Return a graph with weights to learn from: normal, their variance by the inputs.

    Source: He et al., ICCV 2015, section 2.2.
    """
    parameters = {}
    for node in _learning(graph):
        shape = node.op.weight_shape
        assert shape is not None
        gain = (2.0 if rectifies(node) else 1.0) / np.prod(shape[1:])
        weights = torch.randn(shape, generator=generator) * float(np.sqrt(gain))
        parameters[node.name] = FloatParameters(_array(weights), np.zeros(shape[0]))
    return FloatNetwork(graph, parameters)


class _Learned(nn.Module):
    """What both modules hold: weights and biases of the nodes that learn."""

    def __init__(self, start: FloatNetwork) -> None:
        super().__init__()
        self.start = start
        for node in _learning(start.graph):
            own = start.parameters[node.name]
            self._learn("weights", node, torch.tensor(own.weights, dtype=torch.float32))
            self._learn("bias", node, torch.tensor(own.bias, dtype=torch.float32))

    def of(self, kind: str, node: Node) -> nn.Parameter:
        """Return a node's parameters, such as its "weights"."""
        own = self._parameters[f"{kind}_{node.name}"]
        assert own is not None
        return own

    def network(self) -> FloatNetwork:
        """Return the weights that were learned."""
        parameters = {
            node.name: FloatParameters(
                _array(self.of("weights", node)), _array(self.of("bias", node))
            )
            for node in _learning(self.start.graph)
        }
        return FloatNetwork(self.start.graph, parameters, self.start.clips)

    def _learn(self, kind: str, node: Node, values: Tensor) -> None:
        self.register_parameter(f"{kind}_{node.name}", nn.Parameter(values))


class FloatModule(_Learned):
    """A network in real numbers: what `execute_floats` computes.

    With `normalises`, batch normalisation stands behind every layer that learns, but for those
    that answer; it starts as the identity, and `network` fuses it.
    """

    def __init__(self, start: FloatNetwork, *, normalises: bool = False) -> None:
        super().__init__(start)
        hidden = [n for n in _learning(start.graph) if n.name not in start.graph.outputs]
        self._normalised = {node.name for node in hidden} if normalises else set()
        self._momentum = _MOMENTUM
        for name in self._normalised:
            node = start.graph[name]
            channels = len(start.parameters[name].bias)
            self._learn("gain", node, torch.ones(channels))
            self.register_buffer(f"mean_{name}", torch.zeros(channels))
            self.register_buffer(f"variance_{name}", torch.ones(channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return the (first) answer to real images, `[N, classes]`."""
        return self.values(images)[self.start.graph.outputs[0]].flatten(1)

    def values(self, images: Tensor) -> dict[str, Tensor]:
        """Return every node's output by name, as `execute_floats` does."""
        values: dict[str, Tensor] = {INPUT: images}
        for node in self.start.graph:
            sources = [values[name] for name in node.inputs]
            weights = self.of("weights", node) if node.op.has_bias else None
            answer = real(node.op, sources, weights)
            if node.op.has_bias:
                answer = self._finished(node, answer)
            if rectifies(node):
                answer = functional.relu(answer)
            if node.name in self.start.clips:
                answer = answer.clamp(*self.start.clips[node.name])
            values[node.name] = answer
        return values

    def network(self) -> FloatNetwork:
        """Return the learned weights, batch normalisation fused."""
        learned = super().network()
        parameters = dict(learned.parameters)
        for name in self._normalised:
            weights = parameters[name].weights
            bare = FloatParameters(weights, np.zeros(len(weights)))
            parameters[name] = fuse(bare, self._norm(learned.graph[name]))
        return FloatNetwork(learned.graph, parameters, learned.clips)

    def _finished(self, node: Node, answer: Tensor) -> Tensor:
        """Normalise a hidden layer; others only get a bias."""
        bias = self.of("bias", node)
        if node.name not in self._normalised:
            return answer + _per_channel(bias, answer.ndim)
        mean, variance = self._statistics(node)
        gain, momentum = self.of("gain", node), self._momentum
        return functional.batch_norm(
            answer, mean, variance, gain, bias, self.training, momentum, _EPSILON
        )

    @torch.no_grad()
    def observe(self, images: Tensor, batch: int) -> None:
        """Replace the statistics that normalise by the means over batches of some images."""
        self.train()
        for number, part in enumerate(images.tensor_split(-(-len(images) // batch)), 1):
            self._momentum = 1 / number
            self(part)
        self._momentum = _MOMENTUM
        self.eval()

    def _statistics(self, node: Node) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"mean_{node.name}"), self.get_buffer(f"variance_{node.name}")

    def _norm(self, node: Node) -> BatchNorm:
        mean, variance = (_array(values) for values in self._statistics(node))
        gain, offset = _array(self.of("gain", node)), _array(self.of("bias", node))
        return BatchNorm(gain, offset, mean, variance, _EPSILON)


class IntegerModule(_Learned):
    """The integers of a quantised network, as a function of real weights.

    Rounding passes gradients straight through, clipping stops them, and a table has those of the
    function that it stands for. Scales stay as they are.
    """

    def __init__(self, start: FloatNetwork, scales: Scales) -> None:
        super().__init__(start)
        self.scales = scales
        self._typed = quantize(start, scales)
        self._ratios = _ratios(self._typed)

    def forward(self, images: Tensor) -> Tensor:
        """Return the (first) answer to real images in real numbers, `[N, classes]`."""
        graph = self._typed.graph
        steps = rounded(images / self.scales.tensors[INPUT])
        values = self._values(steps.clamp(graph.input.low, graph.input.high))
        return values[graph.outputs[0]].flatten(1) * self.scales.tensors[graph.outputs[0]]

    @torch.no_grad()
    def integers(self, images: Tensor) -> dict[str, Tensor]:
        """Return every node's integers, exactly those of `Network.execute`.

        Double precision holds sums, and their products with a multiplier, of up to 53 bits.
        """
        return self._values(images.double())

    def quantized(self) -> Network:
        """Return the integers that were learned, as the network they define."""
        return quantize(self.network(), self.scales)

    def _values(self, images: Tensor) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {INPUT: images}
        for node in self._typed.graph:
            sources = [values[name] for name in node.inputs]
            if isinstance(node.op, Table):
                values[node.name] = self._looked_up(node, node.op, sources[0])
                continue
            answer = sums(node.op, sources, self._weights(node, images.dtype))
            if node.op.has_bias:
                answer = answer + _per_channel(self._bias(node, images.dtype), answer.ndim)
            if node.multiplier_bits:
                ratio = _per_channel(self._ratios[node.name].to(images.dtype), answer.ndim)
                answer = rounded(answer * ratio).clamp(node.output.low, node.output.high)
            values[node.name] = answer
        return values

    def _looked_up(self, node: Node, op: Table, source: Tensor) -> Tensor:
        """Return a table's answers, with the gradient of its function."""
        answers = self._typed.parameters[node.name].weights
        exact = look_up(op, source, torch.from_numpy(answers).to(source.dtype))
        steps = [self.scales.tensors[name] for name in (*node.inputs, node.name)]
        smooth = real(op, [source * steps[0]], None) / steps[1]
        return straight_through(smooth.clamp(*op.image), exact)

    def _weights(self, node: Node, dtype: torch.dtype) -> Tensor | None:
        if node.op.rescales:
            return torch.from_numpy(self.scales.factors[node.name])
        if not node.op.has_bias:
            return None
        own = self.of("weights", node).to(dtype)
        steps = torch.from_numpy(self.scales.weights[node.name]).to(dtype)
        steps = steps.reshape(-1, *(1,) * (own.ndim - 1))
        return rounded(own / steps).clamp(*weight_range(node.op.weight_bits))

    def _bias(self, node: Node, dtype: torch.dtype) -> Tensor:
        unit = torch.from_numpy(self.scales.unit(node)).to(dtype)
        limits = bias_range(node, self.start.graph.inputs(node))
        return rounded(self.of("bias", node).to(dtype) / unit).clamp(*limits)


def _ratios(network: Network) -> Mapping[str, Tensor]:
    """Return `multiplier / 2**shift` of every requantisation, exact in double precision."""
    return {
        name: torch.from_numpy(np.ldexp(own.multiplier.astype(np.float64), -own.shift))
        for name, own in network.parameters.items()
        if own.multiplier is not None
    }


def _learning(graph: Graph) -> list[Node]:
    return [node for node in graph if node.op.has_bias]


def _per_channel(values: Tensor, dimensions: int) -> Tensor:
    return values.reshape(1, -1, *(1,) * (dimensions - 2))


def _array(values: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return values.detach().numpy().astype(np.float64)
