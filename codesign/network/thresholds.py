"""Requantisation as comparisons: from which sum on each output value is reached."""

from __future__ import annotations

import numpy as np

from codesign.network.network import Parameters
from codesign.network.op import Integers
from codesign.network.tensor import Tensor


def thresholds(own: Parameters, output: Tensor, sum_bits: int) -> Integers:
    """Return the least sums, without bias, for which a node answers each value or a higher one.

    A node answers `clip(rne((sum + bias) * multiplier / 2**shift))` with a positive multiplier. The
    rounded number is k or more from the scaled sum k * 2**shift - 2**(shift - 1) on: that is a tie,
    which goes to the even neighbour. Where k is odd, it takes one more.

    Args:
        own: the learned integers of a node that requantises.
        output: the type of its answers.
        sum_bits: signed width of its sums.

    Returns:
        `[outputs, output.high - output.low]`, rising; 2**(sum_bits - 1) for what no sum reaches.

    Raises:
        ValueError: the node has no bias or no multiplier.
    """
    if own.bias is None or own.multiplier is None:
        raise ValueError("thresholds are those of a node with a bias and a multiplier")
    half = (1 << own.shift) >> 1
    # beyond 64 bits: Python's integers have as many as it takes
    values = range(output.low + 1, output.high + 1)
    scaled = np.array([(k << own.shift) - half + (k & min(own.shift, 1)) for k in values], object)
    multiplier = np.broadcast_to(own.multiplier, own.bias.shape).astype(object)
    sums = -(-scaled[None, :] // multiplier[:, None]) - own.bias.astype(object)[:, None]
    limit = 1 << (sum_bits - 1)
    reached: Integers = np.clip(sums, -limit, limit).astype(np.int64)
    return reached
