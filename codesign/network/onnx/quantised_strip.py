"""Taking the quantisation off an ONNX model: a float model remains, and notes of what was said.

Where a tensor was quantised the float model has a `Quantised` node, so that nothing is fused
across; constants hold exactly what their integers stand for.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.errors import InputError, UnsupportedOperator
from codesign.network.onnx import model_file, qonnx_import
from codesign.network.onnx.quantised_clips import Clip, clip
from codesign.network.onnx.quantised_types import (
    DAMAGE,
    DOMAIN,
    QUANTISED,
    RANGES,
    Quantiser,
    Stored,
    Stripped,
    rounded,
)
from codesign.network.op import Reals

STANDARD_DOMAINS = ("", "ai.onnx")
QUANTISERS = ("QuantizeLinear", "DequantizeLinear")

PASSING = frozenset(
    [
        *("ArgMax", "Concat", "Dropout", "Flatten", "GlobalMaxPool", "Identity", "MaxPool", "Pad"),
        *("Reshape", "Resize", "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"),
        "Upsample",
    ]
)
"""Operators that hand integers on as they are."""

VIEWS = ("Reshape", "Transpose")
"""Operators that give dequantised weights another form."""

ENDINGS = ("ArgMax", "LogSoftmax", "Softmax")
"""Operators that are left to the host, with all that follows."""


def strip(model: onnx.ModelProto, place: str) -> Stripped:
    """Return the float model behind a model of quantise and dequantise steps, or of QONNX.

    Raises:
        InputError: a quantiser contradicts itself, or what it reads.
        UnsupportedOperator: a form of quantisation that no exact integers follow from.
    """
    stripper = _Stripper(model, place)
    for node in model.graph.node:
        try:
            stripper.read(node)
        except DAMAGE as error:
            label = model_file.label(node)
            problem = f"node '{label}' ({node.op_type}): {error}"
            raise InputError(place, problem, "quantise every tensor by constant scales") from error
    return stripper.finished()


class _Stripper:
    """What is known of the model so far, by the names that it gives its tensors."""

    def __init__(self, model: onnx.ModelProto, place: str) -> None:
        self.source = model
        self.place = place
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.inputs = {
            value.name: value.type.tensor_type.elem_type
            for value in model.graph.input
            if value.name not in self.constants
        }
        self.stored = {name for name, kind in self.inputs.items() if kind in RANGES}
        """Tensors that are integers in the model and depend on the images."""
        self.exact: dict[str, Quantiser] = {}
        """Quantisers of tensors, of their integers and of their reals alike."""
        self.renamed: dict[str, str] = {}
        self.answers: dict[str, str] = {}
        """What the one quantiser of a tensor of floats makes."""
        self.nodes: list[onnx.NodeProto] = []
        self.clips: dict[str, Clip] = {}
        """Clipped tensors that only a quantiser reads, which then has narrower bounds."""
        self.left: set[str] = set()
        """Tensors that the host computes: what follows the end of the network."""
        self.readers: dict[str, list[str]] = defaultdict(list)
        for node in model.graph.node:
            for name in node.input:
                self.readers[name].append(node.op_type)
        self.found = Stripped(onnx.ModelProto())

    def read(self, node: onnx.NodeProto) -> None:
        """Take one node over, or note what it says."""
        if not node.output:
            raise ValueError("it makes nothing")
        standard = node.domain in STANDARD_DOMAINS
        if standard and node.op_type in QUANTISERS:
            self._linear(node)
        elif node.domain in qonnx_import.DOMAINS and node.op_type in (qonnx_import.OPERATORS):
            self._qonnx(node)
        elif standard and node.op_type == "Identity" and node.input[0] in self.constants:
            self.constants[node.output[0]] = self.constants[node.input[0]]
            self._keep(node)
        elif standard and node.op_type in VIEWS and node.input[0] in self.found.constants:
            self._view(node)
        elif not (standard and node.op_type == "Clip" and self._joins_quantiser(node)):
            self._keep(node)

    def finished(self) -> Stripped:
        """Return the float model."""
        result = self.found.model
        result.CopyFrom(self.source)
        graph = result.graph
        for field in (
            graph.node,
            graph.initializer,
            graph.value_info,
            graph.quantization_annotation,
        ):
            del field[:]
        for value in graph.input:
            if value.name in self.stored:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
        for value in graph.output:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
            if value.name in self.renamed:
                self.nodes.append(
                    helper.make_node("Identity", [self.renamed[value.name]], [value.name])
                )
        self._check_readers()
        graph.node.extend(self.nodes)
        used = {name for node in self.nodes for name in node.input}
        for name in sorted(used & self.constants.keys()):
            if name not in self.found.constants:
                graph.initializer.append(self.constants[name])
        for name in sorted(used & self.found.constants.keys()):
            reals = self.found.constants[name].reals
            graph.initializer.append(numpy_helper.from_array(reals.astype(np.float32), name))
        opsets = [x for x in _opsets(result) if x.domain not in qonnx_import.DOMAINS]
        del result.opset_import[:]
        result.opset_import.extend([*opsets, helper.make_opsetid(DOMAIN, 1)])
        return self.found

    def _keep(self, node: onnx.NodeProto) -> None:
        """Take a node over that quantises nothing."""
        kept = onnx.NodeProto()
        kept.CopyFrom(node)
        if node.op_type == "Constant":
            self._note_constant(node)
        integers = [name for name in node.input if name in self.stored]
        if integers:
            self._check_passing(node, integers)
            self.stored.update(name for name in node.output if name)
        for index, name in enumerate(node.input):
            kept.input[index] = self.renamed.get(name, name)
        if integers and node.op_type == "Pad":
            self._check_pad(kept)
        self.nodes.append(kept)
        computed = [name for name in kept.input if name and not self._constant(name)]
        sources = {self.exact.get(name) for name in computed}
        known = sources.pop() if len(sources) == 1 else None
        if known is not None and node.op_type in PASSING:
            self.exact.update(dict.fromkeys(node.output, known))
        elif known is not None and node.op_type == "Relu":
            self._rectify(kept, known)
        if node.op_type in ENDINGS or not self.left.isdisjoint(computed):
            self.left.update(node.output)

    def _rectify(self, node: onnx.NodeProto, known: Quantiser) -> None:
        """Note that integers without their negatives are integers still.

        If they are quantised at once, that quantiser is the one to keep.
        """
        if self._only_quantised(node.output[0]):
            return
        rectified = replace(known, low=max(known.low, known.zero))
        output = node.output[0]
        node.output[0] = f"{output}.rectified"
        self._quantise(node.output[0], output, rectified)

    def _only_quantised(self, name: str) -> bool:
        """Whether one quantiser reads a tensor, and nothing else does."""
        answers = {value.name for value in self.source.graph.output}
        once = self.readers[name] in (["QuantizeLinear"], ["Quant"], ["IntQuant"])
        return once and name not in answers

    def _joins_quantiser(self, node: onnx.NodeProto) -> bool:
        """Return whether a quantiser takes a Clip in, which is noted."""
        if self._constant(node.input[0]) or not self._only_quantised(node.output[0]):
            return False
        found = clip(node, lambda name: self._array(name) if self._constant(name) else None)
        if found is not None:
            tensor = self.renamed.get(found.tensor, found.tensor)
            self.clips[node.output[0]] = replace(found, tensor=tensor)
        return found is not None

    def _check_passing(self, node: onnx.NodeProto, integers: list[str]) -> None:
        if node.op_type not in PASSING:
            self._refuse(node, "of integers", "dequantise what it reads")
        if len({self.exact.get(self.renamed.get(name, name)) for name in integers}) > 1:
            self._refuse(node, "of integers of different scales", "dequantise what it reads")

    def _check_pad(self, node: onnx.NodeProto) -> None:
        """Let the real zero pad, if that is what the integer of the node means."""
        quantiser = self.exact.get(self.renamed.get(node.input[0], node.input[0]))
        value = self._array(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
        if quantiser is None or int(value.reshape(-1)[0]) != quantiser.zero:
            self._refuse(node, "of integers with other than the zero point", "pad with real zeros")
        if len(node.input) > 2:
            node.input[2] = ""

    def _view(self, node: onnx.NodeProto) -> None:
        """Give quantised weights another form; their scales stay one per tensor or channel."""
        stored = self.found.constants[node.input[0]]
        if node.op_type == "Transpose":
            axes = model_file.attributes(node).get("perm")
            viewed = stored.transposed(range(stored.integers.ndim)[::-1] if axes is None else axes)
        else:
            viewed = stored.reshaped(self._array(node.input[1]).tolist())
        self.found.constants[node.output[0]] = viewed

    def _note_constant(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if attribute.name == "value":
                self.constants[node.output[0]] = attribute.t
            elif attribute.name in ("value_float", "value_int"):
                value = np.asarray(helper.get_attribute_value(attribute))
                kind = np.float32 if attribute.name == "value_float" else np.int64
                self.constants[node.output[0]] = numpy_helper.from_array(value.astype(kind))

    def _linear(self, node: onnx.NodeProto) -> None:
        """Read a QuantizeLinear or a DequantizeLinear."""
        attributes = model_file.attributes(node)
        if attributes.get("block_size", 0):
            self._refuse(node, "in blocks", "quantise per tensor or per channel")
        scale = self._array(node.input[1]).astype(np.float64)
        if not (np.isfinite(scale).all() and (scale > 0).all() and scale.ndim <= 1):
            raise ValueError("its scales are not positive numbers, one per tensor or channel")
        kind = self._kind(node, attributes)
        if kind not in RANGES:
            name = TensorProto.DataType.Name(kind)
            self._refuse(node, f"of type {name}", "quantise to integers of 2 to 16 bits")
        zeros = self._zeros(node, scale)
        axis = int(attributes.get("axis", 1))
        if self._constant(node.input[0]):
            self._linear_constant(node, kind, (scale, zeros), axis)
        elif scale.size > 1 or len(set(zeros.tolist())) > 1:
            self._refuse(
                node, "per channel of a computed tensor", "quantise activations per tensor"
            )
        else:
            low, high = RANGES[kind]
            quantiser = Quantiser(float(scale.reshape(-1)[0]), int(zeros[0]), low, high)
            self._linear_tensor(node, quantiser)

    def _kind(self, node: onnx.NodeProto, attributes: Mapping[str, Any]) -> int:
        """Return the ONNX type of the integers."""
        if node.op_type == "DequantizeLinear" and self._constant(node.input[0]):
            return int(self._proto(node.input[0]).data_type)
        if len(node.input) > 2 and node.input[2]:
            return int(self._proto(node.input[2]).data_type)
        if node.op_type == "DequantizeLinear":
            return int(self.inputs.get(node.input[0], TensorProto.UINT8))
        return int(attributes.get("output_dtype", 0)) or int(TensorProto.UINT8)

    def _zeros(self, node: onnx.NodeProto, scale: Reals) -> NDArray[np.int64]:
        if len(node.input) < 3 or not node.input[2]:
            return np.zeros(scale.size, np.int64)
        zeros = self._array(node.input[2])
        if zeros.dtype.kind == "f":
            self._refuse(node, "with a zero point of floats", "quantise to integers")
        if zeros.size != scale.size:
            raise ValueError(f"{zeros.size} zero points for {scale.size} scales")
        return zeros.astype(np.int64).reshape(-1)

    def _linear_constant(
        self, node: onnx.NodeProto, kind: int, steps: tuple[Reals, NDArray[np.int64]], axis: int
    ) -> None:
        name, output, (scale, zeros) = node.input[0], node.output[0], steps
        values = self._array(name)
        if scale.size == 1:
            scale, zeros, axis = scale.reshape(()), zeros[0], 0
        elif not -values.ndim <= axis < values.ndim or values.shape[axis] != scale.size:
            raise ValueError(f"{scale.size} scales along axis {axis} of shape {values.shape}")
        axis %= max(1, values.ndim)
        extents = [scale.size if index == axis else 1 for index in range(values.ndim)]
        along = (np.reshape(scale, extents), np.reshape(zeros, extents))
        if node.op_type == "QuantizeLinear":
            integers = rounded(values, *along, RANGES[kind])
            self.constants[output] = helper.make_tensor(
                output, kind, values.shape, integers.reshape(-1).tolist()
            )
        else:
            integers = values.astype(np.int64) - along[1]
            self.found.constants[output] = Stored(integers, scale, axis)

    def _linear_tensor(self, node: onnx.NodeProto, quantiser: Quantiser) -> None:
        name, output = self.renamed.get(node.input[0], node.input[0]), node.output[0]
        if node.op_type == "QuantizeLinear":
            self._quantise(name, output, quantiser)
            self.stored.add(output)
            return
        if node.input[0] not in self.stored:
            raise ValueError(f"'{node.input[0]}' is not quantised")
        if name in self.left:
            self.renamed[output] = name
            return
        if name in self.inputs:
            self._quantise(name, output, quantiser)
            return
        known = self.exact.get(name)
        if known is None or (known.scale, known.zero) != (quantiser.scale, quantiser.zero):
            self._refuse(node, "by other scales than it was quantised", "keep one scale per tensor")
        self.renamed[output] = name

    def _quantise(self, name: str, output: str, quantiser: Quantiser) -> None:
        """Note that a tensor is quantised, and give the answer its new name."""
        if name in self.clips and quantiser.kind == "round":
            clipped = self.clips[name]
            name, quantiser = clipped.tensor, clipped.narrowed(quantiser)
        known = self.exact.get(name)
        if name in self.left or (known is not None and quantiser.keeps(known)):
            self.renamed[output] = name
            return
        before = self.answers.setdefault(name, output)
        if before != output and self.exact[before] == quantiser:
            self.renamed[output] = before
            return
        made = helper.make_node(QUANTISED, [name], [output], output, domain=DOMAIN)
        if known is not None:
            made.attribute.append(helper.make_attribute("requantises", 1))
        self.nodes.append(made)
        self.found.quantisers[output] = self.exact[output] = quantiser

    def _qonnx(self, node: onnx.NodeProto) -> None:
        """Read a quantiser of QONNX."""
        attributes = model_file.attributes(node)
        settings = [self._array(name) for name in node.input[1:]]
        name, output = self.renamed.get(node.input[0], node.input[0]), node.output[0]
        if self._constant(name):
            values = self._array(name)
            stored = qonnx_import.constant(values, node.op_type, settings, attributes)
            self.found.constants[output] = stored
            return
        quantiser = qonnx_import.activation(node.op_type, settings, attributes)
        self._quantise(name, output, quantiser)

    def _constant(self, name: str) -> bool:
        return name in self.constants or name in self.found.constants

    def _proto(self, name: str) -> onnx.TensorProto:
        if name not in self.constants:
            raise ValueError(f"'{name}' is computed; it has to be a constant")
        proto: onnx.TensorProto = self.constants[name]
        return proto

    def _array(self, name: str) -> NDArray[Any]:
        if name in self.found.constants:
            return self.found.constants[name].reals
        return model_file.array(self._proto(name))

    def _check_readers(self) -> None:
        """Refuse a tensor that some read quantised and others not."""
        readers = Counter(
            name for node in self.nodes if node.op_type != "Shape" for name in node.input
        )
        readers.update(value.name for value in self.source.graph.output)
        for node in self.nodes:
            name = node.input[0] if node.op_type == QUANTISED else ""
            if name and readers[name] > 1 and name not in self.exact:
                problem = f"'{name}' is read quantised and in floats"
                remedy = "quantise it once, for all that read it"
                raise InputError(self.place, problem, remedy)

    def _refuse(self, node: onnx.NodeProto, form: str, remedy: str) -> NoReturn:
        operator = f"{node.op_type} {form}"
        raise UnsupportedOperator(self.place, model_file.label(node), operator, remedy)


def _opsets(model: onnx.ModelProto) -> list[onnx.OperatorSetIdProto]:
    """Return copies of a model's operator sets."""
    copies = []
    for opset in model.opset_import:
        copy = onnx.OperatorSetIdProto()
        copy.CopyFrom(opset)
        copies.append(copy)
    return copies
