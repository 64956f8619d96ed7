"""Examples: images of handwritten digits and what they show.

Every source, the embedded MNIST, any tensorflow-datasets image set, a user's own arrays, comes out as one `Dataset`.
"""

import gzip
import hashlib
import io
import lzma
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxnet.cost import Mean
from jaxnet.files import write_whole
from jaxnet.kinds import as_numpy, check_array, check_function, check_rows, check_whole, described
from jaxnet.memory import check_fits

MNIST = Path(__file__).parent / "mnist"

# The SHA-256 that tensorflow-datasets registers for the four original files of LeCun, Cortes and Burges.
SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}


class Dataset(NamedTuple):
    """Examples, one a row: `images` float32 (n, pixels), `labels` int32 (n,) from 0.

    Pixels lie in [0, 1] where `load` read them. The columns of a table do as well, standardised: any finite numbers.
    """

    images: Float[Array | np.ndarray, "n pixels"]
    labels: Int[Array | np.ndarray, " n"]


def dataset(images: Any, labels: Any) -> Dataset:
    """A checked `Dataset` from any arrays: images (n, ...) are flattened, bytes (uint8) are divided by 255.

    Other numbers stay as they are, so a table (n, columns) trains too; standardise its columns first. Raises ValueError
    for empty data, lengths that differ, values that are not finite or look like bytes of another type, and labels that
    are not whole numbers from 0.

    >>> dataset(np.array([[[0, 255], [51, 0]]], np.uint8), [7])
    Dataset(images=array([[0. , 1. , 0.2, 0. ]], dtype=float32), labels=array([7], dtype=int32))
    """
    images, labels = as_numpy("images", images), as_numpy("labels", labels)
    if images.ndim < 2:
        raise ValueError(f"images has shape {images.shape}; expected (n, pixels) or (n, height, width, ...)")
    if images.dtype.kind not in "fiub":
        raise ValueError(f"images has dtype {images.dtype}; expected numbers")
    if images.dtype == np.uint8:
        images = np.divide(images, np.float32(255), dtype=np.float32)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels has dtype {labels.dtype}; expected whole numbers, the index of each image's class")
    if labels.size and labels.max() > np.iinfo(np.int32).max:
        raise ValueError(f"labels has the value {labels.max()}; classes are counted from 0")
    pixels = math.prod(images.shape[1:])
    made = Dataset(images.reshape(len(images), pixels).astype(np.float32, copy=False), labels.astype(np.int32))
    check(made)
    return made


def check(data: Dataset, name: str = "data") -> None:
    """Raises TypeError or ValueError, naming what is wrong, unless `data` is as `Dataset` says."""
    if not isinstance(data, Dataset):
        raise TypeError(f"{name} is {described(data)}; jaxnet.dataset(images, labels) makes a Dataset")
    for field, array in data._asdict().items():
        if not isinstance(array, jax.Array | np.ndarray):
            raise TypeError(
                f"{name} has {field} {described(array)}; expected an array: jaxnet.dataset(images, labels) makes it"
            )
    images, labels = as_numpy("images", data.images), as_numpy("labels", data.labels)
    if images.dtype.kind != "f" or labels.dtype.kind not in "iu":
        raise ValueError(
            f"images has dtype {images.dtype} and labels {labels.dtype}; expected floating-point numbers and integers:"
            " jaxnet.dataset(images, labels) makes them so"
        )
    if images.ndim != 2 or labels.ndim != 1:
        raise ValueError(
            f"images has shape {images.shape} and labels {labels.shape}; expected (n, pixels) and (n,):"
            " jaxnet.dataset(images, labels) makes them so"
        )
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images but {len(labels)} labels; each image needs exactly one")
    if images.size == 0:
        raise ValueError(f"the data set is empty: images has shape {images.shape}")
    low, high = images.min(), images.max()
    if not np.isfinite([low, high]).all():
        raise ValueError("images has values that are not finite; expected numbers")
    if low >= 0 and 127 < high <= 255 and np.array_equal(images, np.rint(images)):
        raise ValueError(
            f"images has whole numbers from {low:g} to {high:g}, which look like bytes: divide them by 255, or give"
            " them as np.uint8 to jaxnet.dataset; standardise them where they are the columns of a table"
        )
    if labels.min() < 0:
        raise ValueError(f"labels has the value {labels.min()}; classes are counted from 0")


def _pixels(images: Any, labels: Any) -> Dataset:
    """A checked `Dataset` of images: all its values lie in [0, 1]."""
    made = dataset(images, labels)
    low, high = made.images.min(), made.images.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"images has values from {low} to {high}; expected 0 (background) to 1: divide by the largest"
            " possible value"
        )
    return made


def as_bytes(images: Float[Array | np.ndarray, "n pixels"]) -> Float[Array, "n pixels"] | UInt8[Array, "n pixels"]:
    """Pixels that are k/255 as bytes k, a quarter of the memory to keep and to fetch; any others as they are.

    Nothing is lost: `from_bytes` brings back the very same numbers. It reads the values, so it belongs outside
    of `jit`.

    >>> as_bytes(np.array([[0.0, 51 / 255, 1.0]], np.float32))
    Array([[  0,  51, 255]], dtype=uint8)
    """
    return jax.device_put(as_host_bytes(images))


def as_host_bytes(images: Float[Array | np.ndarray, "n pixels"]) -> np.ndarray:
    """The same in this machine's memory, for images that do not fit on one device.

    >>> as_host_bytes(np.array([[0.0, 51 / 255, 1.0]], np.float32))
    array([[  0,  51, 255]], dtype=uint8)
    """
    check_rows(images=images)
    values = as_numpy("images", images)
    if values.dtype != np.float32:
        return values
    pixels = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), 200):  # so many at a time stay in the processor's cache
        some = slice(start, start + 200)
        with np.errstate(invalid="ignore", over="ignore"):  # what does not fit into a byte is seen below
            pixels[some] = np.rint(255 * values[some])
        if not np.array_equal(pixels[some] / np.float32(255), values[some]):
            return values
    return pixels


def from_bytes(pixels: Float[Array, "*n"] | UInt8[Array, "*n"]) -> Float[Array, "*n"]:
    """Pixels as the network takes them: k/255 for a byte k, any other number as it is.

    k/255 is summed from two products, so that it is the float32 nearest to it: the first has a factor of 16 bits and is
    exact, the second adds what those bits leave out. (One division becomes one product, which is not exact.)

    >>> float(from_bytes(jnp.uint8(51))) == float(np.float32(51 / 255))
    True
    """
    check_array("pixels", pixels, np.number)
    if pixels.dtype != jnp.uint8:
        return pixels
    k = pixels.astype(jnp.float32)
    return k * _FIRST_BITS + k * _OTHER_BITS


def on_bytes(mean: Mean) -> Mean:
    """The same mean over examples whose images are kept as bytes: `from_bytes` is applied where they are used.

    >>> mean = on_bytes(lambda params, images, answers: jnp.mean(images))
    >>> mean((), jnp.array([[0, 255]], jnp.uint8), jnp.zeros(1))
    Array(0.5, dtype=float32)
    """
    check_function("params, images, answers", mean=mean)
    return lambda params, images, answers: mean(params, from_bytes(images), answers)


_FIRST_BITS = round(2**23 / 255) / 2**23
_OTHER_BITS = 1 / 255 - _FIRST_BITS


def one_hot(labels: Int[Array | np.ndarray, " n"], classes: int = 10) -> Float[Array, "n classes"]:
    """Targets: 1 for the neuron of the label, 0 for all others; float32 (n, classes).

    It reads the values, so it belongs outside of `jit`. Raises ValueError for labels that are not whole numbers of
    shape (n,) or not in 0 ... classes - 1, TypeError for labels or classes of another kind.

    >>> one_hot(jnp.array([2, 0]), classes=3)
    Array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    check_whole(1, classes=classes)
    labels = as_numpy("labels", labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(
            f"labels has dtype {labels.dtype} and shape {labels.shape}; expected integers of shape (n,): the digits"
            " themselves, not one-hot targets"
        )
    low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
    if low < 0 or high >= classes:
        raise ValueError(f"labels run from {low} to {high}; with {classes} classes they must lie in 0 to {classes - 1}")
    largest = 4 * classes * max(classes, len(labels))
    check_fits(f"an array of targets for {len(labels):,} labels and {classes:,} classes", largest)
    return jax.device_put(np.eye(classes, dtype=np.float32)[labels])  # `jnp.asarray` compiles something for each shape


def load(name: str | os.PathLike[str] = "mnist", *, data_dir: str | None = None) -> tuple[Dataset, Dataset]:
    """The training and the test examples of a data set, pixels from 0 (background) to 1.

    - "mnist": the embedded original files, 60,000 and 10,000 images of 28 x 28, checked by SHA-256.
    - "tfds:NAME": an image classification set of tensorflow-datasets, such as "tfds:fashion_mnist" or
      "tfds:emnist/digits", prepared below `data_dir` (its default is tensorflow-datasets' own).
    - a path that ends in .npz: a file with the arrays x_train, y_train, x_test, y_test; pickles are refused.

    Raises ValueError for an unknown name or bad contents, FileNotFoundError for a missing file, ImportError where
    tensorflow-datasets is needed and absent. MNIST: LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist.

    >>> train, test = load("mnist")
    >>> train.images.shape, test.labels.shape
    ((60000, 784), (10000,))
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f'name is {described(name)}; expected "mnist", "tfds:NAME" or the path of an .npz file')
    name = os.fspath(name)
    if name == "mnist":
        return load_mnist(MNIST)
    if name.startswith("tfds:") and name != "tfds:":
        return _load_tfds(name.removeprefix("tfds:"), data_dir)
    if name.endswith(".npz"):
        return _load_npz(Path(name))
    raise ValueError(f'data set "{name}" is unknown; expected "mnist", "tfds:NAME" or the path of an .npz file')


def load_mnist(folder: Path) -> tuple[Dataset, Dataset]:
    """MNIST from a folder with the four original files. Raises ValueError where one differs from the original."""

    def read(kind: str) -> Dataset:
        names = (f"{kind}-images-idx3-ubyte.gz", f"{kind}-labels-idx1-ubyte.gz")
        return _pixels(*(parse_idx(_verified(folder / name, SHA256[name]), name) for name in names))

    kinds = ("train", "t10k")
    try:
        with ThreadPoolExecutor() as threads:  # unpacking leaves Python to other threads
            train, test = threads.map(read, kinds)
    except RuntimeError:  # no other thread can start: there is too little memory for one, or there are too many
        train, test = map(read, kinds)
    return train, test


def _verified(path: Path, checksum: str) -> bytes:
    packed = path.read_bytes()
    found = hashlib.sha256(packed).hexdigest()
    if found != checksum:
        raise ValueError(f"{path} is damaged: its SHA-256 is {found}, the original's is {checksum}")
    return gzip.decompress(packed)


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """The array in an IDX file of unsigned bytes: images (n, rows, columns) or labels (n,).

    Two zero bytes, the type (8 for unsigned byte), the number of dimensions, each size as a big-endian 32-bit number,
    then the values. Raises ValueError, naming the file, where the content is anything else. LeCun's MNIST page.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 9]), "labels")
    array([5, 9], dtype=uint8)
    """
    magic, dimensions = content[:3], content[3] if len(content) > 3 else 0
    if not content:
        raise ValueError(f"{name} is empty")
    if magic != b"\x00\x00\x08" or dimensions not in (1, 3):
        raise ValueError(f"{name} starts with {content[:4].hex(' ')}; expected 00 00 08 01 (labels) or 00 00 08 03")
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(f"{name} is truncated: its header has {len(content)} of {start} bytes")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=dimensions, offset=4))
    if len(content) != start + math.prod(shape):
        raise ValueError(f"{name} has {len(content) - start} bytes of values; its header promises {math.prod(shape)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


# What zipfile and NumPy raise for an archive that is cut, flipped or encrypted, as tests/attacks/files.py shows.
_DAMAGE = (
    ValueError, TypeError, SyntaxError, tokenize.TokenError, OSError, EOFError, RuntimeError, MemoryError,
    OverflowError, struct.error, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip


def _load_npz(path: Path) -> tuple[Dataset, Dataset]:
    names = ("x_train", "y_train", "x_test", "y_test")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                present = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
                missing = [name for name in names if name not in present]
                if missing:
                    raise ValueError(f"it has no {', '.join(missing)}; found {', '.join(present) or 'nothing'}")
                x_train, y_train, x_test, y_test = (_parse_npy(archive.read(f"{name}.npy")) for name in names)
            return _pixels(x_train, y_train), _pixels(x_test, y_test)
        except _DAMAGE as error:
            raise ValueError(
                f"{path} cannot be used: {error!s:.200} (expected an .npz file of number arrays named"
                f" {', '.join(names)})"
            ) from error


def _parse_npy(content: bytes) -> np.ndarray:
    """The array in an .npy file. NumPy makes room for what the header promises before it sees whether it is there."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it has pickled objects, which are never read")
    promised, there = math.prod(shape) * dtype.itemsize, len(content) - file.tell()
    if promised != there:
        raise ValueError(f"an array has {there} bytes of values; its header promises {promised}")
    array = np.frombuffer(content, dtype, offset=file.tell()) if there else np.empty(0, dtype)
    return array.reshape(shape, order="F" if by_columns else "C").copy()


def _load_tfds(name: str, data_dir: str | None) -> tuple[Dataset, Dataset]:
    try:
        import tensorflow_datasets as tfds

        tfds.core  # noqa: B018 (where it lacks a requirement, it logs that and imports as an empty module)
    except (ImportError, AttributeError) as error:
        raise ImportError(
            f'"tfds:{name}" needs tensorflow-datasets: pip install tensorflow-datasets importlib_resources'
        ) from error
    try:
        builder: Any = tfds.builder(name, data_dir=data_dir, file_format="array_record")
    except (tfds.core.DatasetNotFoundError, AssertionError) as error:  # the latter for a version that there is not
        raise ValueError(
            f'"{name}" is not a data set of tensorflow-datasets; tfds.list_builders() lists them'
        ) from error
    cached = Path(builder.data_dir) / "jaxnet.npz"
    if cached.exists():
        try:
            return _load_npz(cached)
        except ValueError as error:
            raise ValueError(f"{error}; remove it, and the images are decoded anew") from error
    image, label = _supervised(tfds, builder)
    if not builder.is_prepared():
        _prepare(tfds, builder)
    if not {"train", "test"} <= set(builder.info.splits):
        raise ValueError(f'"{name}" has the splits {", ".join(builder.info.splits)}; expected train and test')
    arrays = {}
    for split in ("train", "test"):
        examples = list(builder.as_data_source(split))
        shapes = sorted({example[image].shape for example in examples})
        if len(shapes) > 1:
            raise ValueError(f'"{name}" has images of {len(shapes)} sizes, such as {shapes[:2]}; expected one size')
        arrays[f"x_{split}"] = np.stack([example[image] for example in examples])
        arrays[f"y_{split}"] = np.array([example[label] for example in examples], np.int32)
    sets = _pixels(arrays["x_train"], arrays["y_train"]), _pixels(arrays["x_test"], arrays["y_test"])
    try:
        content = io.BytesIO()
        np.savez(content, allow_pickle=False, **arrays)
        write_whole(cached, content.getvalue())
    except OSError as error:
        warnings.warn(f"{cached} cannot be written, so the images are decoded anew each time: {error}", stacklevel=3)
    return sets


def _supervised(tfds: ModuleType, builder: Any) -> tuple[str, str]:
    """The names of the image and of the label."""
    features = builder.info.features
    match builder.info.supervised_keys:
        case (str() as image, str() as label) if isinstance(features[image], tfds.features.Image) and isinstance(
            features[label], tfds.features.ClassLabel
        ):
            return image, label
    raise ValueError(f'"{builder.info.full_name}" is not a set for image classification')


def _prepare(tfds: ModuleType, builder: Any) -> None:
    try:
        import tensorflow  # noqa: F401  # pyright: ignore
    except ImportError as error:
        raise ImportError(
            f'preparing "{builder.info.full_name}" for the first time needs TensorFlow: pip install tensorflow-cpu'
        ) from error
    # The embedded files spare MNIST the download; other sets use the same file names for other contents.
    embedded = str(MNIST) if builder.name == "mnist" else None
    config = tfds.download.DownloadConfig(manual_dir=embedded)
    builder.download_and_prepare(download_config=config, file_format="array_record")
