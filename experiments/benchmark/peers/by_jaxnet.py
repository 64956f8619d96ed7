"""jaxnet itself, in the shape of its peers: `jaxnet.epoch`, compiled whole, with the images as bytes on the device.

A whole training is one call of `jaxnet.train`.
"""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from experiments.benchmark.peers import Evaluation, Examples, Params, Trainer
from jaxnet.data import as_bytes, on_bytes


def descent(
    batch_size: int, rate: float, loss: jaxnet.Loss = jaxnet.squared_error
) -> tuple[optax.GradientTransformation, Callable[..., jaxnet.State]]:
    """The optimizer, and an epoch of (state, pixels, targets, order): what `jaxnet.train` compiles."""
    optimizer, mean = optax.sgd(rate), functools.partial(jaxnet.cost, loss=loss)
    cost, gradient = (jaxnet.in_chunks(on_bytes(each), 2_000) for each in (mean, jax.grad(mean)))
    choices = {"batch_size": batch_size, "optimizer": optimizer, "cost": cost, "gradient": gradient}
    return optimizer, functools.partial(jaxnet.epoch, **choices)


def trainer(
    params: Params,
    images: np.ndarray,
    targets: np.ndarray,
    batch_size: int,
    rate: float,
    loss: jaxnet.Loss = jaxnet.squared_error,
) -> Trainer:
    """Compiled when each length of order first comes."""
    optimizer, epoch = descent(batch_size, rate, loss)
    mean = functools.partial(jaxnet.cost, loss=loss)
    compiled = jax.jit(epoch, donate_argnums=0)
    pixels, answers = as_bytes(images), jax.device_put(targets)
    network: Any = tuple(jaxnet.Layer(jax.device_put(w.copy()), jax.device_put(b.copy())) for w, b in params)
    state = jaxnet.State(jax.tree.map(jnp.copy, network), optimizer.init(network))

    def run(order: np.ndarray) -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(state, pixels, answers, jax.device_put(order)))

    def evaluation(images: np.ndarray, targets: np.ndarray) -> Evaluation:
        found = jaxnet.in_chunks(on_bytes(lambda *some: (mean(*some), accuracy(*some))), 2_000)
        evaluated, data = jax.jit(found), (as_bytes(images), jax.device_put(targets))

        def evaluate() -> tuple[float, float]:
            cost, right = jax.device_get(evaluated(state.params, *data))
            return float(cost), float(right)

        return evaluate

    def train(
        examples: Examples, tests: Examples, epochs: int, seed: int, told: Callable[[], None]
    ) -> list[list[float]]:
        learnt, unseen = (jaxnet.dataset(x, y.argmax(axis=1)) for x, y in (examples, tests))
        key, choices = jax.random.key(seed), {"batch_size": batch_size, "epochs": epochs, "test": unseen}
        _, history = jaxnet.train(key, network, learnt, optimizer, cost=mean, progress=lambda _: told(), **choices)
        columns = history.train_cost, history.train_accuracy, history.test_cost, history.test_accuracy
        return np.transpose(columns).tolist()

    return Trainer(run, lambda: [(np.array(w), np.array(b)) for w, b, _ in state.params], evaluation, train)


def accuracy(params: jaxnet.Params, images: jax.Array, targets: jax.Array) -> jax.Array:
    """By targets instead of labels."""
    return jaxnet.accuracy(params, images, jnp.argmax(targets, axis=1))


def threads() -> int:
    """JAX cannot be asked; it has one for each core."""
    return os.cpu_count() or 1
