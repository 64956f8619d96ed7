"""Rolling downhill: gradient descent, with all the examples or a small random batch of them for each step.

`step` is the whole idea; `epoch` takes it once for every batch, `descend` as often as you like. A full batch is nothing
special: a batch of size n. All are pure functions, to be jitted, vmapped and differentiated by whoever calls them.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key, Num, PyTree

from jaxnet.cost import Mean
from jaxnet.cost import cost as mean_cost
from jaxnet.kinds import (
    check_array,
    check_cost,
    check_function,
    check_key,
    check_optimizer,
    check_optional,
    check_rows,
    check_shape,
    check_tree,
    check_whole,
    described,
)
from jaxnet.memory import check_fits
from jaxnet.network import Params
from jaxnet.order import shuffled

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
    cost: Mean = mean_cost,
    gradient: Mean | None = None,
) -> tuple[State, Info]:
    """One step downhill on the cost over these examples. With `optax.sgd(rate)`: w <- w - rate dC/dw.

    `cost` and `gradient` are functions of (params, images, targets); the gradient is `jax.grad(cost)` unless another,
    such as `average_gradient`, is given. Optimizers that search along the way (`optax.lbfgs`) or watch the cost
    (`optax.contrib.reduce_on_plateau`) get it as `value` and `value_fn`; for all others XLA leaves it out.
    """
    check_optimizer(optimizer)
    _check_state(state, optimizer)
    check_rows(images=images, targets=targets)
    _check_means(cost, gradient)

    def cost_here(params: Params) -> Array:
        value = cost(params, images, targets)
        check_array("what cost returns", value, jnp.floating, (), "one number, the mean over the examples")
        return value

    if gradient is None:
        value, slope = jax.value_and_grad(cost_here)(state.params)
    else:
        value, slope = cost_here(state.params), gradient(state.params, images, targets)
        check_shape("what gradient returns", slope, "params", state.params)
    params: Any = state.params
    updates, optimizer_state = optax.with_extra_args_support(optimizer).update(
        slope, state.optimizer_state, params, value=value, grad=slope, value_fn=cost_here
    )
    params = optax.apply_updates(params, updates)
    return State(params, optimizer_state), Info(slope)


def _check_state(state: Any, optimizer: optax.GradientTransformation) -> None:
    """Raises unless these are parameters, and the state of this optimizer for them."""
    if not isinstance(state, State):
        raise TypeError(f"state is {described(state)}; expected jaxnet.State(params, optimizer.init(params))")
    check_tree("params of state", state.params)
    expected: Any = jax.eval_shape(optimizer.init, state.params)
    ours, theirs = (jax.tree.map(np.shape, tree) for tree in (state.optimizer_state, expected))
    if jax.tree.structure(expected) != jax.tree.structure(state.optimizer_state) or ours != theirs:
        raise ValueError(
            "state has an optimizer_state of another optimizer, or for other params: optimizer.init(params)"
        )


def _check_means(cost: Any, gradient: Any) -> None:
    check_cost(cost)
    check_optional("params, images, targets", gradient=gradient)


def epoch(
    state: State,
    images: Num[Array, "n n_in"],
    targets: Float[Array, "n n_out"],
    order: Int[Array, " m"],
    *,
    batch_size: int,
    optimizer: optax.GradientTransformation,
    cost: Mean = mean_cost,
    gradient: Mean | None = None,
) -> State:
    """Visits the examples in the given order, `batch_size` of them for each step.

    `order` is a permutation of all n examples, or a stretch of one for a part of an epoch. Where the batch size does
    not divide it, the last batch is smaller: its gradient is the mean over the examples that are left. Images kept as
    bytes (`data.as_bytes`) take a `cost` that knows them: `data.on_bytes(cost)`. Otherwise as `step`.

    Raises ValueError for a batch size below 1. Lecture, chapter 2, stochastic gradient descent; Nielsen, chapter 1.
    """
    check_optimizer(optimizer)
    _check_state(state, optimizer)
    check_rows(images=images, targets=targets)
    check_array("order", order, jnp.integer, ("m",), "the numbers of the examples, one after the other")
    check_whole(1, batch_size=batch_size)
    _check_means(cost, gradient)
    images, targets, order = jnp.asarray(images), jnp.asarray(targets), jnp.asarray(order)
    one_step = functools.partial(step, optimizer=optimizer, cost=cost, gradient=gradient)
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


def descend(
    key: Key[Array, ""],
    params: Params,
    images: Num[Array | np.ndarray, "n n_in"],
    targets: Float[Array | np.ndarray, "n n_out"],
    optimizer: optax.GradientTransformation,
    *,
    batch_size: int,
    steps: int,
    every: int | None = None,
    look: Callable[[State], Any] | None = None,
    cost: Mean = mean_cost,
    gradient: Mean | None = None,
    order: Callable[[Array, Array, int], Array] = shuffled,
) -> tuple[Params, Any]:
    """A whole run as one pure function: the parameters after so many steps, and what was seen on the way.

    - `key` decides the order of the examples. Each step takes the next `batch_size` of them; after the last one comes
      the first of a new order. So where the batch size does not divide n, a batch may hold examples of two epochs.
      The batches are those of `train` where it does divide n.
    - `look` is a function of the `State` (parameters and optimizer state). What it returns for the start and after
      `every` so many steps, by default after the last, is stacked: (1 + steps / every, ...). Keep the trajectory by
      `lambda state: state.params`, an accuracy by `lambda state: accuracy(state.params, images, labels)`.
    - `cost` and `gradient` as in `step`.
    - `order` is a function of (key, number of the epoch, n) for examples in another order, or drawn with replacement:
      `lambda key, index, n: jax.random.randint(jax.random.fold_in(key, index), (n,), 0, n)`. Not for a full batch,
      which has no order.

    It keeps the orders of all the epochs, 4 bytes for every example seen; for long runs, with progress and checkpoints,
    there is `train`. Neither jitted nor checked for a cost that is not finite. Raises ValueError for a batch size that
    is not in 1 ... n, or steps that are not a multiple of `every`. Lecture, chapter 2.

    >>> from jaxnet import init
    >>> run = functools.partial(descend, batch_size=2, steps=100, every=50, look=lambda state: state.params[0].biases)
    >>> params, biases = run(
    ...     jax.random.key(0), init(jax.random.key(1), (4, 8, 4)), jnp.eye(4), jnp.eye(4), optax.sgd(1.0)
    ... )
    >>> biases.shape
    (3, 8)
    """
    check_key(key)
    check_tree("params", params)
    check_rows(images=images, targets=targets)
    check_optimizer(optimizer)
    _check_means(cost, gradient)
    check_function("key, index, n", order=order)
    check_optional("state", look=look)
    images, targets, n = jnp.asarray(images), jnp.asarray(targets), len(images)
    every = steps if every is None else every
    check_whole(1, n, batch_size=batch_size)
    check_whole(steps=steps, every=every)
    if batch_size == n and order is not shuffled:
        raise ValueError(f"batch_size is {n}, all the examples, which are in no order: leave order out")
    if every < 1 or steps < every or steps % every:
        raise ValueError(f"steps is {steps} and every {every}; steps must be a multiple of every, at least 1")
    move = functools.partial(epoch, optimizer=optimizer, cost=cost, gradient=gradient, batch_size=batch_size)

    def all_at_once(state: State, _: None) -> tuple[State, None]:
        return move(state, images, targets, jnp.arange(n)), None

    def stretch(state: State, examples: Int[Array, " m"] | None) -> tuple[State, Any]:
        if examples is None:
            state, _ = jax.lax.scan(all_at_once, state, length=every)
        else:
            state = move(state, images, targets, examples)
        return state, None if look is None else look(state)

    start: Any = params
    state = State(params, optimizer.init(start))
    first = None if look is None else look(state)
    seen = sum(jnp.asarray(leaf).nbytes for leaf in jax.tree.leaves(first)) * (1 + steps // every)
    epochs = -(-steps * batch_size // n) if batch_size < n else 0
    check_fits(f"what a run of {steps:,} steps keeps, the order of its examples among it,", seen + 4 * epochs * n)
    stream = None
    if epochs:
        stream = jax.vmap(lambda index: order(key, index, n))(jnp.arange(epochs))
        check_array("what order returns", stream, jnp.integer, (epochs, n), "the numbers of n examples")
        stream = stream.reshape(-1)[: steps * batch_size].reshape(-1, every * batch_size)
    state, rest = jax.lax.scan(stretch, state, stream, length=steps // every)
    return state.params, jax.tree.map(lambda one, more: jnp.concatenate([jnp.asarray(one)[None], more]), first, rest)
