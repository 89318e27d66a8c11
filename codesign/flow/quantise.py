"""A trained float model to integers: widths, scales, perhaps training, and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.accuracy.dataset import Labelled
from codesign.accuracy.evaluator import Evaluator
from codesign.errors import InputError, MemberError
from codesign.flow.comparison import answers_classes, compared
from codesign.flow.model import load_model, names_reference
from codesign.flow.price import priced
from codesign.flow.quantise_request import QuantiseRequest, check_destination, read_request
from codesign.flow.samples import ALL, RANDOM, Part, Samples, fitted, from_dataset, from_file, noise
from codesign.flow.widths import with_asked_widths
from codesign.load import member
from codesign.network import onnx
from codesign.network.equalise import equalise
from codesign.network.floats import predict_floats
from codesign.network.graph import Graph
from codesign.network.network import FloatNetwork, Network
from codesign.network.quantize import post_training
from codesign.network.scales import choose_scales
from codesign.network.serialize import digest
from codesign.report.quantised import Quantised, Written

_NOISE_IMAGES = 32

Say = Callable[[str], None]


def quantise_model(model: str, arguments: Iterable[str], to: Path | None, say: Say) -> Quantised:
    """Quantise a float model, and compare its integers with its real weights.

    Args:
        model: the ONNX file, or the name of a reference network.
        arguments: `key=value` and `quantity>=bound`.
        to: the ONNX file to write; None: nothing is written.
        say: what is told of the progress.

    Raises:
        InputError: the model, the data, a key or a value is wrong.
        InfeasibleError: no widths keep the budget.
        ToolMissing: training was asked for, and torch is not installed.
    """
    asked = read_request(arguments)
    check_destination(to, model)
    request = asked.request
    if request.train.epochs:
        # says what to install where torch is missing, before anything is computed
        member("accuracy.evaluators", Evaluator, "qat", "train")
    material = _gathered(model, request)
    network = equalise(material.network) if request.equalise else material.network
    widened = with_asked_widths(network, asked, material.calibrating, say)
    quantised = _quantised(widened.network, material, request, say)
    say(f"comparing on {len(material.measuring):,} images")
    title = f"{network.graph.name} on {asked.target.board.name}" if asked.target else ""
    count, source = len(material.calibrating), material.samples.source
    return Quantised(
        network=quantised,
        how=f"{request.how}, on {count:,} images of {source}",
        comparison=compared(network, quantised, material.measuring, material.samples),
        origins=material.origins,
        notes=(*material.notes, *([widened.note] if widened.note else [])),
        sensitivity=widened.sensitivity,
        findings=priced(quantised.graph, asked.target, title) if asked.target else None,
        written=_written(quantised, to, request.form),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Material:
    """What is quantised, and images in the shape that it reads."""

    network: FloatNetwork
    samples: Samples
    calibrating: Part
    learning: Part
    measuring: Part
    origins: Mapping[str, str]
    notes: tuple[str, ...]


def _gathered(model: str, request: QuantiseRequest) -> _Material:
    """Read the model and its images.

    Raises:
        InputError: one of them is wrong, or they do not belong together.
    """
    notes: list[str] = []
    origins: dict[str, str] = {}
    given = _given(request)
    network = _float_model(model, request, given, notes, origins)
    graph = network.graph
    samples = given or noise(graph.input, min(request.calibration_images, _NOISE_IMAGES))
    if samples.note:
        notes.append(samples.note)
    if names_reference(model):
        notes.append("the weights of a reference network are drawn from a seed, not trained")
    _check_labels(graph, samples, request)

    def some(part: Part, count: int) -> Part:
        return fitted(part.some(count), samples.source, graph, request.frame)

    calibrating = some(samples.learning, request.calibration_images)
    return _Material(
        network=network,
        samples=samples,
        calibrating=calibrating,
        learning=some(samples.learning, ALL) if request.train.epochs else calibrating,
        measuring=some(samples.measuring, request.test_images),
        origins=origins,
        notes=tuple(notes),
    )


def _given(request: QuantiseRequest) -> Samples | None:
    """Return the images that were named; None for noise, which needs a shape."""
    if request.dataset:
        options = dict(request.dataset)
        return from_dataset(str(options.pop("source")), options)
    return None if request.data == RANDOM else from_file(Path(request.data).expanduser())


def _float_model(
    model: str,
    request: QuantiseRequest,
    samples: Samples | None,
    notes: list[str],
    origins: dict[str, str],
) -> FloatNetwork:
    """Return the model's real weights.

    Raises:
        InputError: it has none, or its input cannot be what the images are.
    """
    is_signed = samples is not None and samples.has_negative
    network = load_model(
        model,
        weight_bits=request.weight_bits,
        activation_bits=request.activation_bits,
        input_signed=is_signed,
        notes=notes,
        origins=origins,
    )
    if isinstance(network, Network):
        remedy = "estimate or inspect it as it is, or quantise the float model that it came from"
        raise InputError(model, "is quantised already: its integers are fixed", remedy)
    if is_signed and not network.graph.input.signed:
        assert samples is not None
        remedy = f"scale them to 0 and above, or save it: codesign models {model} --save FILE"
        raise InputError(samples.source, f"has negative values, {model} reads none", remedy)
    return network


def _check_labels(graph: Graph, samples: Samples, request: QuantiseRequest) -> None:
    """Refuse classes that the network does not have, and training without any.

    Raises:
        InputError: says which.
    """
    classes = graph.output.channels
    for part in (samples.learning, samples.measuring):
        if part.labels is None:
            continue
        if not answers_classes(graph):
            shape = " x ".join(map(str, graph.output.shape))
            problem = f"has classes, {graph.name} answers {shape}"
            raise InputError(samples.source, problem, "leave the labels out")
        if int(part.labels.max()) >= classes:
            problem = f"has class {part.labels.max()}, {graph.name} scores 0 to {classes - 1}"
            raise InputError(samples.source, problem, "number the classes from 0")
    if not request.train.epochs:
        return
    if not answers_classes(graph):
        raise InputError("train", f"{graph.name} answers no classes to learn", "leave it out")
    if samples.learning.labels is None and request.train.distill < 1:
        remedy = "give them as y, or imitate the float network alone: train.distill=1"
        raise InputError("train", f"{samples.source} has no classes", remedy)
    if len(graph.input.shape) == 1 and (request.train.shift or request.train.flip):
        raise InputError("train", "a vector of features has no pixels to shift or flip")


def _quantised(
    network: FloatNetwork, material: _Material, request: QuantiseRequest, say: Say
) -> Network:
    """Return the integers, rounded or learned."""
    images, learning = material.calibrating.images, material.learning
    say(f"choosing scales on {len(images):,} images")
    if not request.train.epochs:
        return post_training(network, images, request.scales, request.method)
    scales = choose_scales(network, images, request.scales, request.method)
    labels = learning.labels
    if labels is None:
        labels = predict_floats(network, learning.images)
    say(f"training {request.train.epochs} epochs on {len(learning):,} images")
    return request.train.tuned(network, scales, Labelled(learning.images, labels), request.seed)


def _written(network: Network, to: Path | None, form: str) -> Written | None:
    """Write the model, and read it back."""
    if to is None:
        return None
    onnx.save(network, to, form)
    again = onnx.load(to)
    if not isinstance(again, Network) or digest(again) != digest(network):
        raise MemberError(f"{to}: reads back as another network than was written")
    return Written(str(to), form, to.stat().st_size)
