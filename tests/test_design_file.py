"""Design files: what is written is what is read, and an edit is checked against the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import random_design, random_graph, single
from contract import whole_design
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.fit.options import template_of
from codesign.flow.design_file import from_tree, to_tree
from codesign.hardware.processes.window import Window as Patches
from codesign.hardware.structure import Arithmetic
from codesign.load import read_yaml, yaml_text
from codesign.network.graph import INPUT, Graph, Node
from codesign.network.op import Op
from codesign.network.ops.conv2d import Conv2d
from codesign.network.ops.conv_transpose2d import ConvTranspose2d
from codesign.network.ops.dense import Dense
from codesign.network.ops.pool2d import Pool2d
from codesign.network.tensor import Tensor
from codesign.network.windows import Window

GRAPH = Graph(
    "small",
    Tensor((4, 6, 6), 4, signed=False),
    (
        Node("conv0", Conv2d(4, 6, Window((3, 3)), 4), (INPUT,), Tensor((6, 4, 4), 4, False), 1),
        Node("dense0", Dense(96, 10, 4), ("conv0",), Tensor((10,), 24, True), 0),
    ),
)


def tree() -> dict[str, Any]:
    """A design of `GRAPH` as plain data, to be edited."""
    return to_tree(random_design(GRAPH, np.random.default_rng(3)), "zcu104")


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_a_design_survives_its_file(seed: int) -> None:
    random = np.random.default_rng(seed)
    graph = random_graph(random)
    design = random_design(graph, random)
    depths = {fifo.name: 3 + n for n, fifo in enumerate(design.fifos) if random.integers(2)}
    design = type(design)(graph, design.board, design.clock_hz, design.engines, depths)
    text = yaml_text(to_tree(design, "zcu104"))
    path = Path("/nowhere/design.yaml")
    from codesign.load.text import parse

    assert from_tree(parse(text, "text"), graph, str(path)) == design


def test_the_file_reads_as_a_person_writes(tmp_path: Path) -> None:
    (tmp_path / "design.yaml").write_text(yaml_text(tree()))
    data = read_yaml(tmp_path / "design.yaml")
    assert data["clock_mhz"] == 200
    assert data["engines"]["conv0"]["arithmetic"] in {kind.name.lower() for kind in Arithmetic}
    assert isinstance(data["engines"]["conv0"]["pe"], int)


@pytest.mark.parametrize("pe", [1, 2, 3, 6])
def test_a_legal_knob_reaches_the_engine(pe: int) -> None:
    data = tree()
    data["engines"]["conv0"]["pe"] = pe
    assert from_tree(data, GRAPH, "design.yaml").engines["conv0"].output_lanes == pe


def test_a_clock_of_the_board_is_taken() -> None:
    assert from_tree(tree() | {"clock_mhz": 300}, GRAPH, "design.yaml").clock_hz == 300e6


EDITS: list[tuple[tuple[str, ...], object, list[str]]] = [
    (("engines", "conv0", "pe"), 4, ["engines.conv0.pe: cannot be 4", "legal values: 1, 2, 3, 6"]),
    (("engines", "conv0", "pe"), 4, ["nearest legal: 3 below, 6 above"]),
    (("engines", "conv0", "pe"), 0, ["cannot be 0", "nearest legal: 1 above"]),
    (("engines", "conv0", "simd"), 999, ["simd: cannot be 999", "nearest legal: 4 below"]),
    (("engines", "conv0", "pe"), True, ["engines.conv0.pe"]),
    (("engines", "conv0", "pe"), 2.5, ["engines.conv0.pe", "2.5"]),
    (("engines", "conv0", "arithmetic"), "gpu", ["cannot be gpu", "legal values: lut, dsp"]),
    (("engines", "conv0", "ep"), 2, ["engines.conv0.ep: is no knob", "did you mean pe"]),
    (("engines", "conv0"), {"pe": 1}, ["engines.conv0.arithmetic: is missing", "lut, dsp"]),
    (("engines", "conv1"), {"pe": 1}, ["engines.conv1: is no layer", "did you mean conv0"]),
    (("engines", "conv0"), 3, ["engines.conv0", "keys and values"]),
    (("fifo_depths", "conv9_in"), 9, ["fifo_depths", "conv9_in"]),
    (("fifo_depths", "conv0_in"), 1, ["fifo_depths.conv0_in", "at least 2"]),
    (("fifo_depths", "conv0_in"), "deep", ["fifo_depths.conv0_in", "must be an integer"]),
    (("clock_mhz",), 123, ["clock_mhz: zcu104 has no clock of 123", "100, 150, 200, 250, 300"]),
    (("clock_mhz",), 0, ["clock_mhz: zcu104 has no clock of 0"]),
    (("clock_mhz",), "fast", ["clock_mhz", "must be a number"]),
    (("clock",), 200, ["clock: is no key", "did you mean clock_mhz"]),
    (("board",), "zcu105", ["has no 'zcu105'", "did you mean zcu104"]),
    (("schema",), 2, ["schema: must be 1, got 2"]),
]


@pytest.mark.parametrize(("keys", "value", "words"), EDITS, ids=[".".join(e[0]) for e in EDITS])
def test_a_wrong_edit_names_the_place_and_what_is_legal(
    keys: tuple[str, ...], value: object, words: list[str]
) -> None:
    data = tree()
    section = data
    for key in keys[:-1]:
        section = section[key]
    section[keys[-1]] = value
    with pytest.raises(InputError) as caught:
        from_tree(data, GRAPH, "best/design.yaml")
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_engine_that_is_left_out_is_missed() -> None:
    data = tree()
    del data["engines"]["dense0"]
    with pytest.raises(InputError, match=r"dense0\.arithmetic: is missing; legal values: lut, "):
        from_tree(data, GRAPH, "design.yaml")


WINDOW = Window((3, 3), (1, 1), (1, 1, 1, 1))
WINDOWED = (
    (Conv2d(4, 4, WINDOW, 4), "conv2d"),
    (Conv2d(4, 4, WINDOW, 4, 4), "depthwise2d"),
    (Conv2d(4, 4, WINDOW, 4, 2), "grouped2d"),
    (ConvTranspose2d(4, 4, WINDOW, 4), "conv_transpose2d"),
    (Pool2d("max", WINDOW), "pool2d"),
    (Pool2d("average", WINDOW, counts_padding=False), "average2d"),
)


@pytest.mark.parametrize(("op", "kind"), WINDOWED, ids=[kind for _, kind in WINDOWED])
def test_a_file_from_before_positions_loads_with_one_position_a_cycle(op: Op, kind: str) -> None:
    source = Tensor((4, 6, 6), 4, signed=False)
    node = Node("layer", op, (INPUT,), Tensor((4, 6, 6), 4, False), 1)
    graph = Graph("old", source, (node,))
    assert template_of(node, (source,)).__module__.endswith(f".{kind}")
    data = to_tree(random_design(graph, np.random.default_rng(1)), "zcu104")
    older = dict(data["engines"]["layer"])
    for knob in ("positions", "activation", "pixels"):
        older.pop(knob, None)
    data["engines"]["layer"] = older
    data["fifo_depths"] = {}
    engine = from_tree(data, graph, "design.yaml").engines["layer"]
    assert engine.positions == 1  # type: ignore[attr-defined]
    assert isinstance(engine.processes()[0], Patches)
    # and says so when it is written again
    written = to_tree(from_tree(data, graph, "design.yaml"), "zcu104")["engines"]["layer"]
    assert written == older | {"positions": 1} | _later(written)


def _later(written: dict[str, Any]) -> dict[str, object]:
    """Return what else engines did before there was a knob for it, where there is one."""
    before: dict[str, object] = {"activation": "multiplier", "pixels": 1}
    return {knob: value for knob, value in before.items() if knob in written}


def test_knobs_that_are_legal_alone_may_not_be_so_together() -> None:
    source = Tensor((1024, 2, 2), 8, signed=False)
    wide = Conv2d(1024, 64, Window((1, 1)), 8)
    graph = Graph("wide", source, (Node("conv0", wide, (INPUT,), Tensor((64, 2, 2), 32, True), 0),))
    data = to_tree(random_design(graph, np.random.default_rng(0)), "zcu104")
    data["engines"]["conv0"] |= {"pe": 64, "simd": 1024, "weight_storage": "bram"}
    with pytest.raises(InputError, match=r"design\.yaml: engines\.conv0: ") as caught:
        from_tree(data, graph, "design.yaml")
    # 4,096 multipliers are the most that an engine has
    assert "pe 64 and simd 1024" in str(caught.value)
    assert "the others kept: simd 64 below" in str(caught.value)
    assert "pe" not in str(caught.value).partition("kept:")[2]
    for change in ({"simd": 8}, {"simd": 128, "pe": 4}):
        edited = data["engines"]["conv0"] | change
        engines = from_tree(data | {"engines": {"conv0": edited}}, graph, "design.yaml").engines
        assert bool(engines["conv0"].legal())


def test_several_groups_at_once_want_all_of_their_inputs() -> None:
    op = Conv2d(8, 4, Window((1, 1)), 4, groups=2)
    source = Tensor((8, 2, 2), 4, signed=False)
    graph = Graph("groups", source, (Node("conv0", op, (INPUT,), Tensor((4, 2, 2), 4, True)),))
    data = to_tree(random_design(graph, np.random.default_rng(0)), "zcu104")
    data["engines"]["conv0"] |= {"pe": 4, "simd": 2}
    with pytest.raises(InputError, match="several groups at once without all of their inputs") as e:
        from_tree(data, graph, "design.yaml")
    assert "legal, the others kept: pe 2 below or simd 4 above" in str(e.value)


def test_packing_that_a_board_cannot_multiply_is_refused() -> None:
    source = Tensor((12,), 8, signed=False)
    graph = single(Dense(12, 4, 8), source, 8, True, 1)
    point = {"pe": 4, "simd": 6, "arithmetic": Arithmetic.PACKED_WIDE, "weight_storage": 0}
    data = to_tree(whole_design(graph, {"node": point}), "zcu104")
    assert from_tree(data, graph, "design.yaml").engines["node"].output_lanes == 4
    with pytest.raises(InputError, match=r"engines.node.arithmetic: needs a factor of 27 bits.*25"):
        from_tree(data | {"board": "pynq_z2", "clock_mhz": 100}, graph, "design.yaml")
