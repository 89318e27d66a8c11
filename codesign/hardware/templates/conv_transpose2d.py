"""Streaming transposed convolution."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.hardware.packing import UNPACKED
from codesign.hardware.patches import Portion, patches
from codesign.hardware.process import Process
from codesign.hardware.processes.grouped import Grouped
from codesign.hardware.processes.interleave import Interleave
from codesign.hardware.processes.matrix import Matrix
from codesign.hardware.requantise import Requantiser, activations
from codesign.hardware.structure import Activation, Count, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.network.graph import Node
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.subpixel import Subpixel
from codesign.network.tensor import Tensor
from codesign.space import Choice, Space, divisors


@dataclass(frozen=True, slots=True)
class StreamingConvTranspose2d(HardwareTemplate):
    """A convolution computes all outputs that lie between two pixels; they are laid side by side.

    `pe` outputs of one group from `simd` of its inputs of `positions` per cycle.

    Source: Shi et al., Is the deconvolution layer the same as a convolutional layer?, arXiv
    1609.07009, 2016.
    """

    node: Node
    inputs: tuple[Tensor, ...]
    pe: Count
    simd: Count
    arithmetic: Count
    weight_storage: Count
    line_storage: Count
    band_storage: Count
    positions: int = 1
    activation: Activation = Activation.MULTIPLIER

    implements = ConvTranspose2d
    structural = ("positions", "activation")

    @classmethod
    def space(cls, node: Node, inputs: tuple[Tensor, ...]) -> Space:
        """Fold a group's outputs over `pe`, its inputs over `simd`, a kernel over `positions`."""
        op = _op(node)
        window = _subpixel(node, inputs).convolution.window
        reorders = _interleave(node, inputs, 1, Storage.BRAM).reorders
        return Space(
            (
                Choice("positions", divisors(window.positions)),
                Choice("activation", activations(node)),
                Choice("pe", divisors(op.outputs // op.groups)),
                Choice("simd", divisors(op.inputs // op.groups)),
                Choice("arithmetic", UNPACKED),
                Choice("weight_storage", tuple(Storage)),
                Choice("line_storage", (Storage.LUTRAM,) if window.is_point else tuple(Storage)),
                Choice("band_storage", (Storage.LUTRAM, Storage.BRAM)[: 1 + reorders]),
            )
        )

    def processes(self) -> tuple[Process, ...]:
        """Return window, products and interleaving, without those that would change nothing."""
        (source,) = self.inputs
        window = _subpixel(self.node, self.inputs).convolution.window
        chain: list[Process] = []
        if not window.is_point:
            together, lines = self.positions, self.line_storage
            chain.append(patches(source, window, Portion(self.simd, together), lines))
        chain.append(self._products())
        interleave = _interleave(self.node, self.inputs, self.pe, self.band_storage)
        if not interleave.passes:
            chain.append(interleave)
        return tuple(chain)

    @property
    def input_lanes(self) -> Count:
        """`simd` channels per word."""
        return self.simd

    @property
    def output_lanes(self) -> Count:
        """`pe` channels per word."""
        return self.pe

    def _products(self) -> Matrix | Grouped:
        op = _op(self.node)
        (source,) = self.inputs
        convolution = _subpixel(self.node, self.inputs).convolution
        rows, columns = convolution.window.output_size(source.shape)
        positions, pixels = convolution.window.positions, rows * columns
        requantiser = Requantiser.of(self.node, self.activation)
        if op.groups > 1:
            return Grouped(
                pixels=pixels,
                positions=positions,
                groups=op.groups,
                outputs=convolution.outputs // op.groups,
                element=source,
                weight_bits=op.bits,
                requantiser=requantiser,
                pe=self.pe,
                simd=self.simd,
                arithmetic=self.arithmetic,
                storage=self.weight_storage,
                together=self.positions,
            )
        return Matrix(
            pixels=pixels,
            inputs=op.inputs * positions,
            outputs=convolution.outputs,
            element=source,
            weight_bits=op.bits,
            requantiser=requantiser,
            pe=self.pe,
            simd=self.simd * self.positions,
            arithmetic=self.arithmetic,
            storage=self.weight_storage,
            together=self.positions,
        )


def _interleave(node: Node, inputs: tuple[Tensor, ...], lanes: Count, storage: Count) -> Interleave:
    subpixel = _subpixel(node, inputs)
    return Interleave(
        pixels=subpixel.convolution.window.output_size(inputs[0].shape),
        factors=subpixel.op.window.stride,
        groups=subpixel.op.groups,
        crop=subpixel.crop,
        output=node.output,
        lanes=lanes,
        storage=storage,
    )


def _subpixel(node: Node, inputs: tuple[Tensor, ...]) -> Subpixel:
    return Subpixel.of(_op(node), inputs[0].shape)


def _op(node: Node) -> ConvTranspose2d:
    if not isinstance(node.op, ConvTranspose2d):
        raise TypeError(f"{node.name} is no transposed convolution")
    return node.op
