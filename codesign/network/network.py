"""A network with its learned numbers: integers that define it, or floats to start from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Exact, Integers, Op, exact_type
from codesign.network.tensor import Tensor, signed_bits

MAX_SHIFT = 62


@dataclass(frozen=True, slots=True)
class Parameters:
    """The learned integers of one node.

    `weights` has the operator's `weight_shape`; `bias` is `[outputs]` at the accumulator's
    scale; `multiplier` is `[outputs]`, or `[1]` for all; `shift` is the right shift in bits.
    """

    weights: Integers | None = None
    bias: Integers | None = None
    multiplier: Integers | None = None
    shift: int = 0


@dataclass(frozen=True, slots=True)
class FloatParameters:
    """The learned real numbers of one node, batch normalisation already fused."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FloatNetwork:
    """A graph with real weights, before quantisation.

    The graph's widths say what it is to become; in floats an unsigned, requantised output
    means a ReLU, and widths mean nothing. Nodes that learn nothing have no parameters.
    """

    graph: Graph
    parameters: Mapping[str, FloatParameters]
    clips: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Real bounds that nodes clip their outputs to, beside the ReLU; a ReLU6 has (0, 6)."""


@dataclass(frozen=True, slots=True)
class Network:
    """A graph with the integers that define it; `scales` give the integers their meaning.

    `scales[name]` is the real value of one step of what `name` (a node, or "input") produces.
    """

    graph: Graph
    parameters: Mapping[str, Parameters]
    scales: Mapping[str, float]

    def __post_init__(self) -> None:
        for node in self.graph:
            own = self.parameters[node.name]
            _check(node, own)
            if accumulator_bits(self.graph, node, own) > node.accumulator_bits:
                problem = f"sums leave the {node.accumulator_bits} bits of its accumulator"
                raise ValueError(f"{node.name}: {problem}")
        missing = {INPUT, *(node.name for node in self.graph)} - set(self.scales)
        if missing:
            raise ValueError(f"no scale is recorded for {sorted(missing)}")

    def execute(self, images: Integers) -> dict[str, Integers]:
        """Compute a batch exactly; the integer reference of codesign.

        Args:
            images: `N x` the input's shape, integers within the input's type.

        Returns:
            every node's output by name, `N x` its shape, and the images under "input".

        Raises:
            ValueError: the images have another shape, or leave the input's range.
        """
        return {name: values.astype(np.int64) for name, values in self._values(images)}

    def answer(self, images: Integers) -> Integers:
        """Compute the (first) output of a batch exactly; the rest is dropped on the way."""
        return self.answers(images)[self.graph.outputs[0]]

    def answers(self, images: Integers) -> dict[str, Integers]:
        """Compute every output of a batch exactly; the rest is dropped on the way."""
        wanted = set(self.graph.outputs)
        values = {name: values for name, values in self._values(images) if name in wanted}
        return {name: values[name].astype(np.int64) for name in self.graph.outputs}

    def _values(self, images: Integers) -> Iterator[tuple[str, Exact]]:
        """Yield what every node makes, and hold it only while a later one reads it."""
        dtype = exact_type(self.graph.input.bits + 1)
        values: dict[str, Exact] = {INPUT: self._checked(images).astype(dtype)}
        yield INPUT, values[INPUT]
        unread = Counter(name for node in self.graph for name in node.inputs)
        for node in self.graph:
            own = self.parameters[node.name]
            sources = [values[name] for name in node.inputs]
            dtype = exact_type(node.accumulator_bits)
            sums = node.op.accumulate(sources, own.weights, dtype)
            values[node.name] = finish(node, own, sums)
            yield node.name, values[node.name]
            unread.subtract(node.inputs)
            for name in {name for name in node.inputs if not unread[name]}:
                del values[name]

    def _checked(self, images: Integers) -> Integers:
        low, high = self.graph.input.low, self.graph.input.high
        if images.shape[1:] != self.graph.input.shape:
            raise ValueError(f"images are {images.shape[1:]}, not {self.graph.input.shape}")
        if images.size and not low <= int(images.min()) <= int(images.max()) <= high:
            raise ValueError(f"images leave the input's range {low} .. {high}")
        return images

    def quantize_input(self, images: NDArray[np.floating]) -> Integers:
        """Return real images as the input's integers (half to even, saturating)."""
        tensor = self.graph.input
        steps = np.rint(images.astype(np.float64) / self.scales[INPUT])
        return np.clip(steps, tensor.low, tensor.high).astype(np.int64)

    def predict(self, images: NDArray[np.floating], batch: int = 256) -> NDArray[np.int64]:
        """Return the class (index of the largest output) of real images, `[N]`."""
        classes = []
        for start in range(0, len(images), batch):
            integers = self.quantize_input(images[start : start + batch])
            outputs = self.answer(integers)
            classes.append(outputs.reshape(len(outputs), -1).argmax(axis=1))
        return np.concatenate(classes)


def finish(node: Node, own: Parameters, sums: Exact) -> Exact:
    """Add the bias to a node's exact sums `N x outputs x ...` and requantise them.

    The sums may be changed in place. The answer has any type that holds it exactly.
    """
    if own.bias is not None:
        sums += _per_channel(own.bias, sums)
    if node.multiplier_bits == 0:
        return sums
    assert own.multiplier is not None
    scaled = _scaled(sums, node, own.multiplier, own.shift)
    return np.clip(scaled, node.output.low, node.output.high, out=scaled).astype(
        exact_type(node.output.bits + 1), copy=False
    )


def _scaled(sums: Exact, node: Node, multiplier: Integers, shift: int) -> Exact:
    """Return `sums * multiplier / 2**shift`, rounded half to even, as a new array.

    Scaling a floating-point number by a power of two is exact, and so is its rounding.
    """
    if node.multiplier_bits == 1:
        dtype = exact_type(node.accumulator_bits)
    else:
        dtype = exact_type(node.accumulator_bits + node.multiplier_bits)
    factors = _per_channel(multiplier, sums)
    if dtype is np.int64:
        return round_shift(sums.astype(np.int64) * factors.astype(np.int64), shift)
    scaled: Exact = sums.astype(dtype, copy=False) * (factors * 2.0**-shift).astype(dtype)
    return np.rint(scaled, out=scaled)


def round_shift(values: Integers, shift: int) -> Integers:
    """Return `values / 2**shift` rounded to the nearest integer, half to even, in integers."""
    if shift == 0:
        return values
    half_less_one = (1 << (shift - 1)) - 1
    return (values + half_less_one + ((values >> shift) & 1)) >> shift


def accumulator_bits(graph: Graph, node: Node, own: Parameters) -> int:
    """Derive the signed width that holds every partial sum of a node with these weights."""
    return signed_bits(*sum_range(node.op, graph.inputs(node), own))


def sum_range(op: Op, inputs: Sequence[Tensor], own: Parameters) -> tuple[int, int]:
    """Return bounds that no partial sum of an operator with these weights and bias leaves."""
    low, high = op.accumulator_range(inputs, own.weights)
    if own.bias is not None:
        low, high = low + min(0, int(own.bias.min())), high + max(0, int(own.bias.max()))
    return low, high


def _per_channel(values: Integers, sums: Exact) -> Exact:
    """Shape `[outputs]` so that it broadcasts over `sums`, `N x outputs x ...`, in their type."""
    return values.astype(sums.dtype).reshape(1, -1, *(1,) * (sums.ndim - 2))


def _check(node: Node, own: Parameters) -> None:
    """Refuse parameters that the node's types cannot hold."""
    shape = node.op.weight_shape
    if (own.weights is None) != (shape is None):
        raise ValueError(f"{node.name}: weights are {'missing' if shape else 'superfluous'}")
    if own.weights is not None:
        if own.weights.shape != shape:
            raise ValueError(f"{node.name}: weights are {own.weights.shape}, not {shape}")
        limit = 1 << (node.op.weight_bits - 1)
        if not -limit <= int(own.weights.min()) <= int(own.weights.max()) < limit:
            raise ValueError(f"{node.name}: a weight leaves {node.op.weight_bits} signed bits")
    if (own.bias is None) == node.op.has_bias:
        raise ValueError(f"{node.name}: bias is {'missing' if node.op.has_bias else 'superfluous'}")
    if (own.multiplier is None) != (node.multiplier_bits == 0):
        raise ValueError(f"{node.name}: a multiplier goes with requantisation, and only with it")
    if own.multiplier is not None:
        largest = int(own.multiplier.max())
        if int(own.multiplier.min()) < 1 or largest >= 1 << node.multiplier_bits:
            raise ValueError(f"{node.name}: a multiplier leaves 1 .. 2**{node.multiplier_bits} - 1")
    if not 0 <= own.shift <= MAX_SHIFT:
        raise ValueError(f"{node.name}: a shift is 0 to {MAX_SHIFT} bits, not {own.shift}")
