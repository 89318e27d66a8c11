"""Streaming fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.packing import arithmetics
from codesign.hardware.process import Process
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.dense import Dense
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingDense(HardwareTemplate):
    """One folded matrix with one vector per image: `pe` outputs and `simd` inputs per cycle.

    Source: Umuroglu et al., FINN, FPGA 2017, section 4.2.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    simd: Count
    arithmetic: Count
    weight_storage: Count
    activation: Activation = Activation.MULTIPLIER

    implements = Dense
    structural = ("activation",)

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold outputs over `pe` and inputs over `simd`."""
        op = _op(node)
        made_of = arithmetics(op.inputs, op.outputs, inputs[0], op.bits)
        return Space(
            (
                Choice("activation", activations(node)),
                Choice("arithmetic", made_of),
                Choice("weight_storage", tuple(Storage)),
                Choice("pe", divisors(op.outputs)),
                Choice("simd", divisors(op.inputs)),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return the matrix."""
        op = _op(self.node)
        matrix = Matrix(
            pixels=1,
            inputs=op.inputs,
            outputs=op.outputs,
            element=self.inputs[0],
            weight_bits=op.bits,
            requantiser=Requantiser.of(self.node, self.activation),
            pe=self.pe,
            simd=self.simd,
            arithmetic=self.arithmetic,
            storage=self.weight_storage,
        )
        return (matrix,)

    @property
    def input_lanes(self) -> Count:
        """`simd` inputs per word."""
        return self.simd

    @property
    def output_lanes(self) -> Count:
        """`pe` outputs per word."""
        return self.pe


def _op(node: Node) -> Dense:
    if not isinstance(node.op, Dense):
        raise TypeError(f"{node.name} is no dense layer")
    return node.op
