"""The price of an ONNX model on its best hardware, without search or training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codesign.cost.estimate import estimate
from codesign.fit.settle import settle
from codesign.flow.prepare import target_for
from codesign.flow.settings import QUANTITIES, Hardware, split_wishes
from codesign.load import build, override
from codesign.network import onnx
from codesign.report.findings import Findings, FitSummary
from codesign.search.trial import Constraint


@dataclass(frozen=True, slots=True)
class PriceRequest:
    """What `codesign estimate` can be told."""

    board: str = "zcu104"
    weight_bits: int = 8
    activation_bits: int = 8
    wish: tuple[str, ...] = ()
    hardware: Hardware = field(default_factory=Hardware)

    def __post_init__(self) -> None:
        for name in ("weight_bits", "activation_bits"):
            if not 2 <= getattr(self, name) <= 8:
                raise ValueError(f"{name} is 2 to 8, got {getattr(self, name)}")


def price_model(model: Path, arguments: Iterable[str]) -> tuple[Findings, list[str]]:
    """Fit and price a model.

    A float model gets the requested widths; a quantised one has its own.

    Args:
        model: the ONNX file.
        arguments: `key=value` and `quantity>=bound`.

    Returns:
        what was found, and what a person should know about the import.

    Raises:
        InputError: the file, a key or a value is wrong.
        UnsupportedOperator: the model needs an operator that codesign lacks.
    """
    changes, wishes = split_wishes(arguments)
    data: Mapping[str, object] = override({}, changes, PriceRequest)
    request = build(PriceRequest, data, "command line")
    wish = tuple(Constraint.parse(text, "wish", QUANTITIES) for text in (*request.wish, *wishes))
    target = target_for(request.board, request.hardware, wish)
    notes: list[str] = []
    network = onnx.load(
        model,
        weight_bits=request.weight_bits,
        activation_bits=request.activation_bits,
        notes=notes,
    )
    answer = target.fit(network.graph)
    design, timing = settle(answer.design) if answer.feasible else (answer.design, None)
    findings = Findings(
        title=f"{model.name} on {design.board.name}",
        design=design,
        estimate=estimate(design, timing),
        fit=FitSummary.of(answer),
        timing=timing,
        wish=wish,
    )
    return findings, notes
