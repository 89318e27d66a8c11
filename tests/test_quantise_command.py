"""`codesign quantize`: what it writes, what it says of it, and every way to ask wrongly."""

from __future__ import annotations

import json
from bisect import bisect_left
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from commands import float_model, invoke, write_model
from onnx import helper

from codesign.accuracy.dataset import Dataset
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.evaluator import calibration_images
from codesign.accuracy.evaluators.ptq import Ptq
from codesign.accuracy.torch_training import Recipe, learn_floats
from codesign.errors import InputError
from codesign.flow.price import price_model
from codesign.network.calibrations.percentile import Percentile
from codesign.network.graph import INPUT
from codesign.network.layers import Layers, Style, square
from codesign.network.model import reference
from codesign.network.network import FloatNetwork, Network
from codesign.network.onnx import load
from codesign.network.onnx.float_export import save_floats
from codesign.network.quantize import post_training
from codesign.network.scales import Method
from codesign.network.serialize import digest
from codesign.network.tensor import Tensor
from codesign.network.widths import weight_counts

pytestmark = pytest.mark.usefixtures("no_user_folders")

LAYERS = ["conv0", "pool0", "conv1", "pool1", "dense0"]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return Digits().load()


@pytest.fixture(scope="module")
def trained(digits: Dataset) -> FloatNetwork:
    layers = Layers(Tensor((1, 8, 8), 8, signed=False), 8, 8)
    maps = layers.pool(layers.conv(INPUT, 8, square(3), Style()), "max", square(2, 2))
    layers.dense(layers.average(layers.conv(maps, 16, square(3), Style())), 10)
    generator = torch.Generator().manual_seed(0)
    recipe = Recipe(epochs=8, batch=64, learning_rate=0.02)
    return learn_floats(layers.graph("digits"), digits.train, recipe, generator, None)


@pytest.fixture(scope="module")
def model(trained: FloatNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "digits.onnx"
    save_floats(trained, path)
    return path


@pytest.fixture(scope="module")
def data(digits: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, x=digits.test.images, y=digits.test.labels)
    return path


def told(*arguments: object) -> dict[str, Any]:
    """Return what the command says to a program."""
    done = invoke("quantize", *arguments, "--json")
    assert done.exit_code == 0, done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def by_name(said: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {layer["name"]: layer for layer in said["layers"]}


def integers(path: Path) -> Network:
    network = load(path)
    assert isinstance(network, Network)
    return network


def runtime(path: Path, images: np.ndarray) -> np.ndarray:
    """Return what ONNX Runtime makes of images one by one, node by node as they are written."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])


# ---------------------------------------------------------------- what is written, and said of it


def test_onnx_runtime_computes_what_was_written_and_said(
    model: Path, digits: Dataset, tmp_path: Path
) -> None:
    to = tmp_path / "digits.int8.onnx"
    said = told(model, "dataset=digits", "--to", to)
    network, images, labels = integers(to), digits.test.images, digits.test.labels
    answers, real = runtime(to, images), runtime(model, images)
    scale = network.scales[network.graph.outputs[0]]
    assert np.array_equal(answers / scale, network.answer(network.quantize_input(images)))
    assert said["images"] == len(images) == 359
    assert said["images_apart"]
    for key, scores in (("float", real), ("integer", answers)):
        assert said["accuracy"][key] == (scores.argmax(axis=1) == labels).mean()
    assert said["accuracy"]["float"] > 0.9
    assert said["agreement"] == (answers.argmax(axis=1) == real.argmax(axis=1)).mean()
    noise = ((answers - real) ** 2).sum() / (real**2).sum()
    assert said["snr_db"]["dense0"] == pytest.approx(-10 * np.log10(noise), abs=1e-3)
    assert said["digest"] == digest(network)
    assert said["written"] == {"path": str(to), "form": "qdq", "bytes": to.stat().st_size}
    assert [layer["accumulator_bits"] for layer in said["layers"]] == [
        node.accumulator_bits for node in network.graph
    ]


def test_the_options_are_those_of_the_library(
    model: Path, digits: Dataset, trained: FloatNetwork, tmp_path: Path
) -> None:
    to = tmp_path / "few.onnx"
    told(
        model,
        "dataset=digits",
        "calibration=percentile",
        "calibration.percentile=99",
        "calibration_images=5000",
        "scales=multiplier",
        "weight_bits=5",
        "activation_bits=6",
        "per_channel=false",
        "equalise=true",
        "correct_bias=true",
        "form=qonnx",
        "--to",
        to,
    )
    floats = load(model, weight_bits=5, activation_bits=6)
    assert isinstance(floats, FloatNetwork)
    method = Method(Percentile(99.0), per_channel=False, equalise=True, correct_bias=True)
    expected = post_training(floats, digits.train.images, "multiplier", method)
    assert digest(integers(to)) == digest(expected)


def test_a_person_reads_layers_accuracy_and_file(model: Path, data: Path, tmp_path: Path) -> None:
    to = tmp_path / "out.onnx"
    done = invoke("quantize", model, f"data={data}", "sensitivity=true", "--to", to)
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["layer", "from", "operator"]
    assert [line.split()[0] for line in lines[1:6]] == LAYERS
    assert {"8", "u8"} <= set(lines[1].split())
    assert lines[1].count("dB") == 2
    labels = [line.split("  ")[0] for line in lines[7:]]
    assert labels == [
        "weights", "scales", "accuracy", "same class", "noise", "alone", "written", "digest"
    ]  # fmt: skip
    assert f"{to} (qdq" in done.stdout
    assert "choosing scales on 256 images" in done.stderr
    assert "--to FILE" in invoke("quantize", model, f"data={data}").stdout


def test_the_same_command_writes_the_same_file(model: Path, data: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for to in files:
        told(model, f"data={data}", "train=1", "weight_bits=4", "--to", to)
    assert files[0].read_bytes() == files[1].read_bytes()
    other = told(model, f"data={data}", "train=1", "weight_bits=4", "seed=1")
    assert other["digest"] != digest(integers(files[0]))


# ---------------------------------------------------------------- widths


@pytest.mark.parametrize("mean", [2, 3.5, 6])
def test_mixed_precision_keeps_its_budget(model: Path, data: Path, mean: float) -> None:
    said = told(model, f"data={data}", f"mean_weight_bits={mean}", "weight_bits=6")
    counts = weight_counts(load(model).graph)
    bits = {name: layer["weight_bits"] for name, layer in by_name(said).items() if name in counts}
    used = sum(bits[name] * count for name, count in counts.items())
    assert used == pytest.approx(said["mean_weight_bits"] * sum(counts.values()))
    assert used <= mean * sum(counts.values())
    assert set(bits.values()) <= set(range(2, 7))
    assert all(by_name(said)[name]["weights_alone"]["error"] >= 0 for name in counts)


def test_mixed_precision_loses_less_than_even_widths(model: Path) -> None:
    even = told(model, "dataset=digits", "weight_bits=3")
    mixed = told(model, "dataset=digits", "mean_weight_bits=3")
    assert mixed["mean_weight_bits"] <= even["mean_weight_bits"] == 3
    assert mixed["snr_db"]["dense0"] > even["snr_db"]["dense0"]


def test_single_layers_get_their_own_widths(model: Path, data: Path) -> None:
    own = ("weights.conv0=8", "activations.conv0=5", "activations.input=4")
    even = told(model, f"data={data}", "weight_bits=4", *own)
    assert even["input_bits"] == 4
    assert by_name(even)["conv0"]["weight_bits"] == 8
    assert by_name(even)["conv0"]["output_bits"] == by_name(even)["pool0"]["output_bits"] == 5
    assert by_name(even)["conv1"]["weight_bits"] == 4
    mixed = told(model, f"data={data}", "mean_weight_bits=4", "weight_bits=5", *own)
    assert by_name(mixed)["conv0"]["weight_bits"] == 8
    assert by_name(mixed)["conv1"]["weight_bits"] <= 5


def test_widths_are_chosen_for_a_board(model: Path, data: Path, tmp_path: Path) -> None:
    rate = ("board=pynq_z2", "fps>=100000", "dsp<=0")

    def fits(bits: int, cap: int) -> bool:
        return price_model(str(model), (*rate, f"lut<={cap}", f"weight_bits={bits}"))[0].fits

    caps = range(2000, 20000, 20)
    least = [caps[bisect_left(caps, True, key=lambda cap: fits(b, cap))] for b in (2, 8)]
    assert least[0] < least[1]
    cap = sum(least) // 2
    wishes = (*rate, f"lut<={cap}")
    assert not price_model(str(model), wishes)[0].fits
    to = tmp_path / "fitted.onnx"
    said = told(model, f"data={data}", *wishes, "--to", to)
    findings, _ = price_model(str(to), wishes)
    assert findings.fits
    assert findings.wish_met
    assert said["wish_met"]
    assert said["values"]["lut"] == findings.values["lut"] <= cap
    assert 2 < said["mean_weight_bits"] < 8
    shown = invoke("quantize", model, f"data={data}", *wishes).stdout
    assert "Fits the TUL PYNQ-Z2 and keeps the wish" in shown
    assert f"lut<={cap} met" in shown


def test_a_board_alone_asks_that_it_fits(model: Path, data: Path) -> None:
    said = told(model, f"data={data}", "board=pynq_z2")
    assert said["board"] == "pynq_z2"
    assert said["mean_weight_bits"] == pytest.approx(8, abs=0.2)


def test_a_wish_beyond_the_fewest_bits_is_answered_in_one_line(model: Path, data: Path) -> None:
    done = invoke("quantize", model, f"data={data}", "fps>=1e12")
    assert done.exit_code == 1
    assert "not even weights of the fewest bits will do" in done.stderr.splitlines()[-1]


# ---------------------------------------------------------------- training


def test_training_through_the_integers_wins_accuracy_back(model: Path) -> None:
    few = ("dataset=digits", "weight_bits=3", "activation_bits=4")
    rounded = told(model, *few)
    learned = told(model, *few, "train=6", "train.learning_rate=0.01", "train.distill=0.5")
    assert learned["accuracy"]["float"] == rounded["accuracy"]["float"]
    assert learned["accuracy"]["integer"] > rounded["accuracy"]["integer"] + 0.02
    assert "trained for 6 epochs" in learned["how"]


def test_imitation_needs_no_classes(model: Path, digits: Dataset, tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", digits.train.images)
    few = (f"data={tmp_path / 'images.npy'}", "weight_bits=3", "activation_bits=4")
    rounded = told(model, *few)
    learned = told(model, *few, "train=6", "train.learning_rate=0.01", "train.distill=1")
    assert learned["accuracy"] is None
    assert learned["agreement"] > rounded["agreement"]


def test_imitation_alone_does_not_look_at_classes(
    model: Path, digits: Dataset, tmp_path: Path
) -> None:
    images, few = digits.test.images, ("weight_bits=3", "train=1")
    labels = np.random.default_rng(0).integers(10, size=len(images))
    for name, split in (("bare", {}), ("wrong", {"labels": labels})):
        np.savez(tmp_path / f"{name}.npz", x=images, **split)
    found = {
        (name, share): told(model, f"data={tmp_path / name}.npz", *few, f"train.distill={share}")[
            "digest"
        ]
        for name, share in (("bare", 1), ("wrong", 1), ("wrong", 0.5))
    }
    assert found["bare", 1] == found["wrong", 1] != found["wrong", 0.5]


def test_vectors_and_negative_values_are_learned_from(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    layers = Layers(Tensor((6,), 8, signed=True), 8, 8)
    layers.dense(layers.dense(INPUT, 16, Style()), 3)
    save_floats(layers.network("features", 0), tmp_path / "features.onnx")
    images = random.normal(size=(300, 6)).astype(np.float32)
    classes = (images @ random.normal(size=(6, 3))).argmax(axis=1)
    np.savez(tmp_path / "features.npz", x=images, y=classes)
    asked = (tmp_path / "features.onnx", f"data={tmp_path / 'features.npz'}")
    said = told(*asked, "train=20", "train.learning_rate=0.02")
    assert said["input_signed"]
    assert said["accuracy"]["integer"] > max(0.8, said["accuracy"]["float"] + 0.2)
    refused = invoke("quantize", *asked, "train=1", "train.flip=true")
    assert "no pixels to shift or flip" in refused.stderr


# ---------------------------------------------------------------- data


def quantised_on(model: Path, path: Path, **arrays: np.ndarray) -> dict[str, Any]:
    np.savez(path, **arrays)
    return told(model, f"data={path}")


def test_a_file_may_bring_its_own_test_images(model: Path, digits: Dataset, tmp_path: Path) -> None:
    split = {
        "x_train": digits.train.images[:100],
        "x_test": digits.test.images[:50],
        "y_test": digits.test.labels[:50],
    }
    said = quantised_on(model, tmp_path / "split.npz", **split)
    assert (said["images"], said["images_apart"]) == (50, True)
    right = runtime(model, digits.test.images[:50]).argmax(axis=1) == digits.test.labels[:50]
    assert said["accuracy"]["float"] == right.mean()
    assert "on 100 images" in said["how"]


def test_a_fifth_of_the_images_measures_and_few_do_both(
    model: Path, digits: Dataset, tmp_path: Path
) -> None:
    images = digits.test.images
    said = quantised_on(model, tmp_path / "hundred.npz", images=images[:100])
    assert (said["images"], said["images_apart"], said["accuracy"]) == (20, True, None)
    assert "on 80 images" in said["how"]
    few = quantised_on(model, tmp_path / "few.npz", anything=images[:9])
    assert (few["images"], few["images_apart"]) == (9, False)
    assert "on 9 images" in few["how"]
    shown = invoke("quantize", model, f"data={tmp_path / 'few.npz'}").stdout
    assert "on 9 images, those that the scales were chosen on" in shown


def test_bytes_and_missing_axes_are_the_same_images(
    model: Path, digits: Dataset, tmp_path: Path
) -> None:
    levels = np.rint(digits.test.images * 255).astype(np.uint8)
    expected = quantised_on(model, tmp_path / "a.npz", x=levels.astype(np.float64) / 255)
    flat = quantised_on(model, tmp_path / "b.npz", x=levels[:, 0])
    assert expected["digest"] == flat["digest"]
    assert expected["notes"] == []
    assert "divided by 255" in flat["notes"][0]


def test_negative_images_make_the_input_signed(
    model: Path, digits: Dataset, tmp_path: Path
) -> None:
    said = quantised_on(model, tmp_path / "signed.npz", x=digits.test.images - 0.5)
    assert said["input_signed"]
    assert said["input_bits"] == 8
    refused = invoke("quantize", "lenet5", f"data={tmp_path / 'signed.npz'}", "frame=true")
    assert refused.exit_code == 2
    assert "has negative values, lenet5 reads none" in refused.stderr


def test_smaller_images_are_framed_when_asked(data: Path) -> None:
    refused = invoke("quantize", "lenet5", f"data={data}")
    assert "images are 1 x 8 x 8, lenet5 reads 1 x 32 x 32; frame=true" in refused.stderr
    said = told("lenet5", f"data={data}", "frame=true", "calibration_images=8", "test_images=5")
    assert said["images"] == 5
    assert any("not trained" in note for note in said["notes"])


def test_noise_is_used_only_when_asked_for(model: Path) -> None:
    without = invoke("quantize", model)
    assert without.exit_code == 2
    assert without.stderr == (
        "InputError: data: is missing; give data=FILE.npz or dataset=NAME; "
        "data=random quantises on noise\n"
    )
    said = told("ecg", "data=random", "calibration_images=4")
    assert "noise" in said["notes"][0]
    assert said["input_signed"]
    assert (said["images"], said["accuracy"]) == (4, None)


def test_maps_are_compared_without_classes() -> None:
    said = told("unet", "data=random", "calibration_images=1")
    assert said["agreement"] is None
    (ratio,) = said["snr_db"].values()
    assert ratio > 20


def test_what_is_left_to_the_host_is_said(tmp_path: Path) -> None:
    path = write_model(
        tmp_path / "model.onnx",
        (1, 10),
        helper.make_node("Conv", ["x", "w"], ["a"]),
        helper.make_node("Flatten", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "d"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"], name="scores"),
    )
    assert "note        Softmax 'scores' is left to the host" in (
        invoke("quantize", path, "data=random").stdout
    )


# ---------------------------------------------------------------- refusals

WRONG = [
    ("data=none.npz", "none.npz cannot be read (No such file"),
    ("data=text.npz", "text.npz: is no NumPy file of numbers"),
    ("data=cut.npz", "cut.npz: is a"),
    ("data=empty.npz", "empty.npz: x: holds no image"),
    ("data=nothing.npz", "nothing.npz: holds no array"),
    ("data=many.npz", "many.npz: holds a, b"),
    ("data=nan.npz", "nan.npz: x: 3 of 640 values are not finite"),
    ("data=integers.npz", "integers.npz: x: holds int64; give floats, or bytes"),
    ("data=large.npz", "images are 1 x 9 x 9, digits reads 1 x 8 x 8"),
    ("data=last.npz", "images are 8 x 8 x 2, digits reads 1 x 8 x 8"),
    ("data=single.npz", "images are 8, digits reads 1 x 8 x 8; give several, [N, 1, 8, 8]"),
    ("data=labels.npz", "labels.npz: y: has the shape (9,); give one class per image, (10,)"),
    ("data=shares.npz", "shares.npz: y: holds float64"),
    ("data=below.npz", "below.npz: y: holds -1"),
    ("data=classes.npz", "has class 10, digits scores 0 to 9"),
    ("dataset=digit", "has no 'digit'; did you mean digits?"),
    ("dataset=npz dataset.pth=x", "pth: is no key here; did you mean path?"),
    ("dataset.path=x", "dataset: names no source"),
    ("dataset=digits data=random", "data: is given beside a dataset"),
    ("dataset=fashion_mnist dataset.path=none", "none"),
    ("data=random calibration=entropie", "has no 'entropie'; did you mean entropy?"),
    ("data=random calibration.percentil=9", "calibration mse: percentil: is no key here"),
    ("data=random weight_bits=9", "weight_bits is 2 to 8, got 9"),
    ("data=random activation_bits=1", "activation_bits is 2 to 8, got 1"),
    ("data=random weight_bit=4", "did you mean weight_bits"),
    ("data=random weights.conv=4", "weights: there is no 'conv' with a width"),
    ("data=random weights.conv0=9", "weights.conv0 is 2 to 8, got 9"),
    ("data=random mean_weight_bits=1.5", "mean_weight_bits is 2 to weight_bits (8), got 1.5"),
    ("data=random mean_weight_bits=5 weight_bits=4", "is 2 to weight_bits (4), got 5"),
    ("data=random mean_weight_bits=4 fps>=9", "mean_weight_bits: is given beside a board"),
    ("data=random mean_weight_bits=2 weights.conv1=8", "the narrowest widths cost"),
    ("data=random form=onnx", "form: has no such choice, got 'onnx'; did you mean qonnx?"),
    ("data=random scales=multiple", "did you mean multiplier?"),
    ("data=random calibration_images=0", "calibration_images are at least 1"),
    ("data=random latency_s<=1", "widths cannot be chosen by 'latency_s<=1'"),
    ("data=random fps>=", "fps>=1000"),
    ("data=random board=zcu105", "did you mean zcu104?"),
    ("data=random train=1", "train: random has no classes"),
    ("data=random train=-1", "epochs is at least 0, got -1"),
    ("data=random train=1 train.distill=2", "distill is a share, 0 to 1, got 2"),
    ("data=random train=1 correct_bias=true", "correct_bias goes without train"),
    ("data=random train.epoch=1", "did you mean train.epochs?"),
    ("data=random --to no/where.onnx", "--to: there is no folder no"),
    ("data=random --to .", "--to: . is a folder"),
    ("data=random --to digits.onnx", "--to: digits.onnx is the model itself"),
]


@pytest.fixture(scope="module")
def wrong_files(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    images = np.zeros((10, 1, 8, 8), np.float32)
    broken = images.copy()
    broken[0, 0, 0, :3] = np.inf, -np.inf, np.nan
    (folder / "digits.onnx").write_bytes(model.read_bytes())
    (folder / "text.npz").write_text("x = 1")
    np.savez(folder / "empty.npz", x=images[:0])
    np.savez(folder / "nothing.npz")
    np.savez(folder / "many.npz", a=images, b=images)
    np.savez(folder / "nan.npz", x=broken)
    np.savez(folder / "integers.npz", x=images.astype(np.int64))
    np.savez(folder / "large.npz", x=np.zeros((10, 1, 9, 9), np.float32))
    np.savez(folder / "last.npz", x=np.zeros((10, 8, 8, 2), np.float32))
    np.savez(folder / "single.npz", x=images[0, 0])
    np.savez(folder / "labels.npz", x=images, y=np.zeros(9, np.int64))
    np.savez(folder / "shares.npz", x=images, y=np.zeros(10))
    np.savez(folder / "below.npz", x=images, y=np.full(10, -1))
    np.savez(folder / "classes.npz", x=images, y=np.full(10, 10))
    whole = (folder / "nan.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_a_wrong_request_is_one_line(
    arguments: str, words: str, wrong_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(wrong_files)
    before = sorted(path.name for path in wrong_files.iterdir())
    done = invoke("quantize", "digits.onnx", *arguments.split())
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if "Error: " in line]
    assert done.stderr.splitlines()[-1:] == said
    assert words in said[0]
    assert sorted(path.name for path in wrong_files.iterdir()) == before


def test_a_wrong_model_is_one_line(model: Path, tmp_path: Path) -> None:
    for wrong, words in (
        ("resnet9", "model: has no 'resnet9'; did you mean resnet8?"),
        (tmp_path / "none.onnx", "none.onnx: cannot be read"),
        (Path(__file__), "is no ONNX model"),
    ):
        done = invoke("quantize", wrong, "data=random")
        assert done.exit_code == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_integers_are_not_quantised_again(model: Path, tmp_path: Path) -> None:
    for form in ("qdq", "qonnx"):
        to = tmp_path / f"{form}.onnx"
        told(model, "data=random", f"form={form}", "--to", to)
        done = invoke("quantize", to, "data=random")
        assert done.exit_code == 2
        assert "is quantised already: its integers are fixed; estimate or" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_labels_of_what_answers_no_classes_are_refused(tmp_path: Path) -> None:
    images = np.zeros((2, *reference("unet").input.shape), np.float32)
    np.savez(tmp_path / "maps.npz", x=images, y=np.zeros(2, np.int64))
    labelled = invoke("quantize", "unet", f"data={tmp_path / 'maps.npz'}")
    assert labelled.exit_code == 2
    assert "leave the labels out" in labelled.stderr
    trained = invoke("quantize", "unet", "data=random", "train=1")
    assert "unet answers no classes to learn" in trained.stderr


# ---------------------------------------------------------------- what goes with it


def test_a_reference_network_is_estimated_by_its_name() -> None:
    done = invoke("estimate", "lenet5", "board=zcu104", "weight_bits=3", "--json")
    assert done.exit_code == 0, done.output
    findings, _ = price_model("lenet5", ["weight_bits=3"])
    assert findings.title == "lenet5 on zcu104"
    assert findings.graph == reference("lenet5", 3).network().graph
    wrong = invoke("estimate", "lenet6")
    assert wrong.stderr == "InputError: model: has no 'lenet6'; did you mean lenet5?\n"


def test_evaluators_choose_scales_as_asked(digits: Dataset, trained: FloatNetwork) -> None:
    options = Ptq(
        calibration="percentile",
        calibration_images=100,
        scales="multiplier",
        per_channel=False,
        equalise=True,
        correct_bias=True,
    )
    found = options.evaluate(trained.graph, digits, 0, start=trained).network
    method = Method(Percentile(), per_channel=False, equalise=True, correct_bias=True)
    images = calibration_images(digits.train, 100)
    assert digest(found) == digest(post_training(trained, images, "multiplier", method))
    with pytest.raises(InputError, match="did you mean entropy"):
        Ptq(calibration="entropie")


def test_layers_name_the_nodes_that_they_came_from(tmp_path: Path) -> None:
    path = float_model(tmp_path / "model.onnx")
    said = told(path, "data=random", "--to", tmp_path / "out.onnx")
    assert [layer["from"] for layer in said["layers"]] == ["first", "last"]
    assert said["agreement"] > 0.9
