"""A folder of images, one sub-folder per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from codesign.accuracy.dataset import Dataset, DatasetSource, Split, divide
from codesign.errors import InputError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".tif", ".tiff")
_LAYOUT = "lay it out as CLASS/*.png, or as train/CLASS/*.png and test/CLASS/*.png"


@dataclass(frozen=True, slots=True)
class ImageFolder(DatasetSource):
    """Reads `train/CLASS/*` and `test/CLASS/*` (and `validation/CLASS/*` where there).

    With classes directly in the folder, 60 % of each trains, 20 % validates, 20 % tests; with
    no validation folder a fifth of the training images validates. Classes are numbered in the
    order of their names. Images are grey if all of them are, else RGB.
    """

    path: str = ""
    size: int = 0
    """Rows and columns to resize to; 0: all images must have one size already."""

    def load(self) -> Dataset:
        """Read every image."""
        if not self.path:
            raise InputError("dataset.path", "is empty", "name a folder of images")
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise InputError("dataset.path", f"{root} is no folder", _LAYOUT)
        train = root / "train" if (root / "train").is_dir() else root
        classes = [folder.name for folder in _folders(train)]
        if len(classes) < 2:
            raise InputError(str(train), "has fewer than two folders of images", _LAYOUT)
        names = ("train", "validation", "test") if train != root else (".",)
        found = {name: _files(root / name, classes) for name in names if (root / name).is_dir()}
        if train != root and "test" not in found:
            raise InputError(str(root), "has a folder train, but no folder test", _LAYOUT)
        mode = _mode([path for split in found.values() for path, _ in split])
        splits = {name: self._read(files, mode) for name, files in found.items()}
        return _dataset(root, len(classes), splits)

    def _read(self, files: Sequence[tuple[Path, int]], mode: str) -> Split:
        images = [_pixels(path, mode, self.size) for path, _ in files]
        for (path, _), image in zip(files, images, strict=True):
            if image.shape != images[0].shape:
                raise InputError(
                    str(path),
                    f"is {image.shape[1:]}, {files[0][0]} is {images[0].shape[1:]}",
                    "set dataset.size to resize all images",
                )
        return Split(np.stack(images), np.array([label for _, label in files], dtype=np.int64))


def _dataset(root: Path, classes: int, splits: dict[str, Split]) -> Dataset:
    if "." in splits:
        rest, test = divide(splits["."], 0.2)
        train, validation = divide(rest, 0.25)
    else:
        train, test = splits["train"], splits["test"]
        if "validation" in splits:
            validation = splits["validation"]
        else:
            train, validation = divide(train, 0.2)
    try:
        return Dataset(root.name, classes, train, validation, test)
    except ValueError as error:
        raise InputError(str(root), str(error), "set dataset.size to resize all images") from error


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _files(folder: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Return every image of a split with its class, in the order of their names."""
    for path in _folders(folder):
        if path.name not in classes:
            raise InputError(str(path), "is a class that has no training images", _LAYOUT)
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        paths = sorted((folder / name).glob("*"))
        images = [path for path in paths if path.suffix.lower() in _SUFFIXES]
        if not images:
            raise InputError(str(folder / name), "has no images", "known: " + " ".join(_SUFFIXES))
        found += [(path, label) for path in images]
    return found


def _mode(paths: Sequence[Path]) -> str:
    """Return Pillow's name of the colours that hold every image: grey or RGB."""
    grey = True
    for path in paths:
        try:
            with Image.open(path) as opened:
                mode = opened.mode
        except OSError as error:
            raise InputError(str(path), "is no image that can be read") from error
        if mode[0] in "IF":
            raise InputError(str(path), "has more than 8 bits per colour", "convert it to 8 bits")
        grey = grey and mode in ("1", "L")
    return "L" if grey else "RGB"


def _pixels(path: Path, mode: str, size: int) -> NDArray[np.float32]:
    """Return `C x H x W` within 0..1."""
    try:
        with Image.open(path) as opened:
            image = opened.convert(mode)
            image = image.resize((size, size)) if size else image
    except OSError as error:
        raise InputError(str(path), "is no image that can be read") from error
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
