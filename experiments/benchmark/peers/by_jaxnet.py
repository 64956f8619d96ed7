"""jaxnet itself, in the shape of its peers: `jaxnet.epoch`, compiled whole, with the images as bytes on the device."""

import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

import jaxnet
from experiments.benchmark.peers import Params, Trainer
from jaxnet.data import as_bytes, on_bytes


def descent(
    batch_size: int, rate: float, loss: jaxnet.Loss = jaxnet.squared_error
) -> tuple[optax.GradientTransformation, Callable[..., jaxnet.State]]:
    """The optimizer, and an epoch of (state, pixels, targets, order): what `jaxnet.train` compiles."""
    optimizer = optax.sgd(rate)
    mean = functools.partial(jaxnet.cost, loss=loss)
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
    compiled = jax.jit(epoch, donate_argnums=0)
    pixels, answers = as_bytes(images), jax.device_put(targets)
    network: Any = tuple(jaxnet.Layer(jax.device_put(w.copy()), jax.device_put(b.copy())) for w, b in params)
    state = jaxnet.State(network, optimizer.init(network))

    def run(order: np.ndarray) -> None:
        nonlocal state
        state = jax.block_until_ready(compiled(state, pixels, answers, jax.device_put(order)))

    return Trainer(run, lambda: [(np.array(w), np.array(b)) for w, b, _ in state.params])


def threads() -> int:
    """JAX cannot be asked; it has one for each core."""
    return os.cpu_count() or 1
