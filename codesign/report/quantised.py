"""What became of a model's layers as integers, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log10
from typing import Any

from codesign.network.network import Network
from codesign.network.sensitivity import Loss, Sensitivity
from codesign.network.serialize import digest
from codesign.network.widths import weight_bits, weight_counts
from codesign.report.columns import columns
from codesign.report.explain import verdict, wish_text
from codesign.report.findings import Findings
from codesign.report.inspection import operator_text
from codesign.report.quantities import count, percent, shown

_HEADS = ("layer", "from", "operator", "weights", "output", "sums", "weights alone", "output alone")
_OPTIONAL = ("from", "weights alone", "output alone")
_RIGHT = ("weights", "output", "sums", "weights alone", "output alone")
_FLOAT_BITS = 32


@dataclass(frozen=True, slots=True)
class Comparison:
    """The integers' answers beside those of the real weights, on the same images."""

    images: int
    of: int
    """Images there were to measure on."""
    apart: bool
    """Whether they are others than the scales were chosen on."""
    noise: Mapping[str, float]
    """By output: the mean squared error, by the mean square of the real answers."""
    agreement: float | None = None
    """Share of images for which both give the same class, where the answer is classes."""
    accuracies: tuple[float, float] | None = None
    """Of the real weights, and of the integers, where classes are known."""


@dataclass(frozen=True, slots=True)
class Written:
    """The file that was written, and read back as the identical network."""

    path: str
    form: str
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A network in integers, how it came about, and what it is worth."""

    network: Network
    how: str
    comparison: Comparison
    origins: Mapping[str, str]
    """Which ONNX node each layer came from, as far as known."""
    notes: tuple[str, ...] = ()
    sensitivity: Sensitivity | None = None
    findings: Findings | None = None
    """What it costs on a board, where one was asked for."""
    written: Written | None = None

    @property
    def mean_weight_bits(self) -> float:
        """Mean width of all weights."""
        return weight_bits(self.network.graph) / max(1, self.weights)

    @property
    def weights(self) -> int:
        """Number of all weights."""
        return sum(weight_counts(self.network.graph).values())

    @property
    def wish_met(self) -> bool:
        """Whether the board holds it and no constraint is known to be missed."""
        return self.findings is None or (self.findings.fits and self.findings.wish_met)


def quantised_json(found: Quantised) -> dict[str, Any]:
    """Return everything as plain values."""
    graph, compared, findings = found.network.graph, found.comparison, found.findings
    layers = []
    for node in graph:
        weights, output = _losses(found, node.name)
        layers.append(
            {
                "name": node.name,
                "from": found.origins.get(node.name, ""),
                "operator": operator_text(node.op),
                "weight_bits": node.op.weight_bits if node.op.has_bias else None,
                "output_bits": node.output.bits,
                "output_signed": node.output.signed,
                "accumulator_bits": node.accumulator_bits,
                "weights_alone": None if weights is None else asdict(weights),
                "output_alone": None if output is None else asdict(output),
            }
        )
    return {
        "name": graph.name,
        "how": found.how,
        "input_bits": graph.input.bits,
        "input_signed": graph.input.signed,
        "layers": layers,
        "weights": found.weights,
        "mean_weight_bits": found.mean_weight_bits,
        "images": compared.images,
        "images_apart": compared.apart,
        "snr_db": {name: decibels(noise) for name, noise in compared.noise.items()},
        "agreement": compared.agreement,
        "accuracy": None
        if compared.accuracies is None
        else dict(zip(("float", "integer"), compared.accuracies, strict=True)),
        "board": None if findings is None else findings.board.name,
        "values": None if findings is None else findings.values,
        "wish_met": None if findings is None else found.wish_met,
        "notes": list(found.notes),
        "written": None if found.written is None else asdict(found.written),
        "digest": digest(found.network),
    }


def quantised_text(found: Quantised) -> str:
    """Return the layers as a table, and below it what the whole of them is worth."""
    lines = [_table(found), ""]
    lines += [f"{label:<11} {text}" for label, text in _summary(found)]
    return "\n".join(lines)


def decibels(noise: float) -> float | None:
    """Return a signal-to-noise ratio from the noise by the signal; None if there is no noise."""
    return None if noise <= 0 else -10 * log10(noise)


def _summary(found: Quantised) -> list[tuple[str, str]]:
    compared = found.comparison
    total = weight_bits(found.network.graph)
    mean = f"{found.mean_weight_bits:.2f} bits in the mean"
    floats = f"{count(found.weights * _FLOAT_BITS // 8)} as floats"
    lines = [
        ("weights", f"{count(found.weights)} of {mean}: {count(-(-total // 8))} bytes, {floats}"),
        ("scales", found.how),
    ]
    where = f"{count(compared.images)} images"
    if compared.of > compared.images:
        where = f"{count(compared.images)} of {count(compared.of)} images"
    where += "" if compared.apart else ", those that the scales were chosen on"
    if compared.accuracies is not None:
        real, integer = compared.accuracies
        points = f"{100 * (integer - real):+.2f} points"
        shares = f"{percent(real, 2)} in floats, {percent(integer, 2)} in integers ({points})"
        lines.append(("accuracy", f"{shares}, on {where}"))
    if compared.agreement is not None:
        lines.append(("same class", f"{percent(compared.agreement, 2)} of {where}"))
    for name, noise in compared.noise.items():
        which = f" in '{name}'" if len(compared.noise) > 1 else ""
        lines.append(("noise", f"{_ratio(noise)}{which}, on {where}"))
    if found.sensitivity is not None:
        points = ", points of accuracy" if found.sensitivity.accuracy is not None else ""
        lines.append(("alone", f"what rounding only this costs: noise below the answers{points}"))
    lines += _hardware(found.findings)
    lines += [("note", note) for note in found.notes]
    if found.written is None:
        lines.append(("written", "nothing; --to FILE writes the model"))
    else:
        kind = f"{found.written.form}, {count(found.written.bytes)} bytes"
        lines.append(("written", f"{found.written.path} ({kind}); reads back identically"))
    return [*lines, ("digest", digest(found.network))]


def _ratio(noise: float) -> str:
    ratio = decibels(noise)
    return "none: answers are those of the floats" if ratio is None else f"{ratio:.1f} dB below"


def _hardware(findings: Findings | None) -> list[tuple[str, str]]:
    if findings is None:
        return []
    used = findings.values
    figures = ", ".join(shown(name, used[name]) for name in ("fps", "latency_s"))
    sizes = ", ".join(f"{count(round(used[n]))} {n.upper()}" for n in ("lut", "dsp", "bram18"))
    lines = [("hardware", f"{verdict(findings)}: {figures}, {sizes}")]
    met = {True: "met", False: "missed", None: "open"}
    return lines + [
        ("wish", f"{check.constraint.text} {met[check.met]}: {wish_text(check)}")
        for check in findings.wish_checks
    ]


def _table(found: Quantised) -> str:
    """Return one line per layer; columns of which nothing is known are left out."""
    rows = [_row(found, name) for name in (node.name for node in found.network.graph)]
    kept = [
        number
        for number, head in enumerate(_HEADS)
        if head not in _OPTIONAL or any(row[number] for row in rows)
    ]
    heads = [_HEADS[number] for number in kept]
    right = [number for number, head in enumerate(heads) if head in _RIGHT]
    return columns(heads, [[row[number] for number in kept] for row in rows], right)


def _row(found: Quantised, name: str) -> tuple[str, ...]:
    node = found.network.graph[name]
    weights, output = _losses(found, name)
    return (
        name,
        found.origins.get(name, ""),
        operator_text(node.op),
        str(node.op.weight_bits) if node.op.has_bias else "",
        f"{'s' if node.output.signed else 'u'}{node.output.bits}",
        str(node.accumulator_bits),
        _loss_text(weights, found.sensitivity),
        _loss_text(output, found.sensitivity),
    )


def _losses(found: Quantised, name: str) -> tuple[Loss | None, Loss | None]:
    """Return what rounding a layer's weights, and its output, costs alone, where measured."""
    if found.sensitivity is None:
        return None, None
    node = found.network.graph[name]
    weights = found.sensitivity.weights.get(name, {})
    outputs = found.sensitivity.activations.get(name, {})
    return weights.get(node.op.weight_bits), outputs.get(node.output.bits)


def _loss_text(loss: Loss | None, measured: Sensitivity | None) -> str:
    if loss is None or measured is None:
        return ""
    ratio = decibels(loss.error)
    text = "exact" if ratio is None else f"{ratio:.1f} dB"
    if loss.accuracy is None or measured.accuracy is None:
        return text
    return f"{text} {100 * (loss.accuracy - measured.accuracy):+.2f}"
