import gzip
import io
import re
import shutil
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Literal
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow_datasets as tfds
from etils import epath

import jaxnet
from jaxnet.data import MNIST, SHA256, as_bytes, check, from_bytes, load_mnist, on_bytes, parse_idx

# tensorflow-datasets and what it imports warn of their own future.
pytestmark = pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")

HERE = epath.Path(__file__).parent  # or tensorflow-datasets looks for the package that this module is not in

Sets = tuple[jaxnet.Dataset, jaxnet.Dataset]


def test_the_embedded_digits_are_those_of_mnist(mnist: Sets):
    train, test = mnist
    assert train.images.shape == (60_000, 784)
    assert test.images.shape == (10_000, 784)
    assert {train.images.dtype, test.images.dtype} == {np.dtype("float32")}
    assert {train.labels.dtype, test.labels.dtype} == {np.dtype("int32")}
    # Published facts: the numbers of each digit, the mean and deviation that everybody normalises with.
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    np.testing.assert_allclose(np.mean(train.images, dtype=np.float64), 0.1307, atol=5e-5)
    np.testing.assert_allclose(np.std(train.images, dtype=np.float64), 0.3081, atol=5e-5)


def test_pixels_are_bytes_divided_by_255(mnist: Sets):
    with gzip.open(MNIST / "t10k-images-idx3-ubyte.gz") as file:
        raw = np.frombuffer(file.read()[16:], np.uint8).reshape(10_000, 784)
    np.testing.assert_array_equal(np.round(255 * np.asarray(mnist[1].images)), raw)
    np.testing.assert_array_equal(mnist[1].images[7], (raw[7] / np.float32(255)).astype(np.float32))


def test_a_byte_means_the_float32_nearest_to_k_over_255():
    k = np.arange(256)
    nearest = np.array([float(value) / 255 for value in k]).astype(np.float32)
    for looked_at in (
        from_bytes,
        jax.jit(from_bytes),
        jax.vmap(jax.jit(from_bytes)),
    ):
        np.testing.assert_array_equal(looked_at(jnp.asarray(k, jnp.uint8)), nearest)
    one_more_product = jax.jit(lambda pixels: 3 * from_bytes(pixels))  # compiled into one loop with others
    np.testing.assert_array_equal(one_more_product(jnp.asarray(k, jnp.uint8)), np.float32(3) * nearest)


def test_images_become_bytes_only_where_nothing_is_lost(mnist: Sets):
    pixels = as_bytes(mnist[0].images)
    assert pixels.dtype == jnp.uint8
    np.testing.assert_array_equal(from_bytes(pixels), mnist[0].images)
    late = np.zeros((2_500, 3), np.float32)
    late[2_400, 1] = 0.1  # 25.5 of 255
    for images in (late, np.array([[0.5, 1.0]]), np.array([[1 / 256]], np.float32)):
        kept = as_bytes(images)
        assert jnp.issubdtype(kept.dtype, jnp.floating)
        np.testing.assert_array_equal(kept, images)
        assert from_bytes(kept) is kept


def test_a_mean_over_bytes_is_the_mean_over_images(few: jaxnet.Dataset):
    params, targets = jaxnet.init(jax.random.key(0), (784, 4, 10)), jaxnet.one_hot(few.labels)
    assert on_bytes(jaxnet.cost)(params, as_bytes(few.images), targets) == jaxnet.cost(params, few.images, targets)


def idx(values: np.ndarray) -> bytes:
    """An IDX file of unsigned bytes, written with struct."""
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def test_hand_made_idx_files_are_read_back():
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(parse_idx(idx(images), "images"), images)
    np.testing.assert_array_equal(parse_idx(idx(images[0, 0]), "labels"), [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x00\x00", "starts with 00 00; expected"),
        (b"\x00\x00\x0d\x03" + idx(np.zeros((1, 2, 2), np.uint8))[4:], "starts with 00 00 0d 03; expected"),
        (b"\x00\x00\x08\x02" + bytes(8), "starts with 00 00 08 02"),
        (b"PK\x03\x04", "starts with 50 4b 03 04"),
        (idx(np.zeros((2, 3, 4), np.uint8))[:10], "truncated: its header has 10 of 16 bytes"),
        (idx(np.zeros((2, 3, 4), np.uint8))[:-1], "has 23 bytes of values; its header promises 24"),
        (idx(np.zeros((2, 3, 4), np.uint8)) + b"\x00", "has 25 bytes of values; its header promises 24"),
        (struct.pack(">BBBBI", 0, 0, 8, 1, 2**32 - 1), "its header promises 4294967295"),
    ],
)
def test_damaged_idx_files_are_refused_by_name(content: bytes, message: str):
    with pytest.raises(ValueError, match=f"file.idx .*{re.escape(message)}"):
        parse_idx(content, "file.idx")


def test_a_file_that_is_not_the_original_is_refused_by_its_checksum(tmp_path: Path):
    for name in SHA256:
        shutil.copy(MNIST / name, tmp_path)
    target = tmp_path / "t10k-labels-idx1-ubyte.gz"
    target.write_bytes(gzip.compress(idx(np.zeros(10_000, np.uint8))))
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte.gz is damaged: its SHA-256 is [0-9a-f]{64}"):
        load_mnist(tmp_path)


def test_images_are_read_where_no_other_thread_can_start():
    with mock.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread")) as start:
        alone = load_mnist(MNIST)
    start.assert_called_once()
    jax.tree.map(np.testing.assert_array_equal, alone, load_mnist(MNIST))


def test_a_data_set_is_made_from_any_arrays():
    made = jaxnet.dataset(np.full((3, 2, 2), 255, np.uint8), [0, 1, 2])
    np.testing.assert_array_equal(made.images, np.ones((3, 4), np.float32))
    np.testing.assert_array_equal(made.labels, [0, 1, 2])
    assert (made.images.dtype, made.labels.dtype) == (np.float32, np.int32)
    made = jaxnet.dataset(jnp.array([[0.25, 1.0]]), jnp.array([3]))
    np.testing.assert_array_equal(made.images, [[0.25, 1]])


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((0, 4)), np.zeros(0, int), "data set is empty"),
        (np.zeros((3, 0)), np.zeros(3, int), "data set is empty"),
        (np.zeros((3, 4)), [0, 1], "3 images but 2 labels"),
        (np.zeros(4), [0], r"images has shape \(4,\)"),
        (np.zeros((2, 4)), [[0], [1]], r"labels \(2, 1\)"),
        (np.zeros((2, 4)), [0, -1], "labels has the value -1"),
        (np.zeros((2, 4)), [0.0, 1.0], "labels has dtype float64"),
        (np.zeros((2, 4)), ["a", "b"], "labels has dtype <U1"),
        (np.array([[0, 200]], np.int16), [0], "images has whole numbers from 0 to 200, which look like bytes"),
        (np.array([[3.0, 255.0]]), [0], "images has whole numbers from 3 to 255, which look like bytes: divide them"),
        (np.array([[0.0, np.nan]]), [0], "values that are not finite"),
        (np.array([[0.0, np.inf]]), [0], "values that are not finite"),
        (np.array([["a", "b"]]), [0], "images has dtype <U1"),
        (np.zeros((1, 4)), [2**32 + 1], "labels has the value 4294967297"),
    ],
)
def test_bad_arrays_are_refused_by_value(images, labels, message: str):
    with pytest.raises(ValueError, match=message):
        jaxnet.dataset(images, labels)


def test_targets_are_one_for_the_label_and_zero_elsewhere():
    np.testing.assert_array_equal(jaxnet.one_hot(jnp.array([1, 0, 3]), 4), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    assert jaxnet.one_hot(jnp.array([9])).shape == (1, 10)


def test_a_data_set_of_other_types_is_refused_where_it_is_used():
    images, labels = np.zeros((2, 4), np.float32), np.zeros(2, np.int32)
    check(jaxnet.Dataset(images, labels))
    for wrong in (jaxnet.Dataset(images.astype(np.uint8), labels), jaxnet.Dataset(images, labels + 0.5)):
        with pytest.raises(ValueError, match="expected floating-point numbers and integers"):
            check(wrong)
    with pytest.raises(Exception, match="labels has dtype float|Type-check error"):
        jaxnet.one_hot(np.array([1.5]))


@pytest.mark.parametrize("labels", [[0, 10], [-1, 3]])
def test_labels_outside_the_classes_are_refused(labels: list[int]):
    with pytest.raises(ValueError, match=f"labels run from {min(labels)} to {max(labels)}; with 10 classes"):
        jaxnet.one_hot(jnp.array(labels))


def test_a_table_of_any_finite_numbers_is_a_data_set_and_stays_as_it_is():
    table = np.array([[-2.5, 0.0, 300.0], [1.5, 128.5, 1e6]], np.float32)
    np.testing.assert_array_equal(jaxnet.dataset(table, [0, 1]).images, table)
    np.testing.assert_array_equal(as_bytes(table * 1e30), table * 1e30)  # without a warning
    check(jaxnet.Dataset(table, np.array([0, 1])))


@pytest.mark.parametrize("name", ["minst", "", "fashion_mnist", "digits.csv", "tfds:"])
def test_an_unknown_name_is_refused_with_what_is_possible(name: str):
    with pytest.raises(ValueError, match=f'data set "{name}" is unknown; expected "mnist", "tfds:NAME" or'):
        jaxnet.load(name)


def own(**changes) -> dict:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (6, 4, 4), np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": rng.integers(0, 256, (3, 4, 4), np.uint8),
        "y_test": np.array([2, 1, 0]),
    }
    return arrays | changes


def test_a_users_own_file_is_loaded(tmp_path: Path):
    arrays = own()
    np.savez(tmp_path / "digits.npz", **arrays)
    train, test = jaxnet.load(tmp_path / "digits.npz")
    np.testing.assert_array_equal(np.round(255 * np.asarray(train.images)), arrays["x_train"].reshape(6, 16))
    np.testing.assert_array_equal(test.labels, [2, 1, 0])


def test_a_file_with_any_byte_damaged_loads_or_is_refused_by_name(tmp_path: Path):
    np.savez_compressed(tmp_path / "whole.npz", **own(x_train=np.tile(own()["x_train"], (1, 9, 9))))
    whole = (tmp_path / "whole.npz").read_bytes()
    rng, refused = np.random.default_rng(0), 0
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.npz").write_bytes(damaged)
        try:
            jaxnet.load(tmp_path / "damaged.npz")
        except ValueError as error:
            assert "damaged.npz cannot be used" in str(error)  # noqa: PT017
            refused += 1
    assert refused > 100


def test_an_array_that_is_shorter_or_longer_than_its_header_promises_is_refused(tmp_path: Path):
    np.savez(tmp_path / "whole.npz", **own())
    whole = (tmp_path / "whole.npz").read_bytes()
    assert whole.count(b"(6, 4, 4)") == 1
    (tmp_path / "fewer.npz").write_bytes(whole.replace(b"(6, 4, 4)", b"(5, 4, 4)"))  # its checksum is that of all six
    with pytest.raises(ValueError, match="fewer.npz cannot be used: Bad CRC-32"):
        jaxnet.load(tmp_path / "fewer.npz")
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "|u1", "fortran_order": False, "shape": (10**12, 4)})
    with zipfile.ZipFile(tmp_path / "more.npz", "w") as archive:
        for name in own():
            archive.writestr(f"{name}.npy", member.getvalue() + bytes(24))
    with pytest.raises(ValueError, match="more.npz cannot be used: an array has 24 bytes .* promises 4000000000000"):
        jaxnet.load(tmp_path / "more.npz")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<f2"])
def test_arrays_of_any_order_and_kind_of_number_are_read(tmp_path: Path, kind: str, order: Literal["C", "F"]):
    images = np.linspace(0, 1, 3 * 2 * 4).reshape(3, 2, 4)
    np.savez(tmp_path / "digits.npz", **own(x_test=np.asarray(images, kind, order=order)))
    np.testing.assert_allclose(jaxnet.load(tmp_path / "digits.npz")[1].images, images.reshape(3, 8), atol=1e-3)


class Trap:
    """Unpickling this writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickles_in_a_users_file_are_refused_and_never_unpickled(tmp_path: Path):
    sprung = tmp_path / "sprung"
    np.savez(tmp_path / "trap.npz", allow_pickle=True, **own(y_train=np.array([Trap(sprung)], object)))
    with pytest.raises(ValueError, match="trap.npz cannot be used: .*pickled objects"):
        jaxnet.load(str(tmp_path / "trap.npz"))
    (tmp_path / "bare.npz").write_bytes(__import__("pickle").dumps(Trap(sprung)))
    with pytest.raises(ValueError, match="bare.npz cannot be used"):
        jaxnet.load(str(tmp_path / "bare.npz"))
    assert not sprung.exists()


def test_unusable_files_are_refused_by_name(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="absent.npz"):
        jaxnet.load(str(tmp_path / "absent.npz"))
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "whole.npz", **own())
    with (tmp_path / "single.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:-100])
    for name in ("text", "empty", "cut", "single"):
        with pytest.raises(ValueError, match=f"{name}.npz cannot be used"):
            jaxnet.load(str(tmp_path / f"{name}.npz"))
    np.savez(tmp_path / "less.npz", **{name: array for name, array in own().items() if name != "y_test"})
    with pytest.raises(ValueError, match=r"less.npz cannot be used: it has no y_test; found x_train, y_train, x_test"):
        jaxnet.load(str(tmp_path / "less.npz"))
    for value in (1.5, -0.1):
        np.savez(tmp_path / "range.npz", **own(x_test=np.full((3, 4, 4), value)))
        with pytest.raises(ValueError, match=f"range.npz cannot be used: images has values from {value}.* expected 0 "):
            jaxnet.load(str(tmp_path / "range.npz"))
    np.savez(tmp_path / "labels.npz", **own(y_train=np.array([0, 1])))
    with pytest.raises(ValueError, match=r"labels.npz cannot be used: there are 6 images but 2 labels"):
        jaxnet.load(str(tmp_path / "labels.npz"))


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys, jaxnet; jaxnet.load();"
        "heavy = {'tensorflow', 'tensorflow_datasets', 'matplotlib', 'tyro', 'safetensors'} & sys.modules.keys();"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_tensorflow_datasets_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ImportError, match="pip install tensorflow-datasets"):
        jaxnet.load("tfds:kmnist")


class TestTensorflowDatasets:
    """Sets prepared here, without a network."""

    def test_an_unknown_set_is_refused_by_name(self, tmp_path: Path):
        with pytest.raises(ValueError, match='"no_such_set" is not a data set of tensorflow-datasets'):
            jaxnet.load("tfds:no_such_set", data_dir=str(tmp_path))
        with pytest.raises(ValueError, match='"mnist:9.9.9" is not a data set of tensorflow-datasets'):
            jaxnet.load("tfds:mnist:9.9.9", data_dir=str(tmp_path))

    def test_a_set_that_needs_tensorflow_says_so_where_it_is_absent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "tensorflow", None)
        with pytest.raises(ImportError, match=r"preparing \"mnist.*needs TensorFlow: pip install tensorflow-cpu"):
            jaxnet.load("tfds:mnist", data_dir=str(tmp_path))
        assert not list(tmp_path.rglob("*.npz"))

    def test_a_set_that_does_not_classify_images_is_refused(self, tmp_path: Path):
        with pytest.raises(ValueError, match='"titanic.* is not a set for image classification'):
            jaxnet.load("tfds:titanic", data_dir=str(tmp_path))

    @pytest.mark.long
    def test_mnist_prepared_from_the_embedded_files_equals_the_embedded_arrays(
        self, mnist: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        for name, number in (("_TRAIN_EXAMPLES", 3_000), ("_TEST_EXAMPLES", 500)):  # all take a minute
            monkeypatch.setattr(f"tensorflow_datasets.image_classification.mnist.{name}", number)
        prepared = jaxnet.load("tfds:mnist", data_dir=str(tmp_path))
        for ours, theirs, number in zip(mnist, prepared, (3_000, 500), strict=True):
            assert theirs.images.shape == (number, 784)
            # tensorflow-datasets shuffles: compare after sorting both by label and pixels.
            first = jaxnet.Dataset(ours.images[:number], ours.labels[:number])
            np.testing.assert_array_equal(in_order(first), in_order(theirs))
        # Once prepared it is decoded without TensorFlow, in a program that cannot import it ...
        (cached,) = tmp_path.rglob("jaxnet.npz")
        arrays = dict(np.load(cached))
        cached.unlink()
        subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path)], check=True)
        again = dict(np.load(cached))
        assert arrays.keys() == again.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, again[name])
        # ... and after that not decoded at all.
        monkeypatch.delattr("tensorflow_datasets.core.DatasetBuilder.as_data_source")
        cached_train, _ = jaxnet.load("tfds:mnist", data_dir=str(tmp_path))
        np.testing.assert_array_equal(cached_train.images, prepared[0].images)


class TestSmallSets:
    """Sets of a few images, made here, through the same way."""

    def test_images_and_labels_come_through_in_colour(self, tmp_path: Path):
        train, test = jaxnet.load("tfds:tiny_colours", data_dir=str(tmp_path))
        assert train.images.shape == (6, 2 * 3 * 3)
        assert sorted(zip(train.labels.tolist(), np.round(255 * train.images[:, 0]).tolist(), strict=True)) == [
            (number % 3, 40.0 * number) for number in sorted(range(6), key=lambda number: (number % 3, number))
        ]
        assert len(test.labels) == 2
        (cached,) = tmp_path.rglob("jaxnet.npz")
        cached.write_bytes(cached.read_bytes()[:-1])
        with pytest.raises(ValueError, match="jaxnet.npz cannot be used: .*; remove it, and"):
            jaxnet.load("tfds:tiny_colours", data_dir=str(tmp_path))

    def test_where_the_cache_cannot_be_written_it_warns_and_loads(self, tmp_path: Path, monkeypatch):
        def full_disk(*_: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr("jaxnet.data.write_whole", full_disk)
        with pytest.warns(UserWarning, match=r"jaxnet.npz cannot be written.*No space left on device"):
            train, _ = jaxnet.load("tfds:tiny_colours", data_dir=str(tmp_path))
        assert len(train.labels) == 6

    def test_a_set_without_test_images_is_refused(self, tmp_path: Path):
        with pytest.raises(ValueError, match='"tiny_untested" has the splits train; expected train and test'):
            jaxnet.load("tfds:tiny_untested", data_dir=str(tmp_path))

    def test_a_set_of_images_of_many_sizes_is_refused(self, tmp_path: Path):
        with pytest.raises(ValueError, match='"tiny_growing" has images of 6 sizes'):
            jaxnet.load("tfds:tiny_growing", data_dir=str(tmp_path))


def numbered(numbers: range, growing: bool = False):
    for number in numbers:
        height = 2 + number if growing else 2
        yield number, {"image": np.full((height, 3, 3), 40 * number, np.uint8), "label": number % 3}


class TinyColours(tfds.core.GeneratorBasedBuilder):
    """Eight plain pictures."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = HERE

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"image": tfds.features.Image(shape=(None, 3, 3)), "label": tfds.features.ClassLabel(num_classes=3)}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
        )

    def _split_generators(self, _):
        return {"train": numbered(range(6)), "test": numbered(range(2))}

    def _generate_examples(self):
        raise AssertionError("the split generators are all there is")


class TinyUntested(TinyColours):
    """Only training images."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = HERE

    def _split_generators(self, _):
        return {"train": numbered(range(6))}


class TinyGrowing(TinyColours):
    """Each picture larger than the one before."""

    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = HERE

    def _split_generators(self, _):
        return {"train": numbered(range(6), growing=True), "test": numbered(range(2))}


WITHOUT_TENSORFLOW = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name == "tensorflow" else find(name, *rest)
import jaxnet
jaxnet.load("tfds:mnist", data_dir=sys.argv[1])
assert "tensorflow" not in sys.modules
"""


def in_order(data: jaxnet.Dataset) -> np.ndarray:
    rows = np.column_stack([data.labels, np.round(255 * np.asarray(data.images))]).astype(np.uint8)
    return np.sort(rows.view([("row", f"V{rows.shape[1]}")]).ravel())
