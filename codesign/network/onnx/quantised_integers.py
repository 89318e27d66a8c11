"""From a float network and foreign quantisers to the integers that both define.

Nothing is chosen here: every scale, zero point and width is the model's. A zero point becomes 0 by
taking it off the integers, which narrows the range of their type; so padding with zeros stays what
it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import frexp, isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.network.floats import rectifies
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, Network, Parameters
from codesign.network.onnx.quantised_factors import joining_factors, multipliers
from codesign.network.onnx.quantised_types import Quantiser
from codesign.network.onnx.quantised_weights import Layer, Steps, from_factors, from_steps
from codesign.network.op import Integers, Op, Reals, Shape
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor, signed_bits
from codesign.network.windows import Window

REMEDY = "quantise every tensor between layers, or import the float model"
MAX_BITS = 16
_SAME = 1e-6
_WHOLE = 1e-3
"""How far from an integer a bias may be that was an integer in single precision."""
_LARGEST_BIAS = 2.0**52
_NEGATIVE = (-1, 0)
_ONE = np.ones(1, np.int64)


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says of a network's nodes (and its input), by their names."""

    quantisers: Mapping[str, Quantiser]
    weights: Mapping[str, Steps]
    labels: Mapping[str, str]
    """What the model calls them."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """A node's operator and integers before requantisation.

    `unit` is the real value of a step, per channel; `off` how far biases are from their integers,
    in such steps.
    """

    op: Op
    own: Parameters
    unit: NDArray[Any]
    off: Reals | float = 0.0


def integer_network(
    network: FloatNetwork, said: Said, place: str, notes: list[str]
) -> tuple[Network, dict[str, str]]:
    """Return the network of integers, and the nodes that hold what another one held before.

    Args:
        network: what is computed between quantisers, in real numbers.
        said: where it is quantised, and how.
        place: the file, for messages.
        notes: receives what is rounded.

    Raises:
        InputError: a tensor that is not quantised, or numbers that are no exact integers.
    """
    quantiser = said.quantisers.get(INPUT)
    if quantiser is None or quantiser.kind != "round":
        raise InputError(place, "reads images that are not quantised", REMEDY)
    builder = _Builder(network, said, place, notes)
    for node in network.graph:
        try:
            builder.add(node)
        except ValueError as error:
            label = said.labels.get(node.name, node.name)
            raise InputError(place, f"'{label}' {error}", REMEDY) from error
    try:
        return builder.network(), builder.renamed
    except ValueError as error:
        raise InputError(place, f"cannot be mapped ({error})") from error


class _Builder:
    """The nodes and integers so far."""

    def __init__(self, network: FloatNetwork, said: Said, place: str, notes: list[str]) -> None:
        images = said.quantisers[INPUT]
        self.source = network
        self.said = said
        self.place = place
        self.notes = notes
        self.nodes: list[Node] = []
        self.parameters: dict[str, Parameters] = {}
        self.tensors = {INPUT: _tensor(network.graph.input.shape, *images.bounds)}
        self.scales = {INPUT: images.scale}
        self.quantisers = {INPUT: images}
        self.renamed: dict[str, str] = {}

    def network(self) -> Network:
        """Return the finished network."""
        old = self.source.graph
        outputs = tuple(self.renamed.get(name, name) for name in old.outputs)
        graph = Graph(old.name, self.tensors[INPUT], tuple(self.nodes), outputs)
        return Network(graph, self.parameters, self.scales)

    def add(self, declared: Node) -> None:
        """Add one node of the float network.

        Raises:
            ValueError: no exact integers follow from what the model says.
        """
        quantiser = self.said.quantisers.get(declared.name)
        inputs = tuple(self.renamed.get(name, name) for name in declared.inputs)
        node = replace(declared, inputs=inputs)
        if quantiser is not None and quantiser.kind == "truncate":
            self._truncate(node, quantiser)
            return
        for name in inputs:
            if name not in self.quantisers:
                label = self.said.labels.get(name, name)
                raise ValueError(f"reads '{label}', which is not quantised")
        if self._passes(node, quantiser):
            self._pass_on(node)
        elif quantiser is None:
            self._end(node)
        elif quantiser.kind == "sign":
            self._sign(node, quantiser)
        elif isinstance(node.op, Table):
            self._table(node, node.op, quantiser)
        elif node.op.rescales:
            self._join(node, quantiser)
        else:
            self._requantise(node, quantiser)

    def _passes(self, node: Node, quantiser: Quantiser | None) -> bool:
        """Whether the node's integers are those that it reads."""
        sources = {self.quantisers[name] for name in node.inputs}
        if not (node.op.passes or isinstance(node.op, Concat)) or len(sources) > 1:
            return False
        if quantiser not in (None, *sources) or node.name in self.source.clips:
            return False
        return not rectifies(node) or all(tensor.low >= 0 for tensor in self._inputs(node))

    def _pass_on(self, node: Node) -> None:
        op, weights = node.op, None
        if isinstance(op, Concat):
            op, weights = replace(op, bits=2), np.ones(op.parts, np.int64)
        low, high = op.accumulator_range(self._inputs(node), weights)
        self._quantised(node.name, self.quantisers[node.inputs[0]])
        output = _tensor(node.output.shape, low, high)
        self._append(replace(node, op=op, output=output), Parameters(weights))

    def _end(self, node: Node) -> None:
        """Add a node whose exact sums are its answer, or are to be truncated."""
        readers = [self.said.quantisers.get(x.name) for x in self.source.graph.readers(node.name)]
        cut = bool(readers) and all(x is not None and x.kind == "truncate" for x in readers)
        if readers and not (cut and _is_average(node.op)):
            raise ValueError("makes reals that are not quantised")
        if not (node.op.has_bias or _is_average(node.op)) or rectifies(node):
            raise ValueError("ends the model in reals that are not quantised")
        sums = self._sums(node)
        if not np.allclose(sums.unit, sums.unit[0], rtol=_SAME, atol=0):
            raise ValueError("ends the model in sums of one scale per channel, not quantised")
        self._note_bias(node, float(np.max(sums.off)))
        self.scales[node.name] = float(sums.unit[0])
        low, high = self._range(node, sums)
        output = Tensor(node.output.shape, signed_bits(low, high), signed=True)
        self._append(replace(node, op=sums.op, output=output), sums.own)

    def _table(self, node: Node, table: Table, quantiser: Quantiser) -> None:
        output = self._output(node, quantiser)
        op = table.typed(self._inputs(node), output)
        answers = op.answers(self.scales[node.inputs[0]], quantiser.scale)
        self._quantised(node.name, quantiser)
        self._append(replace(node, op=op, output=output), Parameters(answers))

    def _join(self, node: Node, quantiser: Quantiser) -> None:
        scales = np.array([self.scales[name] for name in node.inputs], np.float32)
        factors, shift = joining_factors(scales / np.float32(quantiser.scale))
        output = self._output(node, quantiser)
        self._quantised(node.name, quantiser)
        self._append(_joining(node, factors, output), Parameters(factors), (_ONE, shift))

    def _requantise(self, node: Node, quantiser: Quantiser) -> None:
        sums, output = self._sums(node), self._output(node, quantiser)
        if isinstance(node.op, Pool2d) and _halves(node.op, self.scales[node.inputs[0]], quantiser):
            label = self.said.labels.get(node.name, node.name)
            problem = f"'{label}' averages to halves, which ONNX Runtime rounds either way"
            raise InputError(self.place, problem, "quantise its answer with a scale of its own")
        ratio = (sums.unit / sums.unit.dtype.type(quantiser.scale)).astype(np.float32)
        scaling = multipliers(ratio, signed_bits(*self._range(node, sums)))
        self._note_bias(node, float(np.max(sums.off * ratio)))
        self._quantised(node.name, quantiser)
        self._append(replace(node, op=sums.op, output=output), sums.own, scaling)

    def _sign(self, node: Node, quantiser: Quantiser) -> None:
        """Add a node of which only the sign is kept: one bit, and then -1 or 1 for it."""
        if rectifies(node) or node.name in self.source.clips or isinstance(node.op, Table):
            raise ValueError("loses its negative numbers before its sign is taken")
        bit = _tensor(node.output.shape, *_NEGATIVE)
        if node.op.rescales:
            factors, _ = joining_factors(
                np.array([self.scales[name] for name in node.inputs], np.float32)
            )
            made, own = _joining(node, factors, bit), Parameters(factors)
        else:
            sums = self._sums(node, floors=True)
            made, own = replace(node, op=sums.op, output=bit), sums.own
        self.scales[node.name] = 1.0
        self._append(made, own, (_ONE, 0))
        name = f"{node.name}_sign"
        table = Table("sign", (), _NEGATIVE, (-1, 1))
        output = _tensor(node.output.shape, -1, 1)
        self._quantised(name, quantiser)
        self.renamed[node.name] = name
        self._append(Node(name, table, (node.name,), output), Parameters(np.array([[-1, 1]])))

    def _truncate(self, node: Node, quantiser: Quantiser) -> None:
        """Add a node that drops the `k` lowest bits of sums `p`.

        `floor(p / 2**k)` is the integer next to `(2 p - 2**k + 1) / 2**(k + 1)`, which is never
        half way between two.
        """
        (source,) = node.inputs
        real = self.source.parameters.get(node.name)
        summed = next((x for x in self.nodes if x.name == source and _is_average(x.op)), None)
        if real is None or summed is None or not _is_factor(node.op) or real.bias.any():
            raise ValueError("is truncated, and no average times its number of elements")
        assert isinstance(node.op, Conv2d)
        units = self.scales[source] * real.weights
        if not all(isclose(unit, quantiser.step, rel_tol=_SAME) for unit in units.flat):
            raise ValueError(f"is truncated in steps of {quantiser.step}, which are not its own")
        weights = np.full(real.weights.shape, 2, np.int64)
        bias = np.full(len(weights), 1 - (1 << quantiser.cut), np.int64)
        tensor, bounds = self.tensors[source], quantiser.bounds
        low, high = (int(np.clip(x >> quantiser.cut, *bounds)) for x in (tensor.low, tensor.high))
        made = replace(
            node, op=replace(node.op, bits=3), output=_tensor(node.output.shape, low, high)
        )
        self._quantised(node.name, quantiser)
        self._append(made, Parameters(weights, bias), (_ONE, quantiser.cut + 1))

    def _inputs(self, node: Node) -> list[Tensor]:
        return [self.tensors[name] for name in node.inputs]

    def _quantised(self, name: str, quantiser: Quantiser) -> None:
        self.quantisers[name] = quantiser
        self.scales[name] = quantiser.scale

    def _output(self, node: Node, quantiser: Quantiser) -> Tensor:
        """Return the type of a node's answer: as quantised, and as rectified or clipped before."""
        low, high = quantiser.bounds
        if rectifies(node):
            low = max(low, 0)
        if node.name in self.source.clips:
            clip = np.array(self.source.clips[node.name]).astype(np.float32)
            least, most = np.clip(np.rint(clip / np.float32(quantiser.scale)), low, high)
            low, high = int(least), int(most)
        if low > high:
            raise ValueError("is rectified, and quantised to negative numbers only")
        return _tensor(node.output.shape, low, high)

    def _sums(self, node: Node, floors: bool = False) -> _Sums:
        """Return a node's integers; its bias is rounded, or rounded down.

        The unit is computed in single precision where ONNX Runtime does so.
        """
        sources = [self.scales[name] for name in node.inputs]
        if not node.op.has_bias:
            unit: NDArray[Any] = node.op.unit(sources, None)
            single = np.prod(np.array(sources, np.float32), keepdims=True)
            return _Sums(node.op, Parameters(), unit if len(sources) == 1 else single)
        layer = self._layer(node, sources[0])
        whole = np.rint(layer.bias)
        if not np.abs(whole).max() < _LARGEST_BIAS:
            raise ValueError("has a bias beyond all sums")
        near = np.abs(layer.bias - whole) < _WHOLE
        bias = np.where(near | (not floors), whole, np.floor(layer.bias)).astype(np.int64)
        low, high = int(layer.weights.min()), int(layer.weights.max())
        bits = max(2, signed_bits(low, high))
        if bits > MAX_BITS:
            raise ValueError(f"has weights of {bits} bits, and {MAX_BITS} are the most")
        off = np.where(near, 0.0, np.abs(layer.bias - whole))
        op: Op = replace(node.op, bits=bits)  # type: ignore[type-var]
        singles = np.float32(sources[0]) * layer.scale.astype(np.float32)
        return _Sums(op, Parameters(layer.weights, bias), singles, off)

    def _note_bias(self, node: Node, off: float) -> None:
        """Say how many steps of the answer the rounding of a bias may be worth, if any."""
        if off > 0:
            label = self.said.labels.get(node.name, node.name)
            self.notes.append(
                f"'{label}': its bias has no scale of its own; rounded to that of the sums, it is "
                f"off by up to {off:.3f} steps of the answer"
            )

    def _layer(self, node: Node, source: float) -> Layer:
        real = self.source.parameters[node.name]
        if node.name in self.said.weights:
            return from_steps(real, self.said.weights[node.name], source)
        if not _is_factor(node.op):
            raise ValueError("has weights that are not quantised")
        return from_factors(real, source)

    def _range(self, node: Node, sums: _Sums) -> tuple[int, int]:
        """Bound every partial sum of a node, its bias included."""
        low, high = sums.op.accumulator_range(self._inputs(node), sums.own.weights)
        if sums.own.bias is None:
            return low, high
        return low + min(0, int(sums.own.bias.min())), high + max(0, int(sums.own.bias.max()))

    def _append(
        self, node: Node, own: Parameters, scaling: tuple[Integers, int] | None = None
    ) -> None:
        width = signed_bits(*self._range(node, _Sums(node.op, own, _ONE)))
        bits = 0
        if scaling is not None:
            own = replace(own, multiplier=scaling[0], shift=scaling[1])
            bits = int(scaling[0].max()).bit_length()
        self.nodes.append(replace(node, multiplier_bits=bits, accumulator_bits=width))
        self.parameters[node.name] = own
        self.tensors[node.name] = node.output


def _tensor(shape: Shape, low: int, high: int) -> Tensor:
    """Return the narrowest type that holds every integer of `low .. high`."""
    if low >= 0:
        return Tensor(shape, max(1, high.bit_length()), signed=False, bounds=(low, high))
    return Tensor(shape, signed_bits(low, high), signed=True, bounds=(low, high))


def _joining(node: Node, factors: Integers, output: Tensor) -> Node:
    op: Op = replace(node.op, bits=signed_bits(0, int(factors.max())))  # type: ignore[type-var]
    return replace(node, op=op, output=output)


def _is_average(op: Op) -> bool:
    return isinstance(op, Pool2d) and op.kind == "average"


def _halves(op: Pool2d, source: float, quantiser: Quantiser) -> bool:
    """Whether many averages lie half way between two integers, in reals that are not exact.

    Measured: ONNX Runtime with its optimiser and without it then differ on 4 % of the elements
    of a 2 x 2 average, because single precision puts a half on either side of itself.
    """
    mantissa, other = (frexp(scale)[0] for scale in (source, quantiser.scale))
    return op.kind == "average" and op.divisor % 2 == 0 and mantissa == other != 0.5


def _is_factor(op: Op) -> bool:
    """Whether an operator multiplies each channel by one number."""
    if not isinstance(op, Conv2d) or op.window != Window((1, 1)):
        return False
    return op.groups == op.inputs == op.outputs
