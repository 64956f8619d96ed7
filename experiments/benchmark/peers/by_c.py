"""C: network.c, compiled when it is first needed, and called once for each epoch. One core."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from experiments.benchmark.peers import Evaluation, Params, Trainer

COMPILER = os.environ.get("CC", "cc")
SOURCE = Path(__file__).parent / "network.c"


def available() -> bool:
    """Whether there is a compiler."""
    return shutil.which(COMPILER) is not None


@functools.cache
def library() -> Any:
    """The compiled functions. Raises FileNotFoundError without a compiler."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.so"
        options = ["-O3", "-march=native", "-shared", "-fPIC", "-o", str(path), str(SOURCE), "-lm"]
        subprocess.run([COMPILER, *options], check=True)  # noqa: S603
        return ctypes.CDLL(str(path))


def trainer(params: Params, images: np.ndarray, targets: np.ndarray, batch_size: int, rate: float) -> Trainer:
    """All parameters lie in one array, layer after layer: first the weights, then the biases."""
    train, evaluate = library().train, library().evaluate
    sizes = np.array([params[0][0].shape[1], *(len(b) for _, b in params)], np.int32)
    network = np.concatenate([leaf.ravel() for layer in params for leaf in layer])
    gradient = np.empty_like(network)
    activations, deltas = np.empty((2, sizes.sum()), np.float32)
    ints, floats, longs = (np.ctypeslib.ndpointer(dtype, flags="C") for dtype in (np.int32, np.float32, np.int64))
    train.argtypes = [ctypes.c_int, ints, *[floats] * 6, longs, ctypes.c_int64, ctypes.c_int64, ctypes.c_float]
    numbers = ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_int64)
    evaluate.argtypes = [ctypes.c_int, ints, *[floats] * 4, ctypes.c_int64, *numbers]
    train.restype = evaluate.restype = None

    def run(order: np.ndarray) -> None:
        arrays = sizes, network, gradient, activations, deltas, images, targets, order.astype(np.int64)
        train(len(params), *arrays, len(order), batch_size, rate)

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        def evaluated() -> tuple[float, float]:
            cost, right = ctypes.c_double(), ctypes.c_int64()
            evaluate(len(params), sizes, network, activations, images, targets, len(images), cost, right)
            return cost.value / len(images), right.value / len(images)

        return evaluated

    def now() -> Params:
        ends = np.cumsum([leaf.size for layer in params for leaf in layer])
        leaves = np.split(network.copy(), ends[:-1])
        return [(w.reshape(len(b), -1), b) for w, b in zip(leaves[::2], leaves[1::2], strict=True)]

    return Trainer(run, now, evaluation)


def threads() -> int:
    """One."""
    return 1
