"""A design as a YAML file that a person can read and change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from codesign.cost.estimate import knobs
from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.errors import InputError, nearest
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.hardware.packing import WIDE_PORT
from codesign.hardware.structure import Arithmetic, Storage
from codesign.hardware.template import HardwareTemplate
from codesign.hardware.wire import legal_lanes
from codesign.load import Tree, build
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.tensor import Tensor
from codesign.space import Choice

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class _DesignFile:
    """What the file holds."""

    schema: int
    board: str
    clock_mhz: float
    engines: Mapping[str, Mapping[str, str | int]]
    fifo_depths: Mapping[str, int] = field(default_factory=dict)
    port_lanes: Mapping[str, int] = field(default_factory=dict)
    """Elements per cycle of the input and of outputs; those of files from before have 64 bits."""


def to_tree(design: Design, board: str) -> Tree:
    """Return a design as plain data; `board` is the name or path it is loaded by."""
    return {
        "schema": SCHEMA,
        "board": board,
        "clock_mhz": design.clock_hz / 1e6,
        "engines": {
            node.name: {
                k: int(v) if v.isdigit() else v for k, v in knobs(design, node.name).items()
            }
            for node in design.graph
        },
        "port_lanes": dict(design.port_lanes),
        "fifo_depths": dict(design.depths),
    }


def from_tree(data: Tree, graph: Graph, place: str) -> Design:
    """Return the design of `graph` that a file describes.

    Raises:
        InputError: a key, an engine or a knob is wrong; an illegal knob is answered with the
            legal values nearest to it.
    """
    checked = build(_DesignFile, data, place)
    if checked.schema != SCHEMA:
        raise InputError(f"{place}: schema", f"must be {SCHEMA}, got {checked.schema}")
    known = {node.name for node in graph}
    for name in checked.engines:
        if name not in known:
            raise InputError(f"{place}: engines.{name}", "is no layer", nearest(name, known))
    engines = {
        node.name: _engine(graph, node, checked.engines.get(node.name, {}), place) for node in graph
    }
    board = Board.load(checked.board)
    for name, engine in engines.items():
        _check_suits(engine, board, f"{place}: engines.{name}")
    clock_hz = board.clock_hz(checked.clock_mhz, f"{place}: clock_mhz")
    for name, depth in checked.fifo_depths.items():
        if depth < MIN_FIFO_DEPTH:
            problem = f"is at least {MIN_FIFO_DEPTH}, got {depth}"
            raise InputError(f"{place}: fifo_depths.{name}", problem)
    for name, lanes in checked.port_lanes.items():
        _check_port(graph, board, name, lanes, f"{place}: port_lanes.{name}")
    depths, port_lanes = checked.fifo_depths, checked.port_lanes
    try:
        return Design(graph, board, clock_hz, engines, depths, port_lanes)
    except ValueError as error:
        raise InputError(f"{place}: fifo_depths", str(error)) from error


def _check_port(graph: Graph, board: Board, name: str, lanes: int, where: str) -> None:
    """Refuse a port that is none, or that beats or the board's memory port cannot carry."""
    ports = (INPUT, *graph.outputs)
    if name not in ports:
        raise InputError(where, "is no port", nearest(name, ports))
    legal = legal_lanes(graph.tensor(name), board.port_bits)
    if lanes not in legal:
        listed = ", ".join(map(str, legal))
        remedy = f"nearest legal: {_around(legal, lanes)}; legal values: {listed}"
        raise InputError(where, f"cannot be {lanes}", remedy)


def _check_suits(engine: HardwareTemplate, board: Board, where: str) -> None:
    """Refuse an engine of parts that the board does not have."""
    if bool(engine.suits(board)):
        return
    if board.resources.uram == 0 and getattr(engine, "weight_storage", None) == Storage.URAM:
        problem, remedy = f"cannot be uram: {board.name} has none", "legal there: lutram, bram"
        raise InputError(f"{where}.weight_storage", problem, remedy)
    problem = f"needs a factor of {WIDE_PORT} bits; {board.name} has {board.dsp_width[0]}"
    remedy = f"legal there: {Arithmetic.PACKED.name.lower()}"
    raise InputError(f"{where}.arithmetic", problem, remedy)


def _engine(
    graph: Graph, node: Node, given: Mapping[str, str | int], place: str
) -> HardwareTemplate:
    inputs = graph.inputs(node)
    template = template_of(node, inputs)
    choices = {choice.name: choice for choice in template.space(node, inputs).choices}
    for knob in given:
        if knob not in choices:
            where = f"{place}: engines.{node.name}.{knob}"
            raise InputError(where, "is no knob of this engine", nearest(knob, choices))
    later = template.later_knobs()
    chosen: dict[str, int] = {}
    for name, choice in choices.items():
        where = f"{place}: engines.{node.name}.{name}"
        if name in given:
            chosen[name] = _value(choice, given[name], where)
        elif name in later:
            chosen[name] = later[name]
        else:
            raise InputError(where, "is missing", f"legal values: {_listed(choice)}")
    engine = template.of(node, inputs, chosen)
    if not bool(engine.legal()):
        raise InputError(
            f"{place}: engines.{node.name}",
            f"{_together(choices, chosen)} {template.illegal}",
            _legal_neighbours(template, node, inputs, choices, chosen),
        )
    return engine


def _together(choices: Mapping[str, Choice], chosen: Mapping[str, int]) -> str:
    """Return the folding of an engine in words: the knobs that count something."""
    counted = [f"{name} {chosen[name]}" for name, choice in choices.items() if _counts(choice)]
    return " and ".join(counted) or "its knobs"


def _legal_neighbours(
    template: type[HardwareTemplate],
    node: Node,
    inputs: tuple[Tensor, ...],
    choices: Mapping[str, Choice],
    chosen: Mapping[str, int],
) -> str:
    """Return, for every knob that alone could mend an engine, the nearest values that do."""
    found = []
    for name, choice in choices.items():
        if not _counts(choice):
            continue
        alone = [{**chosen, name: int(value)} for value in choice.values]
        legal = [knobs[name] for knobs in alone if bool(template.of(node, inputs, knobs).legal())]
        if legal:
            found.append(f"{name} {_around(legal, chosen[name])}")
    return "legal, the others kept: " + " or ".join(found) if found else "change several knobs"


def _value(choice: Choice, given: str | int, where: str) -> int:
    """Return the knob's value that a file names."""
    for value in choice.values:
        if given in (_shown(value), value) and not isinstance(given, bool):
            return value if isinstance(value, int) else int(value)  # an IntEnum keeps its name
    problem = f"cannot be {given}"
    remedy = f"legal values: {_listed(choice)}"
    if _counts(choice) and isinstance(given, int) and not isinstance(given, bool):
        numbers = [int(value) for value in choice.values]
        remedy = f"nearest legal: {_around(numbers, given)}; {remedy}"
    raise InputError(where, problem, remedy)


def _counts(choice: Choice) -> bool:
    """Whether a knob's values are numbers with neighbours, not names."""
    return all(isinstance(value, int) and not isinstance(value, IntEnum) for value in choice.values)


def _around(legal: Sequence[int], given: int) -> str:
    """Return the legal numbers next to one that is not, e.g. "4 below, 8 above"."""
    below = [value for value in legal if value < given]
    above = [value for value in legal if value > given]
    sides = [(max(below), "below")] if below else []
    sides += [(min(above), "above")] if above else []
    return ", ".join(f"{value} {side}" for value, side in sides)


def _listed(choice: Choice) -> str:
    return ", ".join(str(_shown(value)) for value in choice.values)


def _shown(value: object) -> object:
    return value.name.lower() if isinstance(value, IntEnum) else value
