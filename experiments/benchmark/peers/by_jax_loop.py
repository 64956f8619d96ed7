"""JAX the usual way: one jitted step written for a batch, and a Python loop that feeds it batches of NumPy arrays."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmark.peers import Evaluation, Params, Trainer, batches


def activations(params: Params, x: jax.Array) -> jax.Array:
    """The outputs for a batch of images."""
    a = x
    for w, b in params:
        a = jax.nn.sigmoid(a @ w.T + b)
    return a


def cost(params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    """The mean over the batch of sum_j (a_j - y_j)^2."""
    return jnp.mean(jnp.sum((activations(params, x) - y) ** 2, axis=1))


def trainer(params: Params, images: np.ndarray, targets: np.ndarray, batch_size: int, rate: float) -> Trainer:
    """The step is compiled when each size of batch first comes."""
    optimizer = optax.sgd(rate)
    network = jax.tree.map(jnp.array, params)
    state = optimizer.init(network)

    @jax.jit
    def step(network, state, x, y):
        value, gradient = jax.value_and_grad(cost)(network, x, y)
        updates, state = optimizer.update(gradient, state, network)
        return optax.apply_updates(network, updates), state, value

    def run(order: np.ndarray) -> None:
        nonlocal network, state
        for rows in batches(order, batch_size, len(images)):
            network, state, _ = step(network, state, images[rows], targets[rows])
        jax.block_until_ready(network)

    @jax.jit
    def evaluated(network, x, y):
        a = activations(network, x)
        right = jnp.argmax(a, axis=1) == jnp.argmax(y, axis=1)
        return jnp.mean(jnp.sum((a - y) ** 2, axis=1)), jnp.mean(right)

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        x, y = jax.device_put((images, targets))

        def evaluate() -> tuple[float, float]:
            value, accuracy = jax.device_get(evaluated(network, x, y))
            return float(value), float(accuracy)

        return evaluate

    return Trainer(run, lambda: jax.tree.map(np.array, network), evaluation)


def threads() -> int:
    """JAX cannot be asked; it has one for each core."""
    return os.cpu_count() or 1
