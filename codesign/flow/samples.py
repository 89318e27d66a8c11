"""Images to quantise with, and others to measure on: a user's file, a data set, or noise."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.dataset import SPLIT_SEED, DatasetSource
from codesign.accuracy.framing import Images, can_be_framed, framed
from codesign.errors import InputError
from codesign.load import build, member
from codesign.network.graph import Graph
from codesign.network.op import Shape
from codesign.network.tensor import Tensor
from codesign.report.quantities import shape_text

RANDOM = "random"
"""What `data` says where noise will do."""

ALL = 0
"""How many images are wanted where none is to be left out."""

_HELD_SHARE = 5
_FEWEST_TO_DIVIDE = 10
_FORMAT = "save images x, and classes y where known (or x_train, x_test), with numpy.savez"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Images `[N, ...]`, and their classes `[N]` where they are known."""

    images: Images
    labels: NDArray[np.int64] | None

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    def take(self, indices: NDArray[np.integer]) -> Part:
        """Return the images at `indices`, in that order."""
        labels = None if self.labels is None else self.labels[indices]
        return Part(self.images[indices], labels)

    def some(self, count: int) -> Part:
        """Return `count` images drawn at random, the same ones every time."""
        if count == ALL or count >= len(self):
            return self
        drawn = np.random.default_rng(SPLIT_SEED).choice(len(self), count, replace=False)
        return self.take(np.sort(drawn))


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Images to choose scales and to learn on, and images to measure on."""

    source: str
    learning: Part
    measuring: Part
    note: str = ""
    """What a person should know about them."""

    @property
    def has_negative(self) -> bool:
        """Whether a value is below zero."""
        return min(float(part.images.min()) for part in (self.learning, self.measuring)) < 0

    @property
    def are_apart(self) -> bool:
        """Whether it is measured on other images than it is learned on."""
        return self.learning is not self.measuring


def from_dataset(source: str, options: Mapping[str, Any]) -> Samples:
    """Return the training and the test images of a data set.

    Raises:
        InputError: there is no such data set, or it cannot be read.
    """
    chosen = member("accuracy.datasets", DatasetSource, source, "dataset")
    dataset = build(chosen, options, "dataset").load()
    train, test = dataset.train, dataset.test
    return Samples(source, Part(train.images, train.labels), Part(test.images, test.labels))


def from_file(path: Path) -> Samples:
    """Return the images of a NumPy file: one array, or an archive with or without classes.

    Without test images of its own, a random fifth measures; of fewer than ten all do both.

    Raises:
        InputError: the file cannot be read, or holds something else.
    """
    arrays = _arrays(path)
    if "x_train" in arrays:
        learning = _part(path, arrays, "x_train", "y_train")
        measuring = _part(path, arrays, "x_test", "y_test") if "x_test" in arrays else None
        key = "x_train"
    else:
        key = _image_key(path, arrays)
        learning = _part(path, arrays, key, "labels" if "labels" in arrays else "y")
        measuring = None
    is_bytes = arrays[key].dtype == np.uint8
    note = "bytes were divided by 255: the model is taken to read 0..1" if is_bytes else ""
    if measuring is None:
        learning, measuring = _divided(learning)
    return Samples(str(path), learning, measuring, note)


def noise(tensor: Tensor, count: int) -> Samples:
    """Return uniform noise for a network's input: within 0..1, or -1..1 if it is signed."""
    random = np.random.default_rng(SPLIT_SEED)
    shape = (2 * count, *tensor.shape)
    images = random.uniform(-1.0 if tensor.signed else 0.0, 1.0, shape).astype(np.float32)
    note = "scales were chosen on noise, and measured on it: real images will fare worse"
    return Samples(RANDOM, Part(images[:count], None), Part(images[count:], None), note)


def fitted(part: Part, source: str, graph: Graph, frame: bool = False) -> Part:
    """Return images in the shape that a network reads; extents of 1 may differ.

    Args:
        part: the images.
        source: where they come from.
        graph: the network.
        frame: whether smaller images may stand in the middle of zeros, and grey ones fill all
            channels.

    Raises:
        InputError: names both shapes.
    """
    shape, found = graph.input.shape, part.images.shape
    images = part.images
    if frame and can_be_framed(found[1:], shape):
        images = framed(images, shape)
    if _spoken(images.shape[1:]) != _spoken(shape):
        problem = f"images are {shape_text(found[1:]) or 'numbers'}"
        reads = f"{graph.name} reads {shape_text(shape)}"
        raise InputError(source, f"{problem}, {reads}", _reshaping(found, shape))
    return Part(images.reshape(len(part), *shape), part.labels)


def _spoken(shape: Shape) -> Shape:
    """Return a shape without extents of 1."""
    return tuple(extent for extent in shape if extent > 1)


def _reshaping(found: Shape, wanted: Shape) -> str:
    """Return the remedy for images of a wrong shape."""
    if _spoken(found) == _spoken(wanted):
        return f"give several, [N, {', '.join(map(str, wanted))}]"
    if len(found) == 4 and _spoken((found[3], *found[1:3])) == _spoken(wanted):
        return "put the channels first: images.transpose(0, 3, 1, 2)"
    if can_be_framed(found[1:], wanted):
        return "frame=true puts them in the middle of zeros, grey ones into all channels"
    return f"give [N, {', '.join(map(str, wanted))}]"


def _divided(part: Part) -> tuple[Part, Part]:
    """Return what is left, and a random fifth; few images twice."""
    if len(part) < _FEWEST_TO_DIVIDE:
        return part, part
    order = np.random.default_rng(SPLIT_SEED).permutation(len(part))
    held = len(part) // _HELD_SHARE
    return part.take(np.sort(order[held:])), part.take(np.sort(order[:held]))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, that of an `.npy` file as "x"."""
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"x": loaded}
        with loaded as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        remedy = f"name a .npy or .npz file, or write data={RANDOM} for noise"
        raise InputError("data", f"{path} cannot be read ({error.strerror})", remedy) from error
    except (ValueError, EOFError, AttributeError, MemoryError) as error:
        raise InputError(str(path), "is no NumPy file of numbers", _FORMAT) from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(str(path), "is a damaged NumPy archive", _FORMAT) from error


def _image_key(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the name of the array that holds the images."""
    others = [name for name in arrays if name not in ("y", "labels")]
    for name in ("x", "images"):
        if name in arrays:
            return name
    if len(others) == 1:
        return others[0]
    problem = f"holds {', '.join(arrays)}" if arrays else "holds no array"
    raise InputError(str(path), problem, _FORMAT)


def _part(path: Path, arrays: Mapping[str, NDArray[Any]], images: str, labels: str) -> Part:
    found = _images(f"{path}: {images}", arrays[images])
    if labels not in arrays:
        return Part(found, None)
    return Part(found, _labels(f"{path}: {labels}", arrays[labels], len(found)))


def _images(place: str, array: NDArray[Any]) -> Images:
    if not array.size or not array.ndim:
        raise InputError(place, "holds no image", _FORMAT)
    if array.dtype == np.uint8:
        return array.astype(np.float32) / np.float32(255)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(place, f"holds {array.dtype}", "give floats, or bytes (uint8) for 0..1")
    with np.errstate(over="ignore"):
        images = array.astype(np.float32)
    if not np.isfinite(images).all():
        wrong = int((~np.isfinite(images)).sum())
        raise InputError(place, f"{wrong:,} of {images.size:,} values are not finite")
    return images


def _labels(place: str, array: NDArray[Any], count: int) -> NDArray[np.int64]:
    if array.shape not in ((count,), (count, 1)):
        remedy = f"give one class per image, ({count},)"
        raise InputError(place, f"has the shape {array.shape}", remedy)
    if not np.issubdtype(array.dtype, np.integer) or int(array.min()) < 0:
        found = int(array.min()) if np.issubdtype(array.dtype, np.integer) else array.dtype
        raise InputError(place, f"holds {found}", "give whole numbers from 0")
    return array.reshape(-1).astype(np.int64)
