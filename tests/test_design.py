"""Wiring: every stream has two ends that agree, and what joins engines is what they need."""

from __future__ import annotations

import numpy as np
import pytest
from cases import MIXED, USUAL, random_design, random_graph, signed, unsigned

from codesign.design import MIN_FIFO_DEPTH, Design
from codesign.fit.options import template_of
from codesign.hardware.board import Board
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.ops.add import Add
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.dense import Dense
from codesign.network.windows import Window

POINT = Window((1, 1))


def design_of(graph: Graph, widths: dict[str, tuple[int, int]]) -> Design:
    """Return a design with these (input, output) lanes; additions have the first only."""
    engines = {}
    for node in graph:
        inputs = graph.inputs(node)
        template = template_of(node, inputs)
        lanes_in, lanes_out = widths[node.name]
        knobs = template.space(node, inputs).at(0)
        knobs |= (
            {"pe": lanes_in} if isinstance(node.op, Add) else {"pe": lanes_out, "simd": lanes_in}
        )
        engines[node.name] = template.of(node, inputs, knobs)  # type: ignore[arg-type]
    return Design(graph, Board.load("zcu104"), 200e6, engines)


def two_layers() -> Graph:
    maps = unsigned(8, 2, 2)
    nodes = (
        Node("first", Conv2d(4, 8, POINT, 4), (INPUT,), maps),
        Node("second", Conv2d(8, 4, POINT, 4), ("first",), unsigned(4, 2, 2)),
    )
    return Graph("two", unsigned(4, 2, 2), nodes)


def names(design: Design) -> list[str]:
    return [instance.name for instance in design.instances]


def test_equal_widths_need_nothing_between() -> None:
    design = design_of(two_layers(), {"first": (4, 8), "second": (8, 1)})
    assert names(design) == ["receive", "first_matrix", "second_matrix", "send"]
    assert [(f.name, f.source, f.sink) for f in design.fifos] == [
        ("first_in", "receive", "first_matrix"),
        ("second_in", "first_matrix", "second_matrix"),
        ("send_in", "second_matrix", "send"),
    ]


def test_different_widths_are_resized() -> None:
    design = design_of(two_layers(), {"first": (2, 4), "second": (8, 2)})
    assert names(design) == [
        "receive",
        "first_resize",
        "first_matrix",
        "second_resize",
        "second_matrix",
        "send_resize",
        "send",
    ]
    fifos = {fifo.name: fifo for fifo in design.fifos}
    assert [(n, int(f.stream.lanes), int(f.stream.words)) for n, f in fifos.items()] == [
        ("first_resize_in", 4, 4),
        ("first_in", 2, 8),
        ("second_resize_in", 4, 8),
        ("second_in", 8, 4),
        ("send_resize_in", 2, 8),
        ("send_in", 1, 16),
    ]
    assert fifos["second_in"].tensor == fifos["second_resize_in"].tensor == "first"


@pytest.mark.parametrize("readers", [2, 3])
def test_forks_serve_every_reader(readers: int) -> None:
    maps = unsigned(2, 2, 2)
    nodes = [Node("start", Conv2d(2, 2, POINT, 4), (INPUT,), maps)]
    last = "start"
    for number in range(readers - 1):
        nodes.append(Node(f"sum{number}", Add(3), (last, "start"), maps))
        last = f"sum{number}"
    graph = Graph("forked", maps, tuple(nodes))
    design = design_of(graph, {node.name: (2, 2) for node in graph})
    forks = [i for i in design.instances if i.process.kind == "fork"]
    assert len(forks) == len(graph.readers("start")) - 1
    assert len([f for f in design.fifos if f.tensor == "start" and "fork" not in f.sink]) == readers


def test_a_window_and_its_matrix_are_joined_inside_the_layer() -> None:
    maps = unsigned(2, 4, 4)
    node = Node("conv", Conv2d(2, 2, Window((3, 3)), 4), (INPUT,), unsigned(2, 2, 2))
    design = design_of(Graph("one", maps, (node,)), {"conv": (2, 2)})
    assert [i.name for i in design.layer("conv")] == ["conv_window", "conv_matrix"]
    (inner,) = (f for f in design.fifos if f.source == "conv_window")
    assert (inner.name, inner.sink) == ("conv_window_out", "conv_matrix")


def test_depths_are_the_minimum_or_as_asked() -> None:
    plain = design_of(two_layers(), {"first": (4, 8), "second": (8, 1)})
    assert {fifo.depth for fifo in plain.fifos} == {MIN_FIFO_DEPTH}
    deeper = Design(plain.graph, plain.board, plain.clock_hz, plain.engines, {"second_in": 9})
    assert [fifo.depth for fifo in deeper.fifos] == [2, 9, 2]


def test_what_does_not_belong_is_refused() -> None:
    plain = design_of(two_layers(), {"first": (4, 8), "second": (8, 1)})
    parts = (plain.graph, plain.board, plain.clock_hz)
    with pytest.raises(ValueError, match=r"no FIFO is called \['third_in'\]"):
        Design(*parts, plain.engines, {"third_in": 4})
    with pytest.raises(ValueError, match=r"one engine per node; check \['second'\]"):
        Design(*parts, {"first": plain.engines["first"]})


@pytest.mark.parametrize("seed", range(30))
def test_every_stream_has_two_ends_that_agree(seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds = MIXED if seed % 2 else USUAL
    design = random_design(random_graph(random, layers=5, kinds=kinds), random)
    place = {instance.name: number for number, instance in enumerate(design.instances)}
    by_name = {instance.name: instance for instance in design.instances}
    assert len(place) == len(design.instances)
    for fifo in design.fifos:
        source, sink = by_name[fifo.source], by_name[fifo.sink]
        assert place[fifo.source] < place[fifo.sink]
        written = source.structure.writes[source.writes.index(fifo.name)]
        read = sink.structure.reads[sink.reads.index(fifo.name)]
        assert written == fifo.stream
        assert (read.lanes, read.bits, read.signed, read.words) == (
            written.lanes,
            written.bits,
            written.signed,
            written.words,
        )
        tensor = design.graph.tensor(fifo.tensor)
        if not fifo.name.endswith("_out"):  # between an engine's processes
            assert int(written.words * written.lanes) == tensor.elements
    ports = [name for i in design.instances for name in (*i.reads, *i.writes)]
    outside = ["input_stream", *(port for send in design.sends for port in send.writes)]
    assert sorted(ports) == sorted(
        [*(f.name for f in design.fifos), *(f.name for f in design.fifos), *outside]
    )


def test_a_dense_layer_reads_a_map_in_any_width() -> None:
    node = Node("dense", Dense(12, 2, 4), (INPUT,), signed(2, bits=20), 0)
    graph = Graph("flat", unsigned(3, 2, 2), (node,))
    design = design_of(graph, {"dense": (4, 1)})
    assert names(design) == ["receive", "dense_resize", "dense_matrix", "send"]
