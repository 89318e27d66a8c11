"""Training a reference network in real numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from codesign.accuracy.dataset import Dataset, DatasetSource, Split
from codesign.accuracy.evaluator import check_task
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
    dataset = framed(build(chosen, {}, "dataset").load(), model.input.shape)
    check_task(model.graph(), dataset, None)
    recipe = Recipe(epochs, _BATCH, _LEARNING_RATE, shift=1)
    learned = learn_normalised(model.network(seed), dataset.train, recipe, seed)
    rightly = predict_floats(learned, dataset.test.images) == dataset.test.labels
    return Learned(learned, dataset, float(rightly.mean()))


def framed(dataset: Dataset, shape: Shape) -> Dataset:
    """Return a data set with images of a larger shape `C x H x W`.

    Raises:
        InputError: its images are larger, or have other channels than one.
    """
    own = dataset.shape
    fits = len(shape) == 3 and own[0] in (1, shape[0]) and own[1] <= shape[1] and own[2] <= shape[2]
    if not fits:
        reads = f"reads {shape_text(shape)}, images of {dataset.name} are "
        raise InputError("model", reads + shape_text(own), "choose another data set")
    images = sum(len(split) for split in (dataset.train, dataset.validation, dataset.test))
    size = 4 * images * math.prod(shape)
    if size > _MOST_BYTES:
        problem = f"{images} images of {shape_text(shape)} take {size / 1e9:.0f} GB"
        raise InputError(dataset.name, problem, "training here is for small images")
    margins = (shape[1] - own[1], shape[2] - own[2])
    sides = [(margin // 2, margin - margin // 2) for margin in margins]

    def fill(split: Split) -> Split:
        images = np.pad(split.images, ((0, 0), (0, 0), *sides))
        return Split(np.repeat(images, shape[0] // own[0], axis=1), split.labels)

    return replace(
        dataset,
        train=fill(dataset.train),
        validation=fill(dataset.validation),
        test=fill(dataset.test),
    )
