"""What any run of a process must agree with: its own structure, and what was expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import hls
import numpy as np

from codesign.cost.pipeline import schedule
from codesign.design import Design, Instance
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.hardware.structure import Role, Structure
from codesign.network.graph import Graph


def check_run(run: hls.Run, outcome: hls.Outcome) -> None:
    """Compare one engine's run with its structure and with the reference."""
    for place, instance in enumerate(run.instances):
        structure = instance.structure
        check_counts(run, instance, structure, outcome)
        reads, writes = schedule(structure)
        for port, got in zip(reads, outcome.reads[place], strict=True):
            assert np.array_equal(got, np.tile(port, run.images)), f"reads of {run.label}"
        for got in outcome.writes[place]:
            assert np.array_equal(got, np.tile(writes, run.images)), f"writes of {run.label}"
        for stream, words in zip(structure.writes, outcome.words[place], strict=True):
            assert len(words) == int(stream.words) * run.images, f"{stream} of {run.label}"
    for expected, got in zip(run.expected, outcome.words[-1], strict=True):
        assert np.array_equal(got, expected), run.label


def check_counts(
    run: hls.Run, instance: Instance, structure: Structure, outcome: hls.Outcome
) -> None:
    """Compare counted trips and multiplications with the declared ones."""
    declared = {"trips": int(structure.loop.trips)}
    groups = structure.multipliers
    declared |= {group.name: int(group.multiplications * group.uses) for group in groups}
    counted = {
        what: count // run.images
        for (name, what), count in ((key.split(), n) for key, n in outcome.counts.items())
        if name == instance.name and what != "loads"
    }
    loads = sum(int(load.loop.trips) for load in structure.loads if load.when)
    once = outcome.counts.get(f"{instance.name} loads", 0)
    assert once == loads, run.label
    assert counted == declared, run.label
    assert all(
        count % run.images == 0
        for name, count in outcome.counts.items()
        if not name.endswith(" loads")
    ), run.label


def check_declarations(run: hls.Run) -> None:
    """Find every priced buffer in the C++, with its size, and none that is not there."""
    for instance, learned in zip(run.instances, run.learned, strict=True):
        text = hls.process_source(instance, learned)
        structure = instance.structure
        for buffer in structure.buffers:
            size = buffer.lanes if buffer.role is Role.REGISTER else buffer.words
            size = f"{buffer.copies}][{size}" if buffer.copies else size
            declared = f" {buffer.name}[{size}]" in text
            assert declared == bool(buffer.when), f"{buffer} of {run.label}"
            if buffer.role is Role.CONSTANT:
                # C++ would fill up a table that is too short with zeros
                table = run.tables[f"{instance.name}_{buffer.name}"]
                rows = (
                    (buffer.copies, buffer.words) if buffer.copies else (buffer.words, buffer.lanes)
                )
                assert table.shape == rows, f"{buffer} of {run.label}"
        loads = [load for load in structure.loads if load.when]
        assert text.count("PIPELINE II=") == 1 + len(loads)
        assert text.count("static bool loaded = false;") == bool(loads)
        assert f"PIPELINE II={structure.loop.ii}" in text


def at(value: Any, number: int, points: int | tuple[int, ...]) -> Any:
    """Return point `number` of every array in a tree of dataclasses; `points` is their shape."""
    if isinstance(value, np.ndarray):
        return np.broadcast_to(value, points).flat[number].item()
    if isinstance(value, tuple):
        return tuple(at(item, number, points) for item in value)
    if isinstance(value, dict):
        return {key: at(item, number, points) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: at(getattr(value, f.name), number, points) for f in fields(value)}
        return type(value)(**parts)
    return value


def whole_design(
    graph: Graph, knobs: Mapping[str, Mapping[str, int]] | None = None, board: str = "zcu104"
) -> Design:
    """Return a design with the first point of every space, but for the named knobs."""
    engines = {}
    for node in graph:
        inputs = graph.inputs(node)
        template = template_of(node, inputs)
        point = template.space(node, inputs).at(0) | dict((knobs or {}).get(node.name, {}))
        engines[node.name] = template.of(node, inputs, point)  # type: ignore[arg-type]
    return Design(graph, Board.load(board), 200e6, engines)
