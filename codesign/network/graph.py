"""The graph of an integer network: what is computed, without the learned numbers.

A `Graph` holds all that hardware cost depends on: shapes, widths, and which node feeds which.
The learned integers join it in `codesign.network.network`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from codesign.network.op import Op
from codesign.network.tensor import MAX_BITS, Tensor, signed_bits

INPUT = "input"
MAX_MULTIPLIER_BITS = 31
"""Quantising here takes at most 16; models that come with their own scales may need more."""
MAX_PRODUCT_BITS = 63
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Node:
    """One operator with its place, its output type and how its sums are requantised.

    Requantisation is `clip(rne(accumulator * multiplier / 2**shift))`; an unsigned output
    therefore also is a ReLU.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    output: Tensor
    multiplier_bits: int = 1
    """0: none, the accumulator is the output; 1: power-of-two scale, a shift; else up to 31."""
    accumulator_bits: int = 0
    """Signed width of the exact sums; 0 means the widest that the types permit."""

    def __post_init__(self) -> None:
        if not _NAME.match(self.name) or self.name == INPUT:
            raise ValueError(f"a node needs a lower-case identifier as its name: '{self.name}'")
        if self.op.weight_bits > MAX_BITS:
            raise ValueError(f"{self.name}: a weight has at most {MAX_BITS} bits")
        if not 0 <= self.multiplier_bits <= MAX_MULTIPLIER_BITS:
            raise ValueError(f"{self.name}: a multiplier has at most {MAX_MULTIPLIER_BITS} bits")


@dataclass(frozen=True)
class Graph:
    """A directed acyclic graph of nodes in topological order.

    `outputs` names the nodes that answer; by default it is the last one. Building a graph checks
    every shape and resolves accumulator widths that were left open.
    """

    name: str
    input: Tensor
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...] = ()
    _by_name: Mapping[str, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError(f"{self.name}: a graph needs at least one node")
        known: dict[str, Tensor] = {INPUT: self.input}
        resolved: list[Node] = []
        for node in self.nodes:
            if node.name in known:
                raise ValueError(f"{self.name}: two nodes are called '{node.name}'")
            missing = [name for name in node.inputs if name not in known]
            if missing:
                raise ValueError(f"{node.name}: reads {missing}, which no earlier node writes")
            sources = [known[name] for name in node.inputs]
            shape = node.op.output_shape([tensor.shape for tensor in sources])
            if shape != node.output.shape:
                raise ValueError(f"{node.name}: computes {shape}, declared {node.output.shape}")
            resolved.append(_resolve(node, sources))
            known[node.name] = node.output
        object.__setattr__(self, "nodes", tuple(resolved))
        object.__setattr__(self, "outputs", self.outputs or (resolved[-1].name,))
        object.__setattr__(self, "_by_name", {node.name: node for node in resolved})
        self._check_ends(known)

    def _check_ends(self, known: Mapping[str, Tensor]) -> None:
        """Refuse a node that nothing needs, and an output that no node makes."""
        strange = [name for name in self.outputs if name not in self._by_name]
        if strange or len(set(self.outputs)) < len(self.outputs):
            raise ValueError(f"{self.name}: outputs are different nodes, not {self.outputs}")
        read = {name for node in self.nodes for name in node.inputs}
        unread = set(known) - read - set(self.outputs)
        if unread:
            raise ValueError(f"{self.name}: nothing reads {sorted(unread)}")

    def __getitem__(self, name: str) -> Node:
        """Return the node called `name`."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[Node]:
        """Iterate over the nodes in topological order."""
        return iter(self.nodes)

    def tensor(self, name: str) -> Tensor:
        """Return the type of what `name` (a node, or the input) produces."""
        return self.input if name == INPUT else self._by_name[name].output

    def inputs(self, node: Node) -> tuple[Tensor, ...]:
        """Return the types of a node's inputs."""
        return tuple(self.tensor(name) for name in node.inputs)

    def readers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read `name`, one entry per reading port."""
        return tuple(node for node in self.nodes for source in node.inputs if source == name)

    def takers(self, name: str) -> int:
        """Count the ports that take what `name` produces: readers, and the way out."""
        return len(self.readers(name)) + (name in self.outputs)

    @property
    def output(self) -> Tensor:
        """Type of the (first) answer."""
        return self.tensor(self.outputs[0])

    @cached_property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(node.op.macs([t.shape for t in self.inputs(node)]) for node in self.nodes)

    @cached_property
    def parameters(self) -> int:
        """Learned numbers: weights and biases of layers (rescaling factors not counted)."""
        total = 0
        for node in self.nodes:
            shape = node.op.weight_shape
            if shape is not None and node.op.has_bias:
                weights = 1
                for extent in shape:
                    weights *= extent
                total += weights + shape[0]
        return total


def _resolve(node: Node, sources: list[Tensor]) -> Node:
    """Return the node with its accumulator width filled in and its output width checked."""
    low, high = node.op.accumulator_range(sources, None)
    bits = node.accumulator_bits
    if not bits:
        # a bias is learned with the scale of the sums: one more bit holds it at any value
        # that does not saturate the output
        bits = signed_bits(low, high) + (1 if node.op.has_bias else 0)
    if bits + (node.multiplier_bits if node.multiplier_bits > 1 else 0) > MAX_PRODUCT_BITS:
        raise ValueError(f"{node.name}: sums of {bits} bits are too wide to be rescaled")
    if node.multiplier_bits == 0:
        _check_unscaled(node, low, high, bits)
    return replace(node, accumulator_bits=bits)


def _check_unscaled(node: Node, low: int, high: int, bits: int) -> None:
    """Refuse an output that cannot hold the sums themselves."""
    if node.op.has_bias:
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if low < node.output.low or high > node.output.high:
        raise ValueError(
            f"{node.name}: without requantisation its output holds {low} .. {high}, "
            f"not {node.output.low} .. {node.output.high}"
        )
