"""An integer network in the QONNX dialect: real numbers that `Quant` nodes keep on a grid.

Source: Pappalardo et al., QONNX: representing arbitrary-precision quantized neural networks,
arXiv 2206.07527, 2022, section 3.
"""

from __future__ import annotations

import numpy as np
import onnx

from codesign.errors import InputError
from codesign.network.graph import Node
from codesign.network.network import Network
from codesign.network.onnx.export_forms import View
from codesign.network.onnx.qdq_export import LEARNING, OPSET, Reals, Writer
from codesign.network.op import Integers
from codesign.network.ops.table import Table
from codesign.network.tensor import Tensor

EXACT_BITS = 24
"""Integers below 2**24 are exact in single precision."""
DOMAIN = "qonnx.custom_op.general"


def export_qonnx(network: Network) -> onnx.ModelProto:
    """Return the network as a QONNX model whose batch is free.

    Tensors hold real numbers, integers times scales; widths are those of the network.

    Raises:
        InputError: a width or a scale that single precision cannot carry.
    """
    return QonnxWriter(network).model()


class QonnxWriter(Writer):
    """Writes `Quant` nodes where QDQ has pairs of nodes; `NAME.q` holds reals here."""

    form = "qonnx"
    stored = dict.fromkeys((*LEARNING, "Table"), ("weights",))
    domains = (("", OPSET), (DOMAIN, 1))

    def quantise(self, real: str, name: str, tensor: Tensor) -> str:
        """Round to the steps of a tensor."""
        return self._quant(real, f"{name}.q", np.asarray(self.scales[name]), tensor)

    def dequantise(self, source: str, place: str, factor: Reals, view: View) -> str:
        """Rescale what a node reads, where its factor is not the tensor's own scale."""
        ratio, reals = factor / self.scales[source], f"{source}.q"
        if np.any(ratio != 1.0):
            dimensions = len(self.network.graph.tensor(source).shape)
            shaped = ratio.reshape(-1, *(1,) * (dimensions - 1)) if ratio.ndim else ratio
            reals = self.add("Mul", [reals, self.real(f"{place}.ratio", shaped)], place)
        return self.viewed(reals, place, view)

    def parameter(self, name: str, integers: Integers, bits: int, scale: Reals) -> str:
        """Store real weights, and say what grid they lie on."""
        steps = scale.reshape(-1, *(1,) * (integers.ndim - 1)) if scale.ndim else scale
        stored = self.real(f"{name}.q", integers.astype(np.float64) * steps)
        return self._quant(stored, name, steps, Tensor((1,), bits, signed=True))

    def bias(self, name: str, integers: Integers, scale: Reals) -> str:
        """Store a real bias; the sums that it joins say what grid it lies on."""
        largest = int(np.abs(integers.astype(np.int64)).max())
        if largest >= 1 << EXACT_BITS:
            problem = f"'{name}' has the integer {largest}, which single precision cannot carry"
            raise InputError(self.network.graph.name, problem, "save it in the form qdq")
        return self.real(name, integers.astype(np.float64) * scale)

    def look_up(self, node: Node, op: Table, weights: Integers) -> str:
        """Write a table: the numbers of steps are places, and what lies there are reals."""
        source = node.inputs[0]
        steps = self.add(
            "Div",
            [f"{source}.q", self.real(f"{node.name}.step", self.scales[source])],
            f"{node.name}.steps",
        )
        places = self._places(node, op, self.add_cast(steps, f"{node.name}.place"))
        stored = weights.reshape(-1).astype(np.float64) * self.scales[node.name]
        table = self.real(f"{node.name}.weights.q", stored)
        answer = self.add("Gather", [table, places], f"{node.name}.answers", name=node.name)
        return self.quantise(answer, node.name, node.output)

    def answer(self, node: Node) -> str:
        """Return the reals that the integers are already."""
        return f"{node.name}.q"

    def _quant(self, real: str, output: str, scale: Reals, tensor: Tensor) -> str:
        inputs = [
            real,
            self.real(f"{output}.scale", scale),
            self.real(f"{output}.zero", 0.0),
            self.real(f"{output}.bits", float(tensor.bits)),
        ]
        attributes = {"signed": int(tensor.signed), "narrow": 0, "rounding_mode": "ROUND"}
        return self.add("Quant", inputs, output, attributes, domain=DOMAIN)
