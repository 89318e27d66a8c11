"""The price of a network on its best hardware, without search or training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codesign.candidate import Target
from codesign.cost.estimate import estimate
from codesign.fit.settle import settle
from codesign.flow.model import load_model
from codesign.flow.prepare import target_for
from codesign.flow.sections import Hardware
from codesign.flow.settings import QUANTITIES, split_wishes
from codesign.load import build, override
from codesign.network.graph import Graph
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


def price_model(model: str, arguments: Iterable[str]) -> tuple[Findings, list[str]]:
    """Fit and price a model.

    A float model gets the requested widths; a quantised one has its own.

    Args:
        model: the ONNX file, or the name of a reference network.
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
    network = load_model(
        model,
        weight_bits=request.weight_bits,
        activation_bits=request.activation_bits,
        notes=notes,
    )
    return priced(network.graph, target, f"{Path(model).name} on {target.board.name}"), notes


def priced(graph: Graph, target: Target, title: str) -> Findings:
    """Fit a graph under a wish, and return the price of its best design."""
    answer = target.fit(graph)
    design, timing = settle(answer.design) if answer.feasible else (answer.design, None)
    return Findings(
        title=title,
        design=design,
        estimate=estimate(design, timing),
        fit=FitSummary.of(answer, None if answer.feasible else target.diagnose(graph)),
        timing=timing,
        wish=target.constraints,
    )
