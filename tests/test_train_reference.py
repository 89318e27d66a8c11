"""Reference networks that are trained before they are saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner

from codesign.accuracy.datasets.digits import Digits
from codesign.cli import main
from codesign.errors import InputError
from codesign.flow.training import framed_dataset


def test_a_trained_model_is_saved_and_keeps_its_accuracy(tmp_path: Path) -> None:
    path = tmp_path / "lenet5.onnx"
    arguments = ["models", "lenet5", "--train", "digits", "--epochs", "4", "--save", str(path)]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)["test_accuracy"]
    digits = framed_dataset(Digits().load(), (1, 32, 32)).test
    runtime = onnxruntime.InferenceSession(path)
    name = runtime.get_inputs()[0].name
    answers = [runtime.run(None, {name: image[None]})[0] for image in digits.images]
    found = np.concatenate(answers).reshape(len(digits), -1).argmax(1)
    assert said == pytest.approx((found == digits.labels).mean(), abs=0.003)
    assert said > 0.8


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ds_cnn", "scores 12 classes, digits has 10"),
        ("autoencoder", "reads 640, images of digits are 1 x 8 x 8"),
        ("mobilenet_v1_025", "scores 2 classes, digits has 10"),
        ("resnet9", "has no 'resnet9'; did you mean resnet"),
    ],
)
def test_what_cannot_be_trained_is_named(name: str, message: str, tmp_path: Path) -> None:
    arguments = ["models", name, "--train", "digits", "--save", str(tmp_path / "model.onnx")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_small_grey_images_fill_the_middle_of_all_channels() -> None:
    digits = Digits().load()
    large = framed_dataset(digits, (3, 11, 8))
    assert large.shape == (3, 11, 8)
    for channel in range(3):
        np.testing.assert_array_equal(large.test.images[:, channel, 1:9], digits.test.images[:, 0])
    assert not large.test.images[:, :, [0, 9, 10]].any()
    with pytest.raises(InputError, match="take 5 GB; training here is for small images"):
        framed_dataset(digits, (1, 800, 800))
