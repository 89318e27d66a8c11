"""What each ONNX operator means for a network: one function per operator.

One of the `onnx*` modules of this package, the only ones that know onnx. An attribute or form
that is not understood is refused by name, never approximated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto

from codesign.errors import InputError
from codesign.network.fuse import BatchNorm, fuse
from codesign.network.network import FloatParameters
from codesign.network.onnx_reader import Reader, Reals, Step, Value
from codesign.network.onnx_windows import window
from codesign.network.op import Shape
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.windows import Window

ANY_BITS = 8
"""Width of the weights while only real numbers are known; the graph gets the wanted one."""

QUANTISED = "codesign.Quantised"
"""Says that a layer ends here: its one output is its input, and nothing after it is fused.

What is said to end twice, or `requantises` though others read it as it is, gets a layer of its own.
"""

_REAL_TYPES = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def apply(reader: Reader, node: onnx.NodeProto) -> None:
    """Read one node: note what its output holds.

    Raises:
        InputError: the node contradicts itself or the shapes it reads.
        UnsupportedOperator: a form of the operator that codesign lacks.
    """
    try:
        step = Step(reader, node)
        extra = [name for name in node.output[1:] if name and reader.uses[name]]
        if extra:
            step.refuse(f"with a second output '{extra[0]}'", "only the first one is computed")
        constant = all(reader.is_constant(name) for name in node.input if name)
        if constant and node.op_type in FOLDED:
            reader.computed[node.output[0]] = step.fold()
        elif node.op_type == "Shape":
            reader.computed[node.output[0]] = _shape(step)
        elif node.op_type in OPERATORS:
            reader.values[node.output[0]] = _ending(step) or OPERATORS[node.op_type](step)
        else:
            step.refuse("of a tensor that depends on the images", "it is known for constants only")
    except ValueError as error:
        label = node.name or node.op_type
        raise InputError(reader.place, f"node '{label}' ({node.op_type}): {error}") from error


def _ending(step: Step) -> Value | None:
    """Return the value of a node that only passes on what is left to the host."""
    value = step.reader.values.get(step.node.input[0])
    if value is not None and value.left_to_host and step.node.op_type in _VIEWS:
        return step.same(value)
    return None


def _shape(step: Step) -> np.ndarray:
    extents = step.value(0).shape
    start, end = step.attributes.get("start", 0), step.attributes.get("end", len(extents))
    return np.array(extents[start:end], np.int64)


def _conv(step: Step) -> Value:
    maps, weights = step.maps(0), step.reals(1)
    if step.attributes.get("group", 1) != 1:
        remedy = "use full or 1 x 1 convolutions"
        step.refuse(f"with {step.attributes['group']} groups", remedy)
    if weights.ndim != 4:
        raise ValueError(f"weights of shape {weights.shape}")
    kernel = window(step, maps, (weights.shape[2], weights.shape[3]))
    bias = step.reals(2) if step.has(2) else np.zeros(len(weights))
    if bias.shape != (len(weights),):
        raise ValueError(f"a bias of shape {bias.shape} for {len(weights)} channels")
    op = Conv2d(weights.shape[1], weights.shape[0], kernel, ANY_BITS)
    return step.append("conv", op, (maps,), FloatParameters(weights, bias))


def _gemm(step: Step) -> Value:
    if step.attributes.get("transA", 0):
        step.refuse("with transA", "images stand in rows")
    alpha, beta = (float(step.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    if not math.isfinite(alpha) or not math.isfinite(beta):
        raise ValueError(f"factors of {alpha} and {beta}")
    weights = step.reals(1) if step.attributes.get("transB", 0) else step.reals(1).T
    bias = step.reals(2) if step.has(2) else np.zeros(())
    return _dense(step, alpha * weights, beta * bias)


def _matmul(step: Step) -> Value:
    return _dense(step, step.reals(1).T, np.zeros(()))


def _dense(step: Step, weights: Reals, bias: Reals) -> Value:
    vectors = step.value(0)
    if weights.ndim != 2 or len(vectors.shape) != 2:
        form = f"of tensors of shape {vectors.shape} and {weights.T.shape}"
        step.refuse(form, "a dense layer reads N x features")
    own = FloatParameters(weights, np.broadcast_to(bias, (1, len(weights)))[0])
    op = Dense(weights.shape[1], weights.shape[0], ANY_BITS)
    return step.append("dense", op, (vectors,), own)


def _add(step: Step) -> Value:
    if step.is_constant(0) or step.is_constant(1):
        return _add_constant(step, 0 if step.is_constant(0) else 1)
    left, right = step.value(0), step.value(1)
    if left.shape != right.shape:
        step.refuse(f"of shapes {left.shape} and {right.shape}", "both have to be the same")
    value = step.append("add", Add(ANY_BITS), (left, right))
    return Value(value.layer, left.shape, value.alone)


def _add_constant(step: Step, index: int) -> Value:
    value, constant = step.value(1 - index), step.reals(index)
    layer = step.layer(value, "a constant")
    assert layer.parameters is not None
    extents = (1,) * (len(value.shape) - constant.ndim) + constant.shape
    outputs = len(layer.parameters.bias)
    if len(extents) != len(value.shape) or any(
        extent != 1 and (axis != 1 or extent != outputs) for axis, extent in enumerate(extents)
    ):
        step.refuse(f"of a constant of shape {constant.shape}", "one number per channel is a bias")
    own = layer.parameters
    layer.parameters = FloatParameters(own.weights, own.bias + constant.reshape(-1))
    return step.same(value)


def _batch_norm(step: Step) -> Value:
    value = step.value(0)
    if step.attributes.get("training_mode", 0):
        step.refuse("in training mode", "export the model in evaluation mode")
    layer = step.layer(value, "normalisation")
    assert layer.parameters is not None
    gain, offset, mean, variance = (step.reals(index) for index in range(1, 5))
    if {x.shape for x in (gain, offset, mean, variance)} != {layer.parameters.bias.shape}:
        raise ValueError(f"numbers for other than {len(layer.parameters.bias)} channels")
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    if not 0 < float(variance.min()) + epsilon < math.inf:
        raise ValueError(f"a variance of {variance.min()} with epsilon {epsilon}")
    layer.parameters = fuse(layer.parameters, BatchNorm(gain, offset, mean, variance, epsilon))
    return step.same(value)


def _relu(step: Step) -> Value:
    value = step.value(0)
    _rectify(step, value)
    return step.same(value)


def _rectify(step: Step, value: Value) -> None:
    """Make the layer's output unsigned; before a maximum that is the same as after it."""
    if not _is_signed(step.reader, value):
        return
    layer = step.reader.layers.get(value.layer)
    if layer is None:
        step.refuse("of the model's input", "import it as unsigned, or put a layer between")
    if not value.alone:
        remedy = f"rectify '{layer.origin}' for all its readers, or for none"
        step.refuse("of a tensor that is also read as it is", remedy)
    if isinstance(layer.op, Pool2d) and layer.op.kind == "max":
        _rectify(step, layer.sources[0])
    else:
        layer.rectified = True


def _is_signed(reader: Reader, value: Value) -> bool:
    layer = reader.layers.get(value.layer)
    if layer is None:
        return reader.input_signed
    if layer.rectified:
        return False
    return not isinstance(layer.op, Pool2d) or _is_signed(reader, layer.sources[0])


def _max_pool(step: Step) -> Value:
    maps = step.maps(0)
    return step.append("pool", Pool2d("max", window(step, maps)), (maps,))


def _average_pool(step: Step) -> Value:
    maps = step.maps(0)
    own = window(step, maps)
    if any(own.padding) and not step.attributes.get("count_include_pad", 0):
        step.refuse("that leaves padding out of the average", "set count_include_pad, or no pads")
    return step.append("pool", Pool2d("average", own), (maps,))


def _global_max_pool(step: Step) -> Value:
    return _global(step, "max")


def _global_average_pool(step: Step) -> Value:
    return _global(step, "average")


def _reduce_mean(step: Step) -> Value:
    value = step.maps(0)
    axes = _axes(step) or []
    if sorted(axis % 4 for axis in axes) != [2, 3]:
        step.refuse(f"over axes {axes}", "the mean over rows and columns (2, 3) is known")
    mean = _global(step, "average")
    return mean if step.attributes.get("keepdims", 1) else step.same(mean, value.shape[:2])


def _global(step: Step, kind: str) -> Value:
    maps = step.maps(0)
    whole = Window(kernel=(maps.shape[2], maps.shape[3]))
    return step.append("pool", Pool2d(kind, whole), (maps,))


def _flatten(step: Step) -> Value:
    value = step.value(0)
    axis = step.attributes.get("axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    return _viewed(step, value, (math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))


def _reshape(step: Step) -> Value:
    value = step.value(0)
    target = step.integers(1)
    if not step.attributes.get("allowzero", 0):
        kept = (*value.shape, *(0 for _ in target))
        target = [kept[axis] if extent == 0 else extent for axis, extent in enumerate(target)]
    if target.count(-1) == 1:
        known = -math.prod(target)
        target[target.index(-1)] = math.prod(value.shape) // known if known else 0
    return _viewed(step, value, tuple(target))


def _squeeze(step: Step) -> Value:
    value = step.value(0)
    chosen = _axes(step)
    ones = [axis for axis, extent in enumerate(value.shape) if extent == 1]
    axes = ones if chosen is None else [axis % len(value.shape) for axis in chosen]
    kept = tuple(extent for axis, extent in enumerate(value.shape) if axis not in axes)
    return _viewed(step, value, kept)


def _unsqueeze(step: Step) -> Value:
    value = step.value(0)
    chosen = _axes(step) or []
    rank = len(value.shape) + len(chosen)
    axes = [axis % rank for axis in chosen]
    if len(set(axes)) != len(axes):
        raise ValueError(f"the axes {chosen} repeat each other")
    rest = iter(value.shape)
    return _viewed(step, value, tuple(1 if axis in axes else next(rest) for axis in range(rank)))


def _axes(step: Step) -> list[int] | None:
    """Return the axes of a node, which early operator sets hold as an attribute."""
    if step.has(1):
        return step.integers(1)
    axes = step.attributes.get("axes")
    return None if axes is None else list(axes)


def _viewed(step: Step, value: Value, shape: Shape) -> Value:
    if shape[:1] != value.shape[:1] or math.prod(shape) != math.prod(value.shape):
        step.refuse(f"from {value.shape} to {shape}", "images have to stay apart, and whole")
    return step.same(value, shape)


def _pad(step: Step) -> Value:
    pads = step.constant(1) if step.has(1) else np.array(step.attributes.get("pads", ()))
    if pads.any():
        step.refuse("by itself", "let the convolution or pooling pad: its own `pads`")
    return step.same(step.value(0))


def _cast(step: Step) -> Value:
    if step.attributes.get("to") not in _REAL_TYPES:
        step.refuse("to a type that is not real", "only casts that change no number are known")
    return step.same(step.value(0))


def _dropout(step: Step) -> Value:
    if step.has(2) and bool(step.constant(2).any()):
        step.refuse("in training mode", "export the model in evaluation mode")
    return step.same(step.value(0))


def _identity(step: Step) -> Value:
    return step.same(step.value(0))


def _quantised(step: Step) -> Value:
    value = step.value(0)
    again = step.attributes.get("requantises", 0) and not value.alone
    if value.quantised or again:
        value = step.append("pool", Pool2d("max", Window((1, 1))), (value,))
    return replace(value, alone=False, quantised=True)


def _left_to_host(step: Step) -> Value:
    value = step.value(0)
    step.reader.notes.append(f"{step.node.op_type} '{step.label}' is left to the host")
    return Value(value.layer, value.shape, alone=False, left_to_host=True)


OPERATORS: dict[str, Callable[[Step], Value]] = {
    "Add": _add,
    "ArgMax": _left_to_host,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Cast": _cast,
    "Conv": _conv,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "Identity": _identity,
    "LogSoftmax": _left_to_host,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceMean": _reduce_mean,
    "Quantised": _quantised,
    "Relu": _relu,
    "Reshape": _reshape,
    "Softmax": _left_to_host,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
}

FOLDED = (
    "Cast",
    "Concat",
    "Constant",
    "Gather",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Operators computed at once if all their inputs are constant; none makes large from small."""

KNOWN = frozenset([*OPERATORS, *FOLDED, "Shape"]) - {"Quantised"}

_VIEWS = ("Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze")

_USE_RELU = "train it with ReLU instead"
_USE_FLOATS = "import the float model: codesign quantises it itself"

REMEDIES = {
    "Clip": "train it with ReLU: the quantiser clips at the best scale",
    "LeakyRelu": _USE_RELU,
    "PRelu": _USE_RELU,
    "Elu": _USE_RELU,
    "Sigmoid": _USE_RELU,
    "HardSigmoid": _USE_RELU,
    "HardSwish": _USE_RELU,
    "Tanh": _USE_RELU,
    "Gelu": _USE_RELU,
    "QuantizeLinear": _USE_FLOATS,
    "DequantizeLinear": _USE_FLOATS,
    "QLinearConv": _USE_FLOATS,
    "QLinearMatMul": _USE_FLOATS,
    "ConvInteger": _USE_FLOATS,
    "Sub": "normalise images before they enter the model",
    "Div": "normalise images before they enter the model",
    "Mul": "normalise images before they enter the model",
}
