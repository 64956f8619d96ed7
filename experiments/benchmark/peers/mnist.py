"""The MNIST files of jaxnet as NumPy arrays, without jaxnet and JAX, for processes that are to start without them."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[3] / "jaxnet" / "mnist"


def load() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images and labels, test images and labels: float32 (n, 784) in [0, 1], int32 (n,)."""
    return _images("train"), _labels("train"), _images("t10k"), _labels("t10k")


def _images(part: str) -> np.ndarray:
    pixels = np.frombuffer(gzip.decompress((FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes()), np.uint8, offset=16)
    return np.divide(pixels.reshape(-1, 784), np.float32(255), dtype=np.float32)


def _labels(part: str) -> np.ndarray:
    content = gzip.decompress((FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=8).astype(np.int32)
