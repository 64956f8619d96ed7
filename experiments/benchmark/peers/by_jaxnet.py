"""jaxnet itself, in the shape of its peers: `jaxnet.epoch`, compiled whole, with the images as bytes on the device."""

import functools
import os
from collections.abc import Callable

import jax
import numpy as np
import optax

import jaxnet
from experiments.peers import Params, Trainer


def descent(
    batch_size: int, rate: float, loss: jaxnet.Loss = jaxnet.squared_error
) -> tuple[optax.GradientTransformation, Callable[..., jaxnet.State]]:
    """The optimizer, and an epoch of (state, pixels, targets, order): what `jaxnet.train` compiles."""
    optimizer = optax.sgd(rate)
    gradient = jaxnet.in_chunks(jaxnet.on_bytes(jax.grad(functools.partial(jaxnet.cost, loss=loss))), 2_000)
    return optimizer, functools.partial(jaxnet.epoch, batch_size=batch_size, optimizer=optimizer, gradient=gradient)


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
    compiled = jax.jit(epoch, donate_argnums=0)
    pixels, answers = jaxnet.as_bytes(images), jax.device_put(targets)
    network = tuple(jaxnet.Layer(jax.device_put(w.copy()), jax.device_put(b.copy())) for w, b in params)
    state = jaxnet.State(network, optimizer.init(network))

    def run(order: np.ndarray) -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(state, pixels, answers, jax.device_put(order)))

    return Trainer(run, lambda: [(np.array(w), np.array(b)) for w, b in state.params])


def threads() -> int:
    """JAX cannot be asked; it has one for each core."""
    return os.cpu_count() or 1
