"""Rolling downhill: gradient descent, with all the examples or a small random batch of them for each step.

`step` is the whole idea; `epoch` takes it once for every batch. A full batch is nothing special: a batch of size n.
Both are pure functions, to be jitted, vmapped and scanned by whoever calls them, as `jaxnet.train` does.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Num, PyTree

from jaxnet.cost import Mean
from jaxnet.network import Params

_FETCHED = 160
"""Examples fetched at once where batches are smaller: XLA shares each fetch by index among the cores of a CPU, which
for a few rows takes longer than the fetch. With these 160 an epoch in batches of 10 is a third faster."""


class State(NamedTuple):
    """What the next step needs."""

    params: Params
    optimizer_state: PyTree


class Info(NamedTuple):
    """What is only looked at: the gradient that the step followed."""

    gradient: Params


def step(
    state: State,
    images: Num[Array, "n n_in"],
    targets: Float[Array, "n n_out"],
    *,
    optimizer: optax.GradientTransformation,
    gradient: Mean,
) -> tuple[State, Info]:
    """One step downhill on the cost over these examples. With `optax.sgd(rate)`: w <- w - rate dC/dw.

    `gradient` is a function of (params, images, targets), such as `jax.grad(cost)` or `average_gradient`.
    """
    slope = gradient(state.params, images, targets)
    updates, optimizer_state = optimizer.update(slope, state.optimizer_state, state.params)
    params: Any = optax.apply_updates(state.params, updates)
    return State(params, optimizer_state), Info(slope)


def epoch(
    state: State,
    images: Num[Array, "n n_in"],
    targets: Float[Array, "n n_out"],
    order: Int[Array, " m"],
    *,
    batch_size: int,
    optimizer: optax.GradientTransformation,
    gradient: Mean,
) -> State:
    """Visits the examples in the given order, `batch_size` of them for each step.

    `order` is a permutation of all n examples, or a stretch of one for a part of an epoch. Where the batch size does
    not divide it, the last batch is smaller: its gradient is the mean over the examples that are left. Images kept as
    bytes (`as_bytes`) take a `gradient` that knows them: `on_bytes(jax.grad(cost))`.

    Raises ValueError for a batch size below 1. Lecture, chapter 2, stochastic gradient descent; Nielsen, chapter 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    one_step = functools.partial(step, optimizer=optimizer, gradient=gradient)
    if batch_size == len(images) == len(order):
        return one_step(state, images, targets)[0]  # all of them: their order does not matter, so none is moved

    def next_batch(state: State, batch: tuple[Array, Array]) -> tuple[State, None]:
        return one_step(state, *batch)[0], None

    def next_batches(state: State, rows: Int[Array, "batches batch"]) -> tuple[State, None]:
        return jax.lax.scan(next_batch, state, (images[rows], targets[rows]))

    # Most batches are fetched several at a time; the few that are left, and then a last smaller one, on their own.
    together = max(1, _FETCHED // batch_size) * batch_size
    ends = [len(order) - len(order) % together, len(order) - len(order) % batch_size]
    most, few, last = jnp.split(order, ends)
    state, _ = jax.lax.scan(next_batches, state, most.reshape(-1, together // batch_size, batch_size))
    if len(few):
        state, _ = next_batches(state, few.reshape(-1, batch_size))
    if len(last):
        state, _ = next_batch(state, (images[last], targets[last]))
    return state
