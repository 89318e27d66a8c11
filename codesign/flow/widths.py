"""The widths that a command asks for: even ones, or mixed under a budget."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from codesign.candidate import Target
from codesign.errors import InfeasibleError
from codesign.fit.precision import interval_of_widths
from codesign.flow.quantise_request import LEAST_BITS, Asked, QuantiseRequest
from codesign.flow.samples import Part
from codesign.network.network import FloatNetwork
from codesign.network.precision import choose_widths, errors
from codesign.network.sensitivity import WHAT, Probe, Sensitivity, sensitivity
from codesign.network.widths import layers, weight_counts, with_widths

_ANY_INTERVAL = sys.float_info.max


@dataclass(frozen=True, slots=True, eq=False)
class Widened:
    """A network with the widths that it is to get, and what was measured on the way."""

    network: FloatNetwork
    sensitivity: Sensitivity | None = None
    note: str = ""


def with_asked_widths(
    network: FloatNetwork, asked: Asked, part: Part, say: Callable[[str], None]
) -> Widened:
    """Return the network with even widths, those of single layers, or the best of a budget.

    Args:
        network: the real weights; its graph has the even widths.
        asked: what is wanted.
        part: images to measure sensitivity on.
        say: what is told of the progress.

    Raises:
        InputError: a layer or tensor is not there.
        InfeasibleError: even the narrowest widths are beyond the budget.
    """
    request = asked.request
    network = with_widths(network, request.weights, request.activations)
    is_mixed = asked.target is not None or request.mean_weight_bits is not None
    if not (is_mixed or request.sensitivity):
        return Widened(network)
    names = layers(network.graph)
    say(f"measuring the sensitivity of {len(names)} layers on {len(part):,} images")
    what = WHAT if request.sensitivity else ("weights",)
    probe = Probe(_bits_to_try(request, is_mixed), request.scales, request.method)
    found = sensitivity(network, part.images, part.labels, probe, what)
    if not is_mixed:
        return Widened(network, found)
    known = {
        name: {bits: error for bits, error in own.items() if bits in _options(request, name)}
        for name, own in errors(found.weights).items()
    }
    if asked.target is None:
        assert request.mean_weight_bits is not None
        total = sum(weight_counts(network.graph).values())
        choice = choose_widths(network, known, request.mean_weight_bits * total)
        return Widened(with_widths(network, choice.options), found)
    say(f"choosing widths for {asked.target.board.name}")
    return _chosen_for(network, asked.target, known, found)


def _chosen_for(
    network: FloatNetwork,
    target: Target,
    known: Mapping[str, Mapping[int, float]],
    found: Sensitivity,
) -> Widened:
    """Return the widths of least error whose best design keeps the wish."""
    narrowest = with_widths(network, {name: min(own) for name, own in known.items()})
    answer = target.fit(narrowest.graph)
    clock_hz = max(target.clocks_hz)
    longest = target.longest_interval(clock_hz)
    budget = _ANY_INTERVAL if longest is None else float(longest)
    if not answer.feasible or answer.interval > budget:
        wish = ", ".join(constraint.text for constraint in target.constraints) or "fits"
        problem = f"{target.board.name}: {wish}: not even weights of the fewest bits will do"
        raise InfeasibleError(f"{problem}; {answer.advice()}")
    cost = interval_of_widths(network, target.board, clock_hz, target.tightened)
    choice = choose_widths(network, known, budget, cost)
    note = ""
    if choice.bound < choice.error:
        share = 1 - max(choice.bound, 0.0) / choice.error
        note = f"widths were searched for a limited time: at most {share:.0%} of their error is due"
    return Widened(with_widths(network, choice.options), found, note)


def _options(request: QuantiseRequest, name: str) -> tuple[int, ...]:
    """Return the bits that a layer's weights may get."""
    if name in request.weights:
        return (request.weights[name],)
    return tuple(range(LEAST_BITS, request.weight_bits + 1))


def _bits_to_try(request: QuantiseRequest, is_mixed: bool) -> tuple[int, ...]:
    """Return every width that a layer or a tensor may have."""
    wanted = {request.weight_bits, *request.weights.values()}
    if is_mixed:
        wanted |= set(range(LEAST_BITS, request.weight_bits + 1))
    if request.sensitivity:
        wanted |= {request.activation_bits, *request.activations.values()}
    return tuple(sorted(wanted))
