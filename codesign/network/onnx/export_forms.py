"""Which ONNX operator stands for each operator of a network, and what it is fed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.network.graph import Graph, Node
from codesign.network.network import Parameters
from codesign.network.ops.add import Add
from codesign.network.ops.concat import Concat
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.multiply import Multiply
from codesign.network.ops.pad2d import Pad2d
from codesign.network.ops.pool2d import Pool2d
from codesign.network.ops.resize2d import Resize2d
from codesign.network.ops.slice import Slice
from codesign.network.tensor import Tensor, map_shape
from codesign.network.windows import Window

Reals = NDArray[np.float64]
View = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Form:
    """An ONNX operator with its attributes and inputs.

    `factors` say per port what one integer is worth, in steps of the node's output; for a layer
    that learns, what one step of its sums is. `views` are the shapes in which the operator wants
    its inputs, where they are not their own. `constants` follow the inputs; an empty one is left
    out. Without an operator the (only) input passes.
    """

    operator: str
    factors: tuple[Reals, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    views: tuple[View, ...] = (None,)
    weight_views: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Transpositions and reshapings of the weights on their way into the operator."""
    constants: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    own_scale: int | None = None
    """The port of a product that keeps the scale of its tensor; the other one has the gain."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A node with its integers, what it reads, and `multiplier / 2**shift`."""

    node: Node
    own: Parameters
    inputs: tuple[Tensor, ...]
    gain: Reals


def form_of(node: Node, own: Parameters, graph: Graph) -> Form:
    """Return how ONNX computes a node (tables apart)."""
    gain = np.asarray(1.0)
    if own.multiplier is not None:
        scaled = own.multiplier.astype(np.float64) * 2.0**-own.shift
        gain = scaled if len(scaled) > 1 else scaled[0]
    return _FORMS[type(node.op)](Case(node, own, graph.inputs(node), gain))


def _conv(case: Case) -> Form:
    assert isinstance(case.node.op, Conv2d)
    attributes = {**_window(case.node.op.window), "group": case.node.op.groups}
    return Form("Conv", (case.gain,), attributes, _as_map(case))


def _conv_transpose(case: Case) -> Form:
    """Return ONNX' form, whose weights are `[inputs, outputs / groups, rows, columns]`."""
    op = case.node.op
    assert isinstance(op, ConvTranspose2d)
    top, left, bottom, right = op.window.padding
    # a row that is appended to those cut off is one less to cut; runtimes take few of the former
    kept = (min(bottom, op.extra[0]), min(right, op.extra[1]))
    attributes = {
        **_window(op.window),
        "pads": [top, left, bottom - kept[0], right - kept[1]],
        "group": op.groups,
        "output_padding": [op.extra[0] - kept[0], op.extra[1] - kept[1]],
    }
    kernel, share = op.window.kernel, op.outputs // op.groups
    views: tuple[tuple[str, tuple[int, ...]], ...] = (("Transpose", (1, 0, 2, 3)),)
    if op.groups > 1:
        views = (
            ("Reshape", (op.groups, share, op.inputs // op.groups, *kernel)),
            ("Transpose", (0, 2, 1, 3, 4)),
            ("Reshape", (op.inputs, share, *kernel)),
        )
    return Form("ConvTranspose", (case.gain,), attributes, _as_map(case), views)


def _dense(case: Case) -> Form:
    (source,) = case.inputs
    view = (source.elements,) if len(source.shape) > 1 else None
    return Form("Gemm", (case.gain,), {"transB": 1}, (view,))


def _pool(case: Case) -> Form:
    op = case.node.op
    assert isinstance(op, Pool2d)
    if op.kind == "average":
        attributes = {**_window(op.window), "count_include_pad": int(op.counts_padding)}
        return Form("AveragePool", (case.gain * op.divisor,), attributes, _as_map(case))
    if op.window.is_point and not any(op.window.padding):
        return Form("", (case.gain,), views=_as_map(case))
    return Form("MaxPool", (case.gain,), _window(op.window), _as_map(case))


def _add(case: Case) -> Form:
    return Form("Add", _joined(case), views=(None, None))


def _concat(case: Case) -> Form:
    inputs = case.inputs
    if case.gain.ndim:
        assert case.own.weights is not None
        ends = np.cumsum([part.channels for part in inputs])
        shares = np.split(case.gain, ends[:-1])
        factors = tuple(s * int(w) for s, w in zip(shares, case.own.weights, strict=True))
    else:
        factors = _joined(case)
    return Form("Concat", factors, {"axis": 1}, (None,) * len(inputs))


def _multiply(case: Case) -> Form:
    left, right = case.inputs
    spread = len(right.shape) < len(left.shape)
    view = (right.channels, 1, 1) if spread else None
    return Form("Mul", (case.gain, case.gain), views=(None, view), own_scale=1)


def _slice(case: Case) -> Form:
    op = case.node.op
    assert isinstance(op, Slice)
    constants = {
        "starts": np.array([op.start]),
        "ends": np.array([op.stop]),
        "axes": np.array([1]),
    }
    return Form("Slice", (case.gain,), constants=constants)


def _pad(case: Case) -> Form:
    assert isinstance(case.node.op, Pad2d)
    top, left, bottom, right = case.node.op.padding
    pads = np.array([0, 0, top, left, 0, 0, bottom, right])
    return Form("Pad", (case.gain,), {"mode": "constant"}, _as_map(case), constants={"pads": pads})


def _resize(case: Case) -> Form:
    assert isinstance(case.node.op, Resize2d)
    attributes = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    scales = np.array([1, 1, *case.node.op.factors], np.float32)
    constants = {"roi": np.array([], np.float32), "scales": scales}
    return Form("Resize", (case.gain,), attributes, _as_map(case), constants=constants)


def _joined(case: Case) -> tuple[Reals, ...]:
    assert case.own.weights is not None
    return tuple(np.asarray(case.gain * int(weight)) for weight in case.own.weights)


def _as_map(case: Case) -> tuple[View, ...]:
    (source,) = case.inputs
    return (map_shape(source.shape) if len(source.shape) == 1 else None,)


def _window(window: Window) -> dict[str, Any]:
    attributes = {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "pads": list(window.padding),
    }
    return attributes | ({"dilations": list(window.dilation)} if window.is_dilated else {})


_FORMS: Mapping[type, Callable[[Case], Form]] = {
    Add: _add,
    Concat: _concat,
    Conv2d: _conv,
    ConvTranspose2d: _conv_transpose,
    Dense: _dense,
    Multiply: _multiply,
    Pad2d: _pad,
    Pool2d: _pool,
    Resize2d: _resize,
    Slice: _slice,
}
