"""What rounding one layer, or one tensor, to so many bits costs on its own.

All else stays real, so that costs can be told apart and, being small, be added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from codesign.errors import InputError
from codesign.network.floats import Floats, answer, batches, walk_floats
from codesign.network.histogram import Histogram, float_type, observe
from codesign.network.network import FloatNetwork, FloatParameters
from codesign.network.scales import (
    Kind,
    Method,
    has_channel_scales,
    weight_range,
    weight_steps,
)
from codesign.network.tensor import Tensor
from codesign.network.widths import activations, layers

Measure = Literal["noise", "divergence"]
"""`noise`: mean squared error of the outputs by their mean square; `divergence`: of the softmax of
the scores, Kullback and Leibler's [nat]."""

WHAT = ("weights", "activations")


@dataclass(frozen=True, slots=True)
class Probe:
    """What is tried, and how its cost is measured."""

    bits: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
    scales: Kind = "power_of_two"
    method: Method = field(default_factory=Method)
    """Its calibration rounds activations; equalisation and bias correction are left out."""
    measure: Measure = "noise"

    def __post_init__(self) -> None:
        if not self.bits or not all(2 <= bits <= 16 for bits in self.bits):
            raise ValueError(f"bits are 2 to 16, not {self.bits}")
        if self.measure not in ("noise", "divergence"):
            raise ValueError(f"a measure is noise or divergence, not '{self.measure}'")


@dataclass(frozen=True, slots=True)
class Loss:
    """What one width of one layer, or of one tensor, costs."""

    error: float
    """As measured by the probe."""
    accuracy: float | None = None
    """Share of the labels that are still predicted, where labels were given."""


Losses = Mapping[str, Mapping[int, Loss]]
"""Loss by name and bits."""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """Losses of rounding weights (by layer) and activations (by tensor) alone."""

    weights: Losses
    activations: Losses
    accuracy: float | None
    """Of the real network."""


def sensitivity(
    network: FloatNetwork,
    images: NDArray[np.floating],
    labels: NDArray[np.integer] | None = None,
    probe: Probe | None = None,
    what: Sequence[str] = WHAT,
) -> Sensitivity:
    """Measure what every width of every layer, and of every tensor, costs alone.

    Args:
        network: the real weights.
        images: `N x` the input's shape.
        labels: the classes of the images, `[N]`; with them accuracies are measured, too.
        probe: the widths to try, and the measure.
        what: "weights", "activations" or both.

    Raises:
        InputError: there are no images, not as many labels, or values are not finite.
    """
    if labels is not None and len(labels) != len(images):
        problem = f"{len(images)} images were given {len(labels)} labels"
        raise InputError(network.graph.name, problem)
    probe, seen = probe or Probe(), observe(network, images)
    tallies: dict[_Key, _Tally] = {}
    whole, start = _Tally(), 0
    for batch in batches(network.graph, images, holds_all=True):
        own = None if labels is None else labels[start : start + len(batch)]
        start += len(batch)
        real = dict(walk_floats(network, batch, float_type(seen.values())))
        right = {name: real[name] for name in network.graph.outputs}
        whole.add(right, right, own)
        for key, value in _tried(network, real, seen, probe, what):
            outputs = _after(network, real, key.name, value)
            tallies.setdefault(key, _Tally()).add(right, outputs, own)
    losses: dict[str, dict[str, dict[int, Loss]]] = {kind: {} for kind in WHAT}
    for key, tally in tallies.items():
        losses[key.what].setdefault(key.name, {})[key.bits] = tally.loss(probe.measure)
    return Sensitivity(**losses, accuracy=whole.loss(probe.measure).accuracy)


@dataclass(frozen=True, slots=True)
class _Key:
    """What was rounded."""

    what: str
    name: str
    bits: int


def _tried(
    network: FloatNetwork,
    real: Mapping[str, Floats],
    seen: Mapping[str, Histogram],
    probe: Probe,
    what: Sequence[str],
) -> Iterator[tuple[_Key, Floats]]:
    """Yield what a node, or the input, makes if it is rounded, and how it was rounded."""
    base = 1.0 if probe.scales == "power_of_two" else None
    for name in layers(network.graph) if "weights" in what else ():
        node = network.graph[name]
        sources = [real[source] for source in node.inputs]
        for bits in probe.bits:
            rounded = _with_rounded_weights(network, name, bits, probe)
            yield _Key("weights", name, bits), answer(rounded, node, sources)
    for name in activations(network.graph) if "activations" in what else ():
        values, declared = real[name], network.graph.tensor(name)
        for bits in probe.bits:
            tensor = Tensor(declared.shape, bits, declared.signed)
            step = 1.0
            if not seen[name].is_zero:
                step = probe.method.calibration.step(seen[name], tensor, base)
            steps = np.clip(np.rint(values / step), tensor.low, tensor.high)
            yield _Key("activations", name, bits), (steps * step).astype(values.dtype)


def _with_rounded_weights(
    network: FloatNetwork, name: str, bits: int, probe: Probe
) -> FloatNetwork:
    """Return the network with the real values of one layer's integer weights."""
    own, node = network.parameters[name], network.graph[name]
    split = has_channel_scales(node, probe.scales, probe.method)
    base = 1.0 if probe.scales == "power_of_two" else None
    steps = weight_steps(own.weights, bits, base, split)
    steps = np.where(steps > 0, steps, 1.0).reshape(-1, *(1,) * (own.weights.ndim - 1))
    weights = np.clip(np.rint(own.weights / steps), *weight_range(bits)) * steps
    return replace(network, parameters={name: FloatParameters(weights, own.bias)})


def _after(
    network: FloatNetwork, real: Mapping[str, Floats], name: str, value: Floats
) -> dict[str, Floats]:
    """Return the outputs if `name` makes `value`, and all that does not read it stays real."""
    changed = {name: value}
    for node in network.graph:
        if node.name != name and not changed.keys().isdisjoint(node.inputs):
            sources = [changed.get(source, real[source]) for source in node.inputs]
            changed[node.name] = answer(network, node, sources)
    return {output: changed.get(output, real[output]) for output in network.graph.outputs}


class _Tally:
    """Errors and right answers, counted over batches."""

    def __init__(self) -> None:
        self._noise: dict[str, float] = {}
        self._signal: dict[str, float] = {}
        self._divergence = 0.0
        self._images = 0
        self._right: int | None = None

    def add(
        self,
        wanted: Mapping[str, Floats],
        found: Mapping[str, Floats],
        labels: NDArray[np.integer] | None,
    ) -> None:
        """Count one batch of outputs, the first of which are the scores."""
        for name, values in wanted.items():
            before, after = (
                v.reshape(len(v), -1).astype(np.float64) for v in (values, found[name])
            )
            self._noise[name] = self._noise.get(name, 0.0) + float(((after - before) ** 2).sum())
            self._signal[name] = self._signal.get(name, 0.0) + float((before**2).sum())
            logs = log_softmax(before, axis=1), log_softmax(after, axis=1)
            self._divergence += float((np.exp(logs[0]) * (logs[0] - logs[1])).sum())
        scores = next(iter(found.values()))
        self._images += len(scores)
        if labels is not None:
            right = scores.reshape(len(scores), -1).argmax(axis=1) == labels
            self._right = (self._right or 0) + int(right.sum())

    def loss(self, measure: Measure) -> Loss:
        """Return the loss over all batches."""
        accuracy = None if self._right is None else self._right / self._images
        if measure == "divergence":
            return Loss(self._divergence / self._images, accuracy)
        return Loss(
            sum(noise / (self._signal[name] or 1.0) for name, noise in self._noise.items()),
            accuracy,
        )


def _rows(values: Floats) -> Floats:
    return values.reshape(len(values), -1).astype(np.float64)
