"""Fashion-MNIST: 70,000 grey images of 28 x 28 pixels, ten kinds of clothing."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.accuracy.dataset import SPLIT_SEED, Dataset, DatasetSource, Split
from codesign.errors import InputError

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist keeps the files."""

_VALIDATION = 10_000
_UNSIGNED_BYTES = 0x08


@dataclass(frozen=True, slots=True)
class FashionMnist(DatasetSource):
    """Reads the four IDX files, gzipped or plain; 10,000 training images become validation.

    The same four names and formats hold for MNIST itself.
    Source: Xiao et al., arXiv 1708.07747, 2017.
    """

    path: str = ""
    """Folder of the files; empty: where Debian's package puts them."""

    def load(self) -> Dataset:
        """Read the images; bytes become 0..1."""
        folder = Path(self.path).expanduser() if self.path else DEBIAN_FOLDER
        rest = _split(folder, "train")
        order = np.random.default_rng(SPLIT_SEED).permutation(len(rest))
        held = min(_VALIDATION, len(rest) // 6)
        return Dataset(
            name="fashion_mnist",
            classes=10,
            train=rest.take(order[:-held]),
            validation=rest.take(order[-held:]),
            test=_split(folder, "t10k"),
        )


def _split(folder: Path, prefix: str) -> Split:
    pixels = _read(folder, f"{prefix}-images-idx3-ubyte", axes=3)
    labels = _read(folder, f"{prefix}-labels-idx1-ubyte", axes=1)
    images = pixels[:, None].astype(np.float32) / np.float32(255)
    try:
        return Split(images, labels.astype(np.int64))
    except ValueError as error:
        raise InputError(str(folder), f"{prefix} files disagree: {error}") from error


def _read(folder: Path, name: str, axes: int) -> NDArray[np.uint8]:
    """Return the array of an IDX file of unsigned bytes.

    Source: LeCun, Cortes and Burges, "The MNIST database", section "file formats".
    """
    path = next((p for p in (folder / f"{name}.gz", folder / name) if p.is_file()), None)
    if path is None:
        raise InputError(
            "dataset.path",
            f"{folder} has no {name} or {name}.gz",
            "install Debian's package dataset-fashion-mnist, or name the folder of the IDX files",
        )
    try:
        raw = path.read_bytes()
        data = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), f"cannot be read ({error})", "copy it again") from error
    header = np.frombuffer(data[: 4 + 4 * axes], dtype=">u4")
    if len(data) < 4 + 4 * axes or header[0] != _UNSIGNED_BYTES << 8 | axes:
        raise InputError(str(path), f"is no IDX file of bytes with {axes} axes", "copy it again")
    shape = tuple(int(extent) for extent in header[1:])
    pixels = np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * axes)
    if pixels.size != math.prod(shape) or not pixels.size:
        raise InputError(
            str(path), f"holds {pixels.size} bytes, its header says {shape}", "copy it again"
        )
    return pixels.reshape(shape)
