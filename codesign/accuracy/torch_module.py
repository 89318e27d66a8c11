"""A graph as torch modules: one learns real weights, one learns through their integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from codesign.network.floats import rectifies
from codesign.network.fuse import BatchNorm, fuse
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, FloatParameters, Network
from codesign.network.op import Op
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.quantize import quantize
from codesign.network.scales import Scales, bias_range, weight_range

_EPSILON = 1e-5
_MOMENTUM = 0.1


class FloatModule(nn.Module):
    """The graph in real numbers, with batch normalisation behind every hidden layer."""

    def __init__(self, graph: Graph, generator: torch.Generator) -> None:
        super().__init__()
        self.graph = graph
        self.weights, self.gains, self.offsets = (nn.ParameterDict() for _ in range(3))
        for node in _learning(graph):
            shape = node.op.weight_shape
            assert shape is not None
            gain = (2.0 if rectifies(node) else 1.0) / np.prod(shape[1:])
            weights = torch.randn(shape, generator=generator) * float(np.sqrt(gain))
            self.weights[node.name] = nn.Parameter(weights)
            self.gains[node.name] = nn.Parameter(torch.ones(shape[0]))
            self.offsets[node.name] = nn.Parameter(torch.zeros(shape[0]))
            self.register_buffer(f"mean_{node.name}", torch.zeros(shape[0]))
            self.register_buffer(f"variance_{node.name}", torch.ones(shape[0]))

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores `[N, classes]` of images `[N, C, H, W]`."""
        values: dict[str, Tensor] = {INPUT: images}
        for node in self.graph:
            sources = [values[name] for name in node.inputs]
            weights = self.weights[node.name] if node.op.has_bias else None
            answer = _sums(node.op, sources, weights, (1, 1))
            if isinstance(node.op, Pool2d) and node.op.kind == "average":
                answer = answer / node.op.window.positions
            if node.op.has_bias:
                answer = self._normalised(node, answer)
            values[node.name] = functional.relu(answer) if rectifies(node) else answer
        return values[self.graph.nodes[-1].name]

    def network(self) -> FloatNetwork:
        """Return the learned weights, batch normalisation fused."""
        parameters = {}
        for node in _learning(self.graph):
            weights = _array(self.weights[node.name])
            offset = _array(self.offsets[node.name])
            parameters[node.name] = FloatParameters(weights, offset)
            if node.multiplier_bits:
                bare = FloatParameters(weights, np.zeros(len(weights)))
                parameters[node.name] = fuse(bare, self._norm(node))
        return FloatNetwork(self.graph, parameters)

    def _normalised(self, node: Node, sums: Tensor) -> Tensor:
        """Normalise a hidden layer; the scores themselves only get an offset."""
        offset: Tensor = self.offsets[node.name]
        if not node.multiplier_bits:
            return sums + offset
        mean, variance = self._statistics(node)
        gain = self.gains[node.name]
        normalised: Tensor = functional.batch_norm(
            sums, mean, variance, gain, offset, self.training, _MOMENTUM, _EPSILON
        )
        return normalised

    def _statistics(self, node: Node) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"mean_{node.name}"), self.get_buffer(f"variance_{node.name}")

    def _norm(self, node: Node) -> BatchNorm:
        mean, variance = (_array(values) for values in self._statistics(node))
        gain, offset = _array(self.gains[node.name]), _array(self.offsets[node.name])
        return BatchNorm(gain, offset, mean, variance, _EPSILON)


class IntegerModule(nn.Module):
    """The integers of a quantised network, as a function of real weights.

    Rounding passes gradients straight through, clipping stops them. Scales stay as they are.
    """

    def __init__(self, floats: FloatNetwork, scales: Scales) -> None:
        super().__init__()
        self.graph = floats.graph
        self.scales = scales
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        for node in _learning(self.graph):
            own = floats.parameters[node.name]
            self.weights[node.name] = nn.Parameter(torch.tensor(own.weights, dtype=torch.float32))
            self.biases[node.name] = nn.Parameter(torch.tensor(own.bias, dtype=torch.float32))
        self._factors = _factors(quantize(floats, scales))

    def forward(self, images: Tensor) -> Tensor:
        """Return the real scores `[N, classes]` of real images `[N, C, H, W]`."""
        last, input_type = self.graph.nodes[-1].name, self.graph.input
        steps = images / self.scales.tensors[INPUT]
        values = self._values(_clipped(steps, input_type.low, input_type.high))
        return values[last] * self.scales.tensors[last]

    @torch.no_grad()
    def integers(self, images: Tensor) -> dict[str, Tensor]:
        """Return every node's integers, exactly those of `Network.execute`.

        Double precision holds every sum: they have fewer than 53 bits.
        """
        return self._values(images.double())

    def network(self) -> Network:
        """Return the integers that were learned, as the network they define."""
        parameters = {
            node.name: FloatParameters(
                _array(self.weights[node.name]), _array(self.biases[node.name])
            )
            for node in _learning(self.graph)
        }
        return quantize(FloatNetwork(self.graph, parameters), self.scales)

    def _values(self, images: Tensor) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {INPUT: images}
        for node in self.graph:
            sources = [values[name] for name in node.inputs]
            weights = self._weights(node, images.dtype) if node.op.has_bias else None
            left, right = self.scales.factors.get(node.name, (1, 1))
            sums = _sums(node.op, sources, weights, (int(left), int(right)))
            if node.op.has_bias:
                sums = sums + _per_channel(self._bias(node, images.dtype), sums.ndim)
            if node.multiplier_bits:
                factor = _per_channel(self._factors[node.name].to(images.dtype), sums.ndim)
                sums = _clipped(sums * factor, node.output.low, node.output.high)
            values[node.name] = sums
        return values

    def _weights(self, node: Node, dtype: torch.dtype) -> Tensor:
        real = self.weights[node.name].to(dtype)
        steps = torch.from_numpy(self.scales.weights[node.name]).to(dtype)
        steps = steps.reshape(-1, *(1,) * (real.ndim - 1))
        return _clipped(real / steps, *weight_range(node.op.weight_bits))

    def _bias(self, node: Node, dtype: torch.dtype) -> Tensor:
        unit = torch.from_numpy(self.scales.unit(node)).to(dtype)
        limits = bias_range(node, self.graph.inputs(node))
        return _clipped(self.biases[node.name].to(dtype) / unit, *limits)


class _Round(torch.autograd.Function):
    """Round half to even; the gradient passes as if nothing happened.

    Source: Bengio, Leonard and Courville, arXiv 1308.3432, 2013 (straight-through estimator).
    """

    @staticmethod
    def forward(_context: Any, values: Tensor) -> Tensor:
        return values.round()

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def _clipped(values: Tensor, low: int, high: int) -> Tensor:
    rounded: Tensor = _Round.apply(values)  # type: ignore[no-untyped-call]
    return rounded.clamp(low, high)


def _sums(
    op: Op, sources: list[Tensor], weights: Tensor | None, addition: tuple[int, int]
) -> Tensor:
    """Return an operator's accumulators: what `Op.accumulate` does, differentiable."""
    maps = sources[0]
    if isinstance(op, Add):
        return maps * addition[0] + sources[1] * addition[1]
    if isinstance(op, Dense):
        assert weights is not None
        return functional.linear(maps.flatten(1), weights)
    if not isinstance(op, Conv2d | Pool2d):
        raise TypeError(f"{type(op).__name__} cannot be trained")
    top, left, bottom, right = op.window.padding
    is_max = isinstance(op, Pool2d) and op.kind == "max"
    kernel, stride = op.window.kernel, op.window.stride
    if isinstance(op, Conv2d) and (top, left) == (bottom, right):
        assert weights is not None
        return functional.conv2d(maps, weights, stride=stride, padding=(top, left))
    if any(op.window.padding):
        maps = functional.pad(maps, (left, right, top, bottom), value=-torch.inf if is_max else 0.0)
    if isinstance(op, Conv2d):
        assert weights is not None
        return functional.conv2d(maps, weights, stride=stride)
    if is_max:
        return functional.max_pool2d(maps, kernel, stride)
    return functional.avg_pool2d(maps, kernel, stride, divisor_override=1)


def _factors(network: Network) -> Mapping[str, Tensor]:
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
