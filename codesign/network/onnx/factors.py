"""Factors and offsets per channel: batch normalisation, and arithmetic with constants.

They become a part of the layer before where that is exact, else a depthwise 1 x 1 convolution.
"""

from __future__ import annotations

import math

import numpy as np

from codesign.network.network import FloatParameters
from codesign.network.onnx.reader import ANY_BITS, Step
from codesign.network.onnx.values import Layer, Value, per_channel
from codesign.network.op import Reals
from codesign.network.ops.conv2d import Conv2d
from codesign.network.windows import Window


def batch_norm(step: Step) -> Value:
    """Read a BatchNormalization.

    Source: Jacob et al., CVPR 2018, equation 14 and section 3.2.
    """
    value = step.value(0)
    if step.attributes.get("training_mode", 0):
        step.refuse("in training mode", "export the model in evaluation mode")
    gain, offset, mean, variance = (step.reals(index) for index in range(1, 5))
    channels = value.shape[1] if len(value.shape) > 1 else 0
    if {x.shape for x in (gain, offset, mean, variance)} != {(channels,)}:
        raise ValueError(f"numbers for other than {channels} channels")
    epsilon = float(step.attributes.get("epsilon", 1e-5))
    if not 0 < float(variance.min()) + epsilon < math.inf:
        raise ValueError(f"a variance of {variance.min()} with epsilon {epsilon}")
    factor = gain / np.sqrt(variance + epsilon)
    along = (-1, *(1,) * (len(value.shape) - 2))
    return scaled(step, value, factor.reshape(along), (offset - mean * factor).reshape(along))


def scaled(step: Step, value: Value, gain: Reals, offset: Reals) -> Value:
    """Return `value * gain + offset`, where both broadcast to the value's shape.

    Raises:
        UnsupportedOperator: they differ within a channel.
    """
    own = step.reader.own(value)
    found = [per_channel(value, own, constant) for constant in (gain, offset)]
    if found[0] is None or found[1] is None:
        shape = gain.shape if found[0] is None else offset.shape
        remedy = "one number per channel of the layer before can be read"
        step.refuse(f"with constants of shape {shape} for a tensor of {value.shape}", remedy)
    gains, offsets = found[0], found[1]
    if (gains == 1).all() and not offsets.any():
        return step.same(value)
    layer = step.fusable(value)
    if layer is not None and _fused(layer, gains, offsets):
        return step.same(value)
    channels = own[0]
    op = Conv2d(channels, channels, Window((1, 1)), ANY_BITS, channels)
    parameters = FloatParameters(gains.reshape(-1, 1, 1, 1), offsets)
    return step.append("scale", op, (value,), parameters, like=value)


def _fused(layer: Layer, gains: Reals, offsets: Reals) -> bool:
    """Make factors and offsets a part of a layer, if that is exact.

    A clip before them can come after them: with other bounds, equal for all channels.
    """
    if layer.is_bounded:
        ends = [bound * gains + offsets for bound in layer.bounds if math.isfinite(bound)]
        if gains.min() <= 0 or any((end != end[0]).any() for end in ends):
            return False
        low, high = (
            float(bound * gains[0] + offsets[0]) if math.isfinite(bound) else bound
            for bound in layer.bounds
        )
        layer.bounds, layer.signed = (low, high), low < 0
    own = layer.parameters
    assert own is not None
    weights = own.weights * gains.reshape(-1, *(1,) * (own.weights.ndim - 1))
    layer.parameters = FloatParameters(weights, own.bias * gains + offsets)
    return True
