"""The lecture's network in NumPy, written from the equations for a whole batch, independently of the package.

Images are rows here, so z = a w^T + b; cost is the mean over the rows of the sum of squares.
"""

from collections.abc import Iterable

import numpy as np

Network = list[tuple[np.ndarray, np.ndarray]]


def network(params: Iterable[tuple]) -> Network:
    """The weights and biases of sigmoid layers."""
    return [(np.asarray(w), np.asarray(b)) for w, b, _ in params]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def outputs(network: Network, x: np.ndarray) -> list[np.ndarray]:
    activations = [x]
    for w, b in network:
        activations.append(sigmoid(activations[-1] @ w.T + b))
    return activations


def cost(network: Network, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.square(outputs(network, x)[-1] - y).sum() / len(x))


def gradient(network: Network, x: np.ndarray, y: np.ndarray) -> Network:
    activations = outputs(network, x)
    delta = 2 * (activations[-1] - y) * activations[-1] * (1 - activations[-1])
    nabla: Network = []
    for layer in reversed(range(len(network))):
        before = activations[layer]
        nabla.insert(0, (delta.T @ before / len(x), delta.sum(axis=0) / len(x)))
        delta = (delta @ network[layer][0]) * before * (1 - before)
    return nabla


def stepped(network: Network, x: np.ndarray, y: np.ndarray, rate: float) -> Network:
    return [(w - rate * dw, b - rate * db) for (w, b), (dw, db) in zip(network, gradient(network, x, y), strict=True)]
