"""The contract of data sets, for every member of the folder, and what each reads."""

import gzip
import struct

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from codesign import load
from codesign.accuracy.dataset import DatasetSource, Split, divide
from codesign.accuracy.datasets.digits import Digits
from codesign.accuracy.datasets.fashion_mnist import DEBIAN_FOLDER, FashionMnist
from codesign.accuracy.datasets.image_folder import ImageFolder
from codesign.accuracy.datasets.npz import Npz
from codesign.errors import InputError

NAMES = load.names("accuracy.datasets")
RANDOM = np.random.default_rng(0)


def rows(*splits):
    """Return images and labels as sortable rows."""
    return sorted(
        (int(label), image.tobytes())
        for split in splits
        for image, label in zip(split.images, split.labels, strict=True)
    )


def test_the_issue_sources_are_there():
    assert {"digits", "fashion_mnist", "image_folder", "npz"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_without_options_a_source_loads_twice_the_same_or_asks_for_its_path(name):
    source = load.build(load.member("accuracy.datasets", DatasetSource, name), {}, "dataset")
    outcomes = []
    for _ in range(2):
        try:
            outcomes.append(source.load().record())
        except InputError as error:
            outcomes.append(error.place)
    assert outcomes[0] == outcomes[1]
    assert outcomes[0] == "dataset.path" or outcomes[0]["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_is_not_there_is_answered_by_the_option(name, tmp_path):
    member = load.member("accuracy.datasets", DatasetSource, name)
    if not hasattr(member, "path"):
        pytest.skip(f"{name} reads no path")
    with pytest.raises(InputError, match=r"dataset\.path: .*missing"):
        member(path=str(tmp_path / "missing")).load()


# --- splits


def test_digits_are_split_without_loss_and_class_by_class():
    dataset = Digits().load()
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    assert rows(dataset.train, dataset.validation, dataset.test) == rows(Split(images, labels))
    for split, share in ((dataset.train, 0.6), (dataset.validation, 0.2), (dataset.test, 0.2)):
        np.testing.assert_allclose(np.bincount(split.labels), np.bincount(labels) * share, atol=1.5)
    assert len(dataset.test) == 359


def test_the_record_notices_one_changed_pixel_and_one_changed_label():
    split = Split(np.zeros((3, 1, 2, 2), np.float32), np.array([0, 1, 1]))
    images, labels = split.images.copy(), split.labels.copy()
    images[2, 0, 1, 1], labels[0] = 1.0, 1
    digests = {split.digest(), Split(images, split.labels).digest()}
    assert len(digests | {Split(split.images, labels).digest()}) == 3


def test_dividing_leaves_every_class_on_both_sides():
    labels = np.repeat([0, 1, 2], [2, 30, 1])
    split = Split(RANDOM.random((33, 1, 2, 2)).astype(np.float32), labels)
    rest, drawn = divide(split, 0.1)
    assert np.bincount(drawn.labels, minlength=3).tolist() == [1, 3, 0]
    assert rows(rest, drawn) == rows(split)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 4), np.float32), np.zeros(2, np.int64), "images are float32"),
        (np.zeros((2, 1, 2, 2)), np.zeros(2, np.int64), "images are float32"),
        (np.zeros((2, 1, 2, 2), np.float32), np.zeros(3, np.int64), "as many"),
        (np.full((2, 1, 2, 2), 1.5, np.float32), np.zeros(2, np.int64), "leave 0..1"),
        (np.full((2, 1, 2, 2), np.nan, np.float32), np.zeros(2, np.int64), "leave 0..1"),
    ],
)
def test_a_split_refuses_what_it_is_not(images, labels, message):
    with pytest.raises(ValueError, match=message):
        Split(images, labels)


# --- Fashion-MNIST


def write_idx(path, array, magic=None):
    header = struct.pack(">I", 0x0800 | array.ndim if magic is None else magic)
    header += struct.pack(f">{array.ndim}I", *array.shape)
    data = header + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def fashion(tmp_path):
    """A small data set in the four files, two gzipped and two plain."""
    for prefix, count, ending in (("train", 60, ".gz"), ("t10k", 10, "")):
        pixels = RANDOM.integers(256, size=(count, 28, 28))
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte{ending}", pixels)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte{ending}", np.arange(count) % 10)
    return tmp_path


def test_idx_files_are_read_gzipped_and_plain(fashion):
    dataset = FashionMnist(str(fashion)).load()
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [50, 10, 10]
    assert dataset.test.labels.tolist() == list(range(10))
    raw = (fashion / "t10k-images-idx3-ubyte").read_bytes()[16:]
    assert np.rint(dataset.test.images * 255).astype(np.uint8).tobytes() == raw


def test_missing_fashion_mnist_names_the_debian_package(tmp_path):
    with pytest.raises(InputError, match=r"dataset\.path: .*dataset-fashion-mnist"):
        FashionMnist(str(tmp_path)).load()


@pytest.mark.parametrize("fault", ["cut", "magic", "gzip", "count"])
def test_a_broken_idx_file_is_named(fashion, fault):
    path = fashion / "train-images-idx3-ubyte.gz"
    if fault == "cut":
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    elif fault == "magic":
        write_idx(path, np.zeros((60, 28, 28)), magic=0x0D03)
    elif fault == "gzip":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        write_idx(path, np.zeros((59, 28, 28)))
    with pytest.raises(InputError, match=str(fashion)):
        FashionMnist(str(fashion)).load()


def test_the_real_fashion_mnist_has_its_published_sizes():
    if not DEBIAN_FOLDER.is_dir():
        pytest.skip(f"{DEBIAN_FOLDER} is missing: apt-get install dataset-fashion-mnist")
    dataset = FashionMnist().load()
    sizes = [len(split) for split in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [50_000, 10_000, 10_000]
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    together = np.concatenate([dataset.train.labels, dataset.validation.labels])
    assert np.bincount(together).tolist() == [6000] * 10


# --- NumPy archives


def write_npz(path, **changes):
    arrays = {
        "x_train": RANDOM.integers(256, size=(40, 3, 6, 5), dtype=np.uint8),
        "y_train": np.arange(40) % 4,
        "x_test": RANDOM.integers(256, size=(8, 3, 6, 5), dtype=np.uint8),
        "y_test": np.arange(8) % 4,
    }
    kept = {name: array for name, array in (arrays | changes).items() if array is not None}
    np.savez(path, **kept)
    return Npz(str(path))


def test_an_archive_of_bytes_is_read_and_a_fifth_validates(tmp_path):
    dataset = write_npz(tmp_path / "mine.npz").load()
    assert (dataset.name, dataset.classes, dataset.shape) == ("mine", 4, (3, 6, 5))
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [32, 8, 8]


def test_an_archive_may_bring_features_and_its_own_validation(tmp_path):
    features = {f"x_{name}": RANDOM.random((8, 16)) for name in ("train", "val", "test")}
    labels = {f"y_{name}": np.arange(8)[:, None] % 2 for name in ("train", "val", "test")}
    dataset = write_npz(tmp_path / "mine.npz", **features, **labels).load()
    assert dataset.shape == (16, 1, 1)
    np.testing.assert_allclose(dataset.validation.images[:, :, 0, 0], features["x_val"], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "y_test: is missing"),
        ({"x_train": np.zeros(40)}, r"x_train: has the shape \(40,\)"),
        ({"x_train": np.full((40, 3, 6, 5), 7.0)}, "x_train: holds 7 .. 7; scale it"),
        ({"x_train": np.full((40, 3, 6, 5), np.nan)}, "x_train: holds nan"),
        ({"x_train": np.zeros((40, 3, 6, 5), int)}, "x_train: holds int64; give bytes"),
        ({"x_test": np.zeros((8, 3, 5, 5))}, r"test images are \(3, 5, 5\), not \(3, 6, 5\)"),
        ({"y_train": np.zeros(39, int)}, r"y_train: has the shape \(39,\)"),
        ({"y_train": np.zeros(40)}, "y_train: holds float64"),
        ({"y_train": np.full(40, -1)}, "y_train: holds -1"),
        ({"y_train": np.zeros(40, int), "y_test": np.zeros(8, int)}, "at least two classes"),
    ],
)
def test_a_wrong_array_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        write_npz(tmp_path / "mine.npz", **changes).load()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"mine\.npz: is no NumPy archive"):
        Npz(str(tmp_path / "mine.npz")).load()


def test_an_archive_of_objects_is_not_unpickled(tmp_path):
    objects = np.array([{}] * 40, dtype=object)
    with pytest.raises(InputError, match="is no NumPy archive"):
        write_npz(tmp_path / "mine.npz", y_train=objects).load()


# --- folders of images


def write_images(folder, count=10, size=(6, 4), mode="L", classes=("cat", "dog")):
    """Write images whose every pixel is 50 * class + number."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            image = Image.new("L", size, 50 * label + number).convert(mode)
            image.save(folder / name / f"{number:02}.png")


def test_a_folder_of_classes_is_split(tmp_path):
    write_images(tmp_path)
    dataset = ImageFolder(str(tmp_path)).load()
    assert dataset.shape == (1, 4, 6)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [12, 4, 4]
    for split in (dataset.train, dataset.validation, dataset.test):
        pixels = np.rint(split.images[:, 0, 0, 0] * 255)
        assert (pixels // 50 == split.labels).all()


def test_a_folder_may_bring_its_split_and_colours(tmp_path):
    for name, count in (("train", 10), ("test", 3)):
        write_images(tmp_path / name, count, mode="RGB")
    dataset = ImageFolder(str(tmp_path)).load()
    assert dataset.shape == (3, 4, 6)
    assert [len(s) for s in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 6]
    write_images(tmp_path / "validation", 2)
    assert len(ImageFolder(str(tmp_path), size=5).load().validation) == 4
    assert ImageFolder(str(tmp_path), size=5).load().shape == (3, 5, 5)


def spoil(tmp_path, fault):
    write_images(tmp_path / "train")
    if fault != "no test":
        write_images(tmp_path / "test", classes=("cat", "cow" if fault == "class" else "dog"))
    first = tmp_path / "train" / "cat" / "00.png"
    if fault == "empty":
        for path in (tmp_path / "test" / "cat").iterdir():
            path.unlink()
    elif fault == "size":
        Image.new("L", (9, 9)).save(first)
    elif fault == "text":
        first.write_text("no image")
    elif fault == "deep":
        Image.fromarray(np.zeros((4, 6), np.uint16)).save(first)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no test", "no folder test"),
        ("class", "cow: is a class that has no training images"),
        ("empty", "cat: has no images"),
        ("size", r"is \(4, 6\), .*00\.png is \(9, 9\); set dataset\.size"),
        ("text", r"00\.png: is no image"),
        ("deep", r"00\.png: has more than 8 bits"),
    ],
)
def test_a_wrong_folder_is_named(tmp_path, fault, message):
    spoil(tmp_path, fault)
    with pytest.raises(InputError, match=message):
        ImageFolder(str(tmp_path)).load()
