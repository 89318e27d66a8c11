"""What a model is made of, layer by layer, and what of it codesign cannot take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from codesign.fit.options import unbuildable
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.network import FloatNetwork, Network
from codesign.network.op import Op, Shape
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.slice import Slice
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor
from codesign.network.windows import Window
from codesign.report.columns import columns
from codesign.report.quantities import shape_text

_HEADS = ("layer", "from", "operator", "input", "output", "MACs", "parameters", "bits", "weights")
_NUMBERS = ("MACs", "parameters", "bits")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An ONNX node that cannot be imported: what it is, and what would help."""

    node: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One layer.

    `parameters` are weights and biases, `weight_count` weights alone; `weights` is their range,
    in integers if the network is quantised.
    """

    name: str
    origin: str
    operator: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    macs: int
    parameters: int
    weight_count: int
    weight_bits: int
    output_bits: int
    output_signed: bool
    weights: tuple[float, float] | None
    lacks: str
    """What hardware templates lack for it, or ""."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A model's layers and totals, or why it cannot be imported."""

    name: str
    quantised: bool = False
    input: Tensor | None = None
    outputs: tuple[str, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Learned weights and biases, batch normalisation fused."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        """Bits of all learned weights at their widths; biases are as wide as the sums."""
        return sum(layer.weight_count * layer.weight_bits for layer in self.layers)

    @property
    def largest_activation(self) -> tuple[str, int]:
        """The tensor of most bits that one layer hands to another, and its bits."""
        assert self.input is not None
        sizes = {INPUT: self.input.elements * self.input.bits}
        read = {name for layer in self.layers for name in layer.inputs}
        for layer in self.layers:
            if layer.name in read:
                sizes[layer.name] = prod(layer.output_shape) * layer.output_bits
        name = max(sizes, key=lambda key: sizes[key])
        return name, sizes[name]


def inspected(
    network: Network | FloatNetwork, origins: Mapping[str, str], notes: tuple[str, ...] = ()
) -> Inspection:
    """Look at a network.

    Args:
        network: with integers, or with real weights.
        origins: which ONNX node each layer came from, as far as known.
        notes: what a person should know about the import.
    """
    graph = network.graph
    lacks = unbuildable(graph)
    return Inspection(
        name=graph.name,
        quantised=isinstance(network, Network),
        input=graph.input,
        outputs=graph.outputs,
        layers=tuple(
            _facts(graph, node, origins.get(node.name, ""), lacks.get(node.name, ""), network)
            for node in graph
        ),
        notes=notes,
    )


def inspection_json(found: Inspection) -> dict[str, Any]:
    """Return everything as plain values."""
    if found.refusals:
        return {"name": found.name, "refusals": [asdict(refusal) for refusal in found.refusals]}
    assert found.input is not None
    largest, bits = found.largest_activation
    return {
        "name": found.name,
        "quantised": found.quantised,
        "input": {
            "shape": list(found.input.shape),
            "bits": found.input.bits,
            "signed": found.input.signed,
        },
        "outputs": list(found.outputs),
        "macs": found.macs,
        "parameters": found.parameters,
        "weight_bits": found.weight_bits,
        "largest_activation": {"name": largest, "bits": bits},
        "layers": [asdict(layer) for layer in found.layers],
        "notes": list(found.notes),
        "refusals": [],
    }


def inspection_text(found: Inspection) -> str:
    """Return the layers as a table, then totals, notes and what hardware lacks."""
    if found.refusals:
        return _refused(found)
    assert found.input is not None
    largest, bits = found.largest_activation
    lines = [
        _table(found.layers),
        "",
        f"input         {shape_text(found.input.shape)}, {_type(found.input)}",
        f"outputs       {', '.join(found.outputs)}",
        f"MACs          {found.macs:,}",
        f"parameters    {found.parameters:,}",
        f"weights       {found.weight_bits:,} bits",
        f"activations   at most {bits:,} bits, {largest}",
    ]
    if not found.quantised:
        lines.append("              (bits are what it would be quantised to)")
    lines += [f"note          {note}" for note in found.notes]
    lacking = [f"{layer.name}: {layer.lacks}" for layer in found.layers if layer.lacks]
    lines += [f"no template   {lack}" for lack in lacking]
    return "\n".join(lines)


def _table(layers: tuple[LayerFacts, ...]) -> str:
    """Return one line per layer; where nothing came from ONNX, no column says so."""
    rows = [_row(layer) for layer in layers]
    kept = [i for i, head in enumerate(_HEADS) if head != "from" or any(row[i] for row in rows)]
    heads = [_HEADS[i] for i in kept]
    right = [number for number, head in enumerate(heads) if head in _NUMBERS]
    return columns(heads, [[row[i] for i in kept] for row in rows], right)


def _refused(found: Inspection) -> str:
    """Return every reason once, with all nodes that it holds for."""
    nodes: dict[tuple[str, str], list[str]] = {}
    for refusal in found.refusals:
        nodes.setdefault((refusal.problem, refusal.remedy), []).append(refusal.node)
    lines = [f"{found.name} cannot be imported"]
    for (problem, remedy), names in nodes.items():
        lines += ["", problem]
        if any(names):
            lines.append(f"  node{'s' if len(names) > 1 else ''} {', '.join(names)}")
        if remedy:
            lines.append(f"  {remedy}")
    return "\n".join(lines)


def _facts(
    graph: Graph, node: Node, origin: str, lacks: str, network: Network | FloatNetwork
) -> LayerFacts:
    shapes = tuple(tensor.shape for tensor in graph.inputs(node))
    own = network.parameters.get(node.name)
    learned = own.weights if own is not None and node.op.has_bias else None
    weights = None if learned is None else (learned.min().item(), learned.max().item())
    return LayerFacts(
        name=node.name,
        origin=origin,
        operator=operator_text(node.op),
        inputs=node.inputs,
        input_shapes=shapes,
        output_shape=node.output.shape,
        macs=node.op.macs(shapes),
        parameters=0 if learned is None else learned.size + len(learned),
        weight_count=0 if learned is None else learned.size,
        weight_bits=node.op.weight_bits if learned is not None else 0,
        output_bits=node.output.bits,
        output_signed=node.output.signed,
        weights=weights,
        lacks=lacks,
    )


def operator_text(op: Op) -> str:
    """Return an operator with what a person wants to see of it."""
    name = type(op).__name__
    if isinstance(op, Conv2d | ConvTranspose2d):
        groups = f" groups {op.groups}" if op.groups > 1 else ""
        return f"{name} {_window_text(op.window)}{groups}"
    if isinstance(op, Pool2d):
        return f"{name} {op.kind} {_window_text(op.window)}"
    if isinstance(op, Table):
        return f"{name} {op.function}"
    if isinstance(op, Slice):
        return f"{name} {op.start}:{op.stop}"
    return name


def _window_text(window: Window) -> str:
    parts = ["x".join(map(str, window.kernel))]
    if window.stride != (1, 1):
        parts.append("/" + "x".join(map(str, dict.fromkeys(window.stride))))
    if window.is_dilated:
        parts.append("dilated " + "x".join(map(str, dict.fromkeys(window.dilation))))
    return " ".join(parts)


def _row(layer: LayerFacts) -> tuple[str, ...]:
    output = Tensor(layer.output_shape, layer.output_bits, layer.output_signed)
    sources = " + ".join(shape_text(shape) for shape in layer.input_shapes)
    width = f"{layer.weight_bits}/" if layer.weight_bits else ""
    return (
        layer.name,
        layer.origin,
        layer.operator,
        sources,
        shape_text(layer.output_shape),
        f"{layer.macs:,}" if layer.macs else "",
        f"{layer.parameters:,}" if layer.parameters else "",
        width + _type(output),
        "" if layer.weights is None else "{:.3g} .. {:.3g}".format(*layer.weights),
    )


def _type(tensor: Tensor) -> str:
    """Return a type as C calls it, e.g. "u8"."""
    return f"{'s' if tensor.signed else 'u'}{tensor.bits}"
