"""Training a reference network in real numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from codesign.accuracy.dataset import Dataset, DatasetSource, Split
from codesign.accuracy.evaluator import check_task
from codesign.accuracy.framing import can_be_framed, framed
from codesign.errors import InputError
from codesign.load import build, member
from codesign.network.floats import predict_floats
from codesign.network.model import Model
from codesign.network.network import FloatNetwork
from codesign.network.op import Shape
from codesign.report.quantities import shape_text

_BATCH = 64
_LEARNING_RATE = 0.01
_MOST_BYTES = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A trained network, and the share of test images that its real numbers classify rightly."""

    network: FloatNetwork
    dataset: Dataset
    accuracy: float


def train_reference(model: Model, source: str, epochs: int, seed: int) -> Learned:
    """Train a reference network on a data set, from the weights that the seed gives.

    Images smaller than those of the network stand in the middle of zeros, grey ones fill all of
    its channels.

    Args:
        model: the network.
        source: name of the data set.
        epochs: how often every training image is seen.
        seed: of weights, order and the one pixel that images move by.

    Raises:
        InputError: there is no such data set, or the network is none for it.
    """
    from codesign.accuracy.torch_training import Recipe, learn_normalised

    chosen = member("accuracy.datasets", DatasetSource, source, "dataset")
    dataset = framed_dataset(build(chosen, {}, "dataset").load(), model.input.shape)
    check_task(model.graph(), dataset, None)
    recipe = Recipe(epochs, _BATCH, _LEARNING_RATE, shift=1)
    learned = learn_normalised(model.network(seed), dataset.train, recipe, seed)
    rightly = predict_floats(learned, dataset.test.images) == dataset.test.labels
    return Learned(learned, dataset, float(rightly.mean()))


def framed_dataset(dataset: Dataset, shape: Shape) -> Dataset:
    """Return a data set with images of a larger shape `C x H x W`.

    Raises:
        InputError: its images are larger, or have other channels than one.
    """
    own = dataset.shape
    if not can_be_framed(own, shape):
        reads = f"reads {shape_text(shape)}, images of {dataset.name} are "
        raise InputError("model", reads + shape_text(own), "choose another data set")
    images = sum(len(split) for split in (dataset.train, dataset.validation, dataset.test))
    size = 4 * images * math.prod(shape)
    if size > _MOST_BYTES:
        problem = f"{images} images of {shape_text(shape)} take {size / 1e9:.0f} GB"
        raise InputError(dataset.name, problem, "training here is for small images")

    def larger(split: Split) -> Split:
        return Split(framed(split.images, shape), split.labels)

    return replace(
        dataset,
        train=larger(dataset.train),
        validation=larger(dataset.validation),
        test=larger(dataset.test),
    )
