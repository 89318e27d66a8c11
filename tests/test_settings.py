"""Flows and the command line's changes: what resolves, what is refused, and in which words."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from codesign.accuracy.datasets.npz import Npz
from codesign.errors import InputError
from codesign.flow.goals import GOALS
from codesign.flow.sections import Search
from codesign.flow.settings import (
    QUANTITIES,
    Settings,
    load_settings,
    resolve,
    split_wishes,
)
from codesign.load import (
    member,
    names,
    read_yaml,
    resource_names,
    resource_path,
    yaml_text,
)
from codesign.search.formulation import Formulation
from codesign.search.formulations.scalarised import Scalarised
from codesign.search.formulations.two_stage import TwoStage
from codesign.search.strategies.random import Random
from codesign.search.strategy import Strategy

# What a flow leaves to the command line.
MISSING = {"onnx": ("network.model=model.onnx",)}


def load(*changes: str, flow: str = "quickstart") -> Settings:
    return load_settings(flow, changes)


@pytest.mark.parametrize("flow", resource_names("flows"))
def test_every_flow_resolves_and_says_all_that_it_depends_on(flow: str) -> None:
    settings = load_settings(flow, MISSING.get(flow, ()))
    again = resolve(settings.data, (), "again")
    assert again == settings
    assert again.data == settings.data
    for section, options in settings.options.items():
        for name, value in options.items():
            written = settings.data[section][name]
            assert written == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("flow", resource_names("flows"))
def test_a_resolved_flow_survives_its_file(flow: str, tmp_path: Path) -> None:
    changes = (
        *MISSING.get(flow, ()),
        "fps>=1e3",
        "accuracy >= 0.9",
        "hardware.ceilings={lut: 0.5}",
    )
    settings = load_settings(flow, changes)
    (tmp_path / "flow.yaml").write_text(yaml_text(settings.data))
    assert resolve(read_yaml(tmp_path / "flow.yaml"), (), "file") == settings


def test_a_flow_of_yesterday_keeps_its_meaning() -> None:
    today = load("training.calibration_images=77")
    training = {k: v for k, v in today.data["training"].items() if "calibration" not in k}
    yesterday = {**today.data, "training": {**training, "calibration": 77}}
    assert resolve(yesterday, (), "old") == today


def test_changes_are_applied_in_order_and_reach_their_member() -> None:
    settings = load("search.trials=5", "training.epochs=3", "search.trials=7", "board=pynq_z2")
    assert settings.search.trials == 7
    assert settings.board == "pynq_z2"
    assert settings.build_member("training").epochs == 3
    assert load().search.trials != 7, "a change must not reach the flow itself"


def test_a_section_may_be_named_by_its_member_alone() -> None:
    settings = load("dataset=npz", "dataset.path=data.npz", "search=random")
    assert settings.member("dataset") is Npz
    assert settings.member("search") is Random
    assert settings.options["dataset"]["path"] == "data.npz"


def test_another_member_does_not_inherit_options_but_keeps_what_is_codesigns() -> None:
    flow = load("search.population=20", "search.trials=9").data
    settings = resolve(flow, ["search=random"], "flow")
    assert settings.search.trials == 9
    assert "population" not in settings.data["search"]
    same = resolve(flow, ["search=nsga2"], "flow")
    assert same.options["search"]["population"] == 20


def test_a_formulation_brings_its_options_and_takes_them_along() -> None:
    changes = ["search.formulation=scalarised", "search.weights={latency_s: 0.2}"]
    flow = load(*changes, "search.trials=9").data
    assert resolve(flow, (), "flow").formulation == Scalarised(weights={"latency_s": 0.2})
    other = resolve(flow, ["search=random"], "flow")
    assert other.formulation == Scalarised(weights={"latency_s": 0.2})
    assert "weights" not in other.options["search"]
    back = resolve(flow, ["search.formulation=two_stage", "search.finalists=3"], "flow")
    assert back.formulation == TwoStage(3)
    assert (back.search.trials, "weights" in back.data["search"]) == (9, False)
    with pytest.raises(InputError, match=r"has no key 'search\.finalists'"):
        load("search.finalists=3")
    with pytest.raises(InputError, match=r"^search: finalists are at least 1, got 0"):
        load("search.formulation=two_stage", "search.finalists=0")
    with pytest.raises(InputError, match=r"search\.formulation: has no 'parto'; did you mean par"):
        load("search.formulation=parto")


def test_no_strategy_and_no_formulation_claim_the_same_key() -> None:
    shared = {f.name for f in fields(Search)}
    for name in names("search.formulations"):
        own = {f.name for f in fields(member("search.formulations", Formulation, name))}
        assert not own & shared
        for other in names("search.strategies"):
            assert not own & set(member("search.strategies", Strategy, other).defaults)


@pytest.mark.parametrize("goal", GOALS)
def test_a_goal_stands_for_objectives_and_hardware(goal: str) -> None:
    preset = GOALS[goal]
    settings = load("hardware.objective=mix", "hardware.weights={latency: 1.0}", f"goal={goal}")
    assert settings.hardware.objective == "mix", "what is said beside a goal wins"
    settings = load(f"goal={goal}")
    assert tuple(o.text for o in settings.objectives) == preset.objectives
    assert settings.hardware.objective == preset.hardware
    assert resolve(settings.data, (), "again") == settings
    named = load(f"goal={goal}", "search.objectives=[min lut]")
    assert [o.text for o in named.objectives] == ["min lut"]
    assert named.hardware.objective == preset.hardware


def test_a_goal_of_the_flow_gives_way_to_what_stands_beside_it() -> None:
    data = read_yaml(resource_path("flows", "quickstart")) | {"goal": "low_energy"}
    assert resolve(data, (), "flow").hardware.objective == "interval"
    assert resolve(data, ["goal=low_latency"], "flow").hardware.objective == "latency"
    del data["hardware"]
    assert resolve(data, (), "flow").hardware.objective == "energy"
    with pytest.raises(InputError, match=r"goal: there is no 'low_latancy'; did you mean low_lat"):
        load("goal=low_latancy")


def test_wishes_stand_beside_those_of_the_flow(tmp_path: Path) -> None:
    data = read_yaml(resource_path("flows", "quickstart")) | {"wish": ["lut<=20000"]}
    settings = resolve(data, ["fps>=5000"], "flow")
    assert [c.text for c in settings.wish] == ["lut<=20000", "fps>=5000"]
    assert [c.text for c in resolve(data, ["wish=[ff<=9]"], "flow").wish] == ["ff<=9"]


@pytest.mark.parametrize("wish", [3, "fps>=5000", [7]])
def test_a_wish_of_the_flow_must_be_a_list_of_texts(wish: object) -> None:
    data = read_yaml(resource_path("flows", "quickstart")) | {"wish": wish}
    with pytest.raises(InputError, match=r"flow: wish.* must be"):
        resolve(data, ["fps>=5000"], "flow")


def test_wishes_and_changes_are_told_apart_by_the_sign_that_comes_first() -> None:
    changes, wishes = split_wishes(["fps>=1", "search.trials=2", "wish=[dsp<=4]", "lut<100"])
    assert changes == ["search.trials=2", "wish=[dsp<=4]"]
    assert wishes == ["fps>=1", "lut<100"]


def test_every_quantity_that_can_be_wished_for_can_be_an_objective() -> None:
    for name in QUANTITIES:
        settings = load(f"{name}<=1", f"search.objectives=[min {name}]")
        assert settings.wish[0].name == settings.objectives[0].name == name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["boards=zcu104"], ["boards", "did you mean board"]),
        (["search.trails=3"], ["search.trails", "did you mean search.trials"]),
        (["trials=3"], ["did you mean search.trials"]),
        (["training.epoch=3"], ["did you mean training.epochs"]),
        (["search.strategy=nsgaa2"], ["search.strategy", "'nsgaa2'", "did you mean nsga2"]),
        (["network=convnets"], ["network.family", "did you mean convnet"]),
        (["dataset=digit"], ["dataset.source", "did you mean digits"]),
        (["validation=gcc"], ["validation.tool", "'gcc'", "gxx"]),
        (["search.trials=many"], ["search.trials", "must be an integer", "'many'"]),
        (["search.trials=2.5"], ["search.trials", "must be an integer", "2.5"]),
        (["search.trials=0"], ["command line", "search", "at least 1"]),
        (["search.seconds=0"], ["command line", "search", "positive"]),
        (["search.workers=-1"], ["command line", "search", "workers"]),
        (["validation.layer_images=0"], ["command line", "validation", "layer_images"]),
        (["hardware.objective=fast"], ["command line", "hardware", "interval, resources"]),
        (["network.widths=8"], ["network.widths", "must be a list"]),
        (["network.residuals=[1]"], ["network.residuals[0]", "true or false"]),
        (["hardware.ceilings={lut: half}"], ["hardware.ceilings", "must be a number", "'half'"]),
        (["search.trials"], ["cannot read 'search.trials'", "key=value"]),
        (["fsp>=1000"], ["'fsp'", "did you mean fps"]),
        (["fps>1000"], ["'fps>1000'", "fps>=1000"]),
        (["fps>=fast"], ["'fps>=fast'", "fps>=1000"]),
        (["search.objectives=[min lut, max acuracy]"], ["'acuracy'", "did you mean accuracy"]),
        (["search.objectives=[lut]"], ["'lut'", "min lut"]),
        (["seed: 3"], ["key=value"]),
    ],
    ids=lambda value: value[0] if value and isinstance(value, list) else "",
)
def test_a_wrong_change_names_the_key_and_the_remedy(changes: list[str], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load(*changes)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_option_of_another_member_is_refused_and_says_whose_options_there_are() -> None:
    with pytest.raises(InputError, match=r"dataset\.path"):
        load("dataset.path=data.npz")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("schema: 1\nboard: [zcu104\n", [":3:1", "YAML"]),
        ("board: zcu104\n", ["schema", "must be 1"]),
        ("schema: 2\n", ["schema", "must be 1, got 2"]),
        ("schema: 1\ndataset: digits\n", ["dataset", "keys and values"]),
        ("schema: 1\nboard: zcu104\n", ["dataset", "dataset.source"]),
        ("just words", ["keys and values"]),
        ("schema: 1\nschema: 1\n", ["'schema' stands here twice"]),
        ("", ["keys and values"]),
    ],
)
def test_a_broken_flow_file_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings(str(path))
    assert str(caught.value).startswith(str(path))
    for word in words:
        assert word in str(caught.value)


def test_a_fault_of_the_flow_file_is_not_blamed_on_the_command_line(tmp_path: Path) -> None:
    data = load().data
    data["search"]["trials"] = 0
    path = tmp_path / "mine.yaml"
    path.write_text(yaml_text(data))
    with pytest.raises(InputError, match="search: trials") as caught:
        load_settings(str(path), ["board=pynq_z2"])
    assert str(caught.value).startswith(str(path))


def test_what_a_member_refuses_is_told_with_its_section() -> None:
    settings = load("network.kernels=[2]")
    tensor_and_classes = {"input": None, "classes": 10}
    with pytest.raises(InputError, match=r"^network: .*odd"):
        settings.build_member("network", **tensor_and_classes)
