"""Batch normalisation as part of the layer before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.network.network import FloatParameters


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """Normalisation `(x - mean) / sqrt(variance + epsilon) * gain + offset`, all `[outputs]`."""

    gain: NDArray[np.floating]
    offset: NDArray[np.floating]
    mean: NDArray[np.floating]
    variance: NDArray[np.floating]
    epsilon: float


def fuse(layer: FloatParameters, norm: BatchNorm) -> FloatParameters:
    """Return the layer that computes what `layer` followed by `norm` computes.

    The weights' first axis is the output channel, for a convolution as for a dense layer.
    Source: Jacob et al., CVPR 2018, equation 14 and section 3.2.
    """
    factor = norm.gain.astype(np.float64) / np.sqrt(norm.variance.astype(np.float64) + norm.epsilon)
    per_output = factor.reshape(-1, *(1,) * (layer.weights.ndim - 1))
    return FloatParameters(
        weights=layer.weights * per_output,
        bias=(layer.bias - norm.mean) * factor + norm.offset,
    )
