"""`codesign models` and `codesign inspect`, as a person and as a program reads them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from commands import float_model, invoke, write_model
from onnx import helper

from codesign.load import names
from codesign.network.model import FOLDER, reference
from codesign.network.onnx import save
from codesign.network.quantize import post_training
from codesign.report.inspection import inspected, inspection_json, operator_text

# ---------------------------------------------------------------- codesign models


def test_every_reference_network_is_listed_with_its_figures() -> None:
    lines = invoke("models").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["model", *names(FOLDER)]
    (row,) = (line for line in lines if line.startswith("resnet50"))
    for text in ("4,089,184,256", "4.089 G", "25,557,032", "torchvision", "3 x 224 x 224"):
        assert text in row


def test_one_network_is_described_with_its_sources() -> None:
    text = invoke("models", "tiny_yolo").stdout
    assert "2.780 G (pjreddie.com, darknet/yolo, 5.56 Bn operations, two per MAC)" in text
    assert "8,858,734; published: 8,858,734" in text
    assert "four numbers per channel of a batch normalisation" in text
    assert "nothing to compare with" in invoke("models", "ecg").stdout


def test_models_are_told_to_programs() -> None:
    listed = {row["name"]: row for row in json.loads(invoke("models", "--json").stdout)}
    assert set(listed) == set(names(FOLDER))
    assert listed["tiny_yolo"]["outputs"] == [[255, 13, 13], [255, 26, 26]]
    assert listed["ecg"]["published_macs"] is None
    one = json.loads(invoke("models", "resnet18", "--json").stdout)
    assert one == listed["resnet18"]
    assert one["published_parameters"]["value"] == one["parameters"] == 11_689_512
    assert one["fused_parameters"] == reference("resnet18").graph().parameters


def test_a_network_is_saved_with_the_weights_of_its_seed(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.onnx" for number in range(3)]
    for path, seed in zip(files, (0, 5, 5), strict=True):
        assert invoke("models", "ecg", "--save", path, "--seed", seed).exit_code == 0
    weights = [onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0]) for path in files]
    assert np.array_equal(weights[1], weights[2])
    assert not np.array_equal(weights[0], weights[1])


def test_wrong_names_and_places_are_answered_in_one_line(tmp_path: Path) -> None:
    wrong = invoke("models", "resnet51")
    assert wrong.exit_code == 2
    assert wrong.stderr == "InputError: model: has no 'resnet51'; did you mean resnet50?\n"
    nowhere = invoke("models", "ecg", "--save", tmp_path / "no" / "ecg.onnx")
    assert nowhere.exit_code == 2
    assert "cannot be written" in nowhere.stderr
    assert invoke("models", "--save", tmp_path / "x.onnx").exit_code == 2


# ---------------------------------------------------------------- codesign inspect


def test_a_reference_network_is_shown_layer_by_layer() -> None:
    graph = reference("mobilenet_v1_025").graph()
    lines = invoke("inspect", "mobilenet_v1_025").stdout.splitlines()
    rows = {line.split()[0]: line for line in lines if line}
    assert set(rows) >= {node.name for node in graph}
    for text in ("Conv2d 3x3 /2 groups 16", "16 x 48 x 48", "16 x 24 x 24", "82,944", "8/u8"):
        assert text in rows["conv3"]
    assert "7,489,664" in rows["MACs"]
    assert "210,850" in rows["parameters"]
    assert lines[0].split()[1] == "operator"  # nothing came from ONNX


def test_a_name_of_two_lines_breaks_no_table(tmp_path: Path) -> None:
    path = tmp_path / "odd.onnx"
    write_model(
        path, (1, 4, 6, 6), helper.make_node("Conv", ["x", "w"], ["y"], name="two\nlines\x1b[1m")
    )
    text = invoke("inspect", path).stdout
    assert "two\\nlines\\x1b[1m" in text
    assert "\x1b" not in text


def test_totals_are_those_of_the_graph() -> None:
    network = reference("resnet8").network()
    found = inspected(network, {})
    assert found.macs == network.graph.macs
    assert found.parameters == network.graph.parameters
    weights = sum(own.weights.size for own in network.parameters.values())
    assert found.weight_bits == 8 * weights
    assert found.largest_activation == ("conv0", 16 * 32 * 32 * 8)
    data = inspection_json(found)
    assert json.loads(json.dumps(data)) == json.loads(json.dumps(data))
    first = data["layers"][0]
    own = network.parameters["conv0"].weights
    assert first["weights"] == (own.min(), own.max())
    assert first["input_shapes"] == ((3, 32, 32),)


def test_a_quantised_model_shows_its_integers(tmp_path: Path) -> None:
    model = type(reference("lenet5"))(weight_bits=3, activation_bits=5)
    network = post_training(model.network(), np.random.default_rng(0).uniform(size=(4, 1, 32, 32)))
    save(network, tmp_path / "small.onnx")
    data = json.loads(invoke("inspect", tmp_path / "small.onnx", "--json").stdout)
    assert data["quantised"]
    layer = data["layers"][2]
    own = network.parameters["conv1"].weights
    assert own is not None
    assert layer["weights"] == [own.min(), own.max()]
    assert (layer["weight_bits"], layer["output_bits"], layer["output_signed"]) == (3, 5, False)
    assert data["weight_bits"] == 3 * 61_470
    assert "would be quantised" not in invoke("inspect", tmp_path / "small.onnx").stdout


def test_layers_name_their_onnx_nodes(tmp_path: Path) -> None:
    path = float_model(tmp_path / "model.onnx")
    data = json.loads(invoke("inspect", path, "--json").stdout)
    assert [layer["origin"] for layer in data["layers"]] == ["first", "last"]
    assert [layer["macs"] for layer in data["layers"]] == [36 * 36, 1440]
    rows = invoke("inspect", path).stdout.splitlines()
    assert rows[0].split()[1] == "from"
    assert "first" in rows[1]


def test_what_the_host_has_to_do_is_said(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "model.onnx",
        (1, 10),
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "d"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"], name="scores"),
    )
    assert "Softmax 'scores' is left to the host" in invoke("inspect", path).stdout


def test_every_refused_node_is_named(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "model.onnx",
        (1, 2),
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Sin", ["a"], ["b"], name="wave"),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("MaxPool", ["c"], ["e", "f"], name="places", kernel_shape=[2, 2]),
        helper.make_node("Add", ["e", "f"], ["g"]),
        helper.make_node("Sin", ["g"], ["h"], name="again"),
        helper.make_node("GlobalAveragePool", ["h"], ["i"]),
        helper.make_node("Flatten", ["i"], ["y"]),
    )
    data = json.loads(invoke("inspect", path, "--json").stdout)
    assert [refusal["node"] for refusal in data["refusals"]] == ["wave", "places", "again"]
    assert "MaxPool with a second output" in data["refusals"][1]["problem"]
    shown = invoke("inspect", path)
    assert shown.exit_code == 2
    lines = shown.stdout.splitlines()
    assert lines[0] == "model cannot be imported"
    assert lines[lines.index("operator Sin is not supported") + 1] == "  nodes wave, again"


def test_names_are_looked_at_where_shapes_are_not_known(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "model.onnx",
        (1, 2),
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("NonZero", ["a"], ["b"], name="places"),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Sin", ["c"], ["y"], name="wave"),
    )
    data = json.loads(invoke("inspect", path, "--json").stdout)
    assert [refusal["node"] for refusal in data["refusals"]] == ["places", "wave"]


def test_what_is_wrong_with_the_whole_model_is_told_too(tmp_path: Path) -> None:
    path = float_model(tmp_path / "model.onnx")
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(model, path)
    shown = invoke("inspect", path)
    assert shown.exit_code == 2
    assert "dimension 2 ('height') is dynamic\n  export the model with a fixed" in shown.stdout


def test_a_damaged_export_is_told(tmp_path: Path) -> None:
    network = post_training(reference("lenet5").network(), np.ones((1, 1, 32, 32)))
    path = tmp_path / "model.onnx"
    save(network, path)
    model = onnx.load(path)
    (entry,) = (entry for entry in model.metadata_props if entry.key == "codesign.network")
    entry.value = entry.value[:-40]
    onnx.save(model, path)
    shown = invoke("inspect", path)
    assert shown.exit_code == 2
    assert shown.stdout.startswith("model cannot be imported\n\n")


def test_a_reference_network_survives_the_way_through_onnx(tmp_path: Path) -> None:
    path = tmp_path / "resnet8.onnx"
    assert invoke("models", "resnet8", "--save", path).exit_code == 0
    imported = json.loads(invoke("inspect", path, "--json").stdout)
    own = json.loads(invoke("inspect", "resnet8", "--json").stdout)
    for key in ("macs", "parameters", "weight_bits", "input"):
        assert imported[key] == own[key]
    shapes = [layer["output_shape"] for layer in imported["layers"]]
    assert shapes == [layer["output_shape"] for layer in own["layers"]]


@pytest.mark.parametrize(
    ("name", "node", "text"),
    [
        ("resnet50", "conv0", "Conv2d 7x7 /2"),
        ("resnet50", "pool0", "Pool2d max 3x3 /2"),
        ("mobilenet_v3_small", "hard_swish0", "Table hard_swish"),
        ("unet", "deconv0", "ConvTranspose2d 2x2 /2"),
        ("ecg", "conv1", "Conv2d 1x9 /1x2 groups 16"),
        ("squeezenet", "concat0", "Concat"),
    ],
)
def test_operators_are_told_with_what_matters(name: str, node: str, text: str) -> None:
    assert operator_text(reference(name).graph()[node].op) == text


def test_wrong_models_are_answered_in_one_line(tmp_path: Path) -> None:
    wrong = invoke("inspect", "lenet")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr == "InputError: model: has no 'lenet'; did you mean lenet5?\n"
    missing = invoke("inspect", tmp_path / "no.onnx")
    assert missing.exit_code == 2
    assert "no.onnx: cannot be read" in missing.stderr
    (tmp_path / "text.onnx").write_text("hello")
    assert "is no ONNX model" in invoke("inspect", tmp_path / "text.onnx").stderr
