"""What `codesign quantize` can be told, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from codesign.accuracy.tuning import Tuning
from codesign.candidate import Target
from codesign.errors import InputError
from codesign.flow.prepare import target_for
from codesign.flow.samples import RANDOM
from codesign.flow.sections import Hardware
from codesign.flow.settings import QUANTITIES, split_wishes
from codesign.hardware.board import RESOURCES
from codesign.load import build, override
from codesign.network.calibration import calibration
from codesign.network.scales import Kind, Method
from codesign.search.trial import Constraint

LEAST_BITS, MOST_BITS = 2, 8

_PLACE = "command line"
_BOARD = "zcu104"
_SHORT = {"dataset": "source", "calibration": "rule", "train": "epochs"}
"""What a section's own name stands for: `train=5` is `train.epochs=5`."""

_STEERED = ("fps>=", "interval_s<=", *(f"{name}<=" for name in RESOURCES))
"""Wishes that widths can be chosen by."""


@dataclass(frozen=True, slots=True)
class QuantiseRequest:
    """What `codesign quantize` can be told."""

    data: str = ""
    dataset: Mapping[str, Any] = field(default_factory=dict)
    """`source`, and that data set's own options."""
    frame: bool = False
    """Whether images smaller than the network's stand in the middle of zeros."""
    calibration: Mapping[str, Any] = field(default_factory=lambda: {"rule": "mse"})
    """`rule`, and that calibration's own options."""
    calibration_images: int = 256
    test_images: int = 1000
    """Images to measure on; 0: all."""
    weight_bits: int = 8
    """Of all weights; the most that a layer may get where widths are mixed."""
    activation_bits: int = 8
    weights: Mapping[str, int] = field(default_factory=dict)
    """Bits of single layers' weights."""
    activations: Mapping[str, int] = field(default_factory=dict)
    """Bits of single tensors."""
    mean_weight_bits: float | None = None
    scales: Kind = "power_of_two"
    per_channel: bool = True
    equalise: bool = False
    correct_bias: bool = False
    sensitivity: bool = False
    train: Tuning = field(default_factory=Tuning)
    seed: int = 0
    form: Literal["qdq", "qonnx"] = "qdq"
    board: str | None = None
    hardware: Hardware = field(default_factory=Hardware)
    wish: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bits = {"weight_bits": self.weight_bits, "activation_bits": self.activation_bits}
        bits |= {f"weights.{name}": value for name, value in self.weights.items()}
        bits |= {f"activations.{name}": value for name, value in self.activations.items()}
        for name, value in bits.items():
            if not LEAST_BITS <= value <= MOST_BITS:
                raise ValueError(f"{name} is {LEAST_BITS} to {MOST_BITS}, got {value}")
        mean = self.mean_weight_bits
        if mean is not None and not LEAST_BITS <= mean <= self.weight_bits:
            problem = f"mean_weight_bits is {LEAST_BITS} to weight_bits ({self.weight_bits})"
            raise ValueError(f"{problem}, got {mean:g}")
        if self.calibration_images < 1 or self.test_images < 0:
            raise ValueError("calibration_images are at least 1, test_images at least 0 (all)")
        if self.correct_bias and self.train.epochs:
            raise ValueError("correct_bias goes without train: training learns the biases itself")

    @property
    def method(self) -> Method:
        """How scales are chosen; what it equalises is equalised before."""
        options = dict(self.calibration)
        rule = calibration(str(options.pop("rule", "mse")), options)
        return Method(rule, self.per_channel, correct_bias=self.correct_bias)

    @property
    def how(self) -> str:
        """What was done, in words."""
        words = [f"{self.scales} by {self.calibration.get('rule', 'mse')}"]
        if self.equalise:
            words.append("layers equalised")
        if self.correct_bias:
            words.append("biases corrected")
        if self.train.epochs:
            words.append(f"trained for {self.train.epochs} epochs")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and the hardware that widths are to be chosen for, if any."""

    request: QuantiseRequest
    target: Target | None


def read_request(arguments: Iterable[str]) -> Asked:
    """Return a command line's `key=value` and `quantity>=bound`, checked.

    Raises:
        InputError: a key or a value is wrong, or there are no data.
    """
    changes, wishes = split_wishes(arguments)
    data: Mapping[str, object] = override({}, map(_expanded, changes), QuantiseRequest)
    request = build(QuantiseRequest, data, _PLACE)
    if bool(request.data) == bool(request.dataset):
        problem = "is given beside a dataset" if request.data else "is missing"
        remedy = f"give data=FILE.npz or dataset=NAME; data={RANDOM} quantises on noise"
        raise InputError("data", problem, remedy)
    if request.dataset and "source" not in request.dataset:
        raise InputError("dataset", "names no source", "write e.g. dataset=fashion_mnist")
    _ = request.method  # raises for a calibration that is not there
    return Asked(request, _target(request, (*request.wish, *wishes)))


def check_destination(to: Path | None, model: str) -> None:
    """Refuse a file that could not be written in the end.

    Raises:
        InputError: its folder is missing, it is a folder, or the model itself.
    """
    if to is None:
        return
    if not to.parent.is_dir():
        raise InputError("--to", f"there is no folder {to.parent}", "make it first")
    if to.is_dir():
        raise InputError("--to", f"{to} is a folder", "name a file, e.g. model.int8.onnx")
    if to.exists() and Path(model).exists() and to.samefile(model):
        raise InputError("--to", f"{to} is the model itself", "name another file")


def _expanded(text: str) -> str:
    key, equals, value = text.partition("=")
    return f"{key}.{_SHORT[key]}={value}" if equals and key in _SHORT else text


def _target(request: QuantiseRequest, texts: Iterable[str]) -> Target | None:
    wish = tuple(Constraint.parse(text, "wish", QUANTITIES) for text in texts)
    if not wish and request.board is None:
        return None
    for constraint in wish:
        if f"{constraint.name}{constraint.operator}" not in _STEERED:
            problem = f"widths cannot be chosen by '{constraint.text}'"
            raise InputError("wish", problem, "they can by " + ", ".join(_STEERED))
    if request.mean_weight_bits is not None:
        problem = "is given beside a board or a wish"
        raise InputError("mean_weight_bits", problem, "give one budget")
    return target_for(request.board or _BOARD, request.hardware, wish)
