"""Arrays of the user's own, in one NumPy archive."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.dataset import Dataset, DatasetSource, Split, divide
from codesign.errors import InputError

_FORMAT = "save x_train, y_train, x_test and y_test with numpy.savez"


@dataclass(frozen=True, slots=True)
class Npz(DatasetSource):
    """Reads `x_train`, `y_train`, `x_test`, `y_test` and, where there, `x_val`, `y_val`.

    Images are `[N, C, H, W]`, `[N, H, W]` or features `[N, F]`: bytes, or floats within 0..1.
    Labels are whole numbers from 0. Without `x_val` a fifth of the training data validates.
    """

    path: str = ""

    def load(self) -> Dataset:
        """Read the archive."""
        if not self.path:
            raise InputError("dataset.path", "is empty", "name a .npz file")
        path = Path(self.path).expanduser()
        arrays = _arrays(path)
        train, test = _split(path, arrays, "train"), _split(path, arrays, "test")
        if "x_val" in arrays:
            validation = _split(path, arrays, "val")
        else:
            train, validation = divide(train, 0.2)
        classes = 1 + max(int(s.labels.max()) for s in (train, validation, test))
        try:
            return Dataset(path.stem, classes, train, validation, test)
        except ValueError as error:
            raise InputError(str(path), str(error)) from error


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except OSError as error:
        raise InputError("dataset.path", f"{path} cannot be read ({error.strerror})") from error
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(str(path), "is no NumPy archive of numbers", _FORMAT) from error


def _split(path: Path, arrays: dict[str, NDArray[np.generic]], name: str) -> Split:
    for key in (f"x_{name}", f"y_{name}"):
        if key not in arrays:
            raise InputError(f"{path}: {key}", "is missing", _FORMAT)
    return Split(
        _images(f"{path}: x_{name}", arrays[f"x_{name}"]),
        _labels(f"{path}: y_{name}", arrays[f"y_{name}"], len(arrays[f"x_{name}"])),
    )


def _images(place: str, array: NDArray[np.generic]) -> NDArray[np.float32]:
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        shapes = "give [N, C, H, W], [N, H, W] or [N, F]"
        raise InputError(place, f"has the shape {array.shape}", shapes)
    if array.dtype == np.uint8:
        images = array.astype(np.float32) / np.float32(255)
    elif np.issubdtype(array.dtype, np.floating):
        images = array.astype(np.float32)
    else:
        raise InputError(place, f"holds {array.dtype}", "give bytes (uint8) or floats within 0..1")
    if not (np.isfinite(images).all() and images.min() >= 0.0 and images.max() <= 1.0):
        found = f"{images.min():g} .. {images.max():g}"
        raise InputError(place, f"holds {found}", "scale it to 0..1")
    if array.ndim == 2:
        return images[:, :, None, None]
    return images[:, None] if array.ndim == 3 else images


def _labels(place: str, array: NDArray[np.generic], count: int) -> NDArray[np.int64]:
    if array.shape not in ((count,), (count, 1)):
        raise InputError(
            place, f"has the shape {array.shape}", f"give one label per image, ({count},)"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(place, f"holds {array.dtype}", "give whole numbers from 0")
    labels = array.reshape(-1).astype(np.int64)
    if int(labels.min()) < 0:
        raise InputError(place, f"holds {int(labels.min())}", "give whole numbers from 0")
    return labels
