"""NumPy: backpropagation from its equations, a whole batch at once."""

import os

import numpy as np

from experiments.benchmark.peers import Evaluation, Params, Trainer, batches


def trainer(params: Params, images: np.ndarray, targets: np.ndarray, batch_size: int, rate: float) -> Trainer:
    """Images are rows, so z = a w^T + b, and every product is one of matrices."""
    network = [(w.copy(), b.copy()) for w, b in params]

    def run(order: np.ndarray) -> None:
        for rows in batches(order, batch_size, len(images)):
            step(network, images[rows], targets[rows], rate)

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        return lambda: evaluated(activations(network, images)[-1], targets)

    return Trainer(run, lambda: [(w.copy(), b.copy()) for w, b in network], evaluation)


def evaluated(a: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Squared error and accuracy of outputs."""
    return float(np.mean(np.sum((a - y) ** 2, axis=1))), float(np.mean(a.argmax(axis=1) == y.argmax(axis=1)))


def activations(network: Params, x: np.ndarray) -> list[np.ndarray]:
    """What every layer holds, from the images (n, n_in) themselves to the outputs (n, n_out)."""
    layers = [x]
    for w, b in network:
        z = layers[-1] @ w.T + b
        layers.append(1 / (1 + np.exp(-z)))
    return layers


def step(network: Params, x: np.ndarray, y: np.ndarray, rate: float) -> None:
    """One step w <- w - rate dC/dw, in place. `delta` is dC/dz: of the outputs 2/n (a - y) a (1 - a), then back."""
    layers = activations(network, x)
    a = layers[-1]
    delta = 2 / len(x) * (a - y) * a * (1 - a)
    for number in reversed(range(len(network))):
        (w, b), a = network[number], layers[number]
        dw, db = delta.T @ a, delta.sum(axis=0)
        if number > 0:  # the images need no delta
            delta = delta @ w * a * (1 - a)
        w -= rate * dw
        b -= rate * db


def threads() -> int:
    """Those of the BLAS that NumPy multiplies matrices with; every core where there is no threadpoolctl to ask."""
    try:
        from threadpoolctl import threadpool_info  # pyright: ignore[reportMissingImports]
    except ImportError:
        return os.cpu_count() or 1
    return max((pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"), default=1)
