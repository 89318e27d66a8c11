"""Mixed precision: every layer its own weight bits, of least predicted error under a budget.

Errors of layers rounded alone are added up, which is what the choice is optimal for.
Source: Yao et al., HAWQ-V3: Dyadic neural network quantization, ICML 2021, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.network.knapsack import Choice, Cost, Options, choose, choose_by
from codesign.network.network import FloatNetwork
from codesign.network.sensitivity import Losses, Probe, sensitivity
from codesign.network.widths import weight_counts, with_widths


@dataclass(frozen=True, slots=True)
class MixedPrecision:
    """Widths of weights by layer, what they are predicted to cost, and the network with them."""

    network: FloatNetwork
    choice: Choice

    @property
    def widths(self) -> dict[str, int]:
        """Bits of one weight, by layer."""
        return self.choice.options


def mixed_precision(
    network: FloatNetwork,
    images: NDArray[np.floating],
    budget: float,
    cost: Options | Cost | None = None,
    probe: Probe | None = None,
) -> MixedPrecision:
    """Choose the weight bits of every layer.

    Args:
        network: the real weights.
        images: what sensitivity is measured on, `N x` the input's shape.
        budget: the largest total cost.
        cost: cost by layer and bits; or a function of the bits of all layers, which must not
            fall where bits grow; by default the bits of all weights together.
        probe: the widths to choose from, and how their errors are measured.

    Raises:
        InfeasibleError: even the narrowest widths are beyond the budget.
        InputError: there are no images, or values are not finite.
    """
    losses = sensitivity(network, images, probe=probe, what=("weights",)).weights
    errors = {
        name: {bits: loss.error for bits, loss in own.items()} for name, own in losses.items()
    }
    choice = choose_widths(network, errors, budget, cost)
    return MixedPrecision(with_widths(network, choice.options), choice)


def errors(losses: Losses) -> dict[str, dict[int, float]]:
    """Return the errors of losses, by name and bits."""
    return {name: {bits: loss.error for bits, loss in own.items()} for name, own in losses.items()}


def choose_widths(
    network: FloatNetwork, known: Options, budget: float, cost: Options | Cost | None = None
) -> Choice:
    """Choose the weight bits of every layer by errors that are already known.

    Arguments and exceptions are those of `mixed_precision`; `known` are by layer and bits.
    """
    if callable(cost):
        return choose_by(known, cost, budget)
    if cost is None:
        counts = weight_counts(network.graph)
        cost = {name: {bits: bits * counts[name] for bits in own} for name, own in known.items()}
    return choose(known, cost, budget)
