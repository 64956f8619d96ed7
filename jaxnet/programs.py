"""The programs of a training: an epoch, an evaluation, an order, distorted images.

Each is one jitted function with the data and the parameters as its arguments. `train` runs them one after the other;
they can be compiled by themselves as well, also for devices that are not there.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from jaxnet import descent, devices, sharded
from jaxnet.cost import Mean, in_chunks
from jaxnet.data import from_bytes, on_bytes
from jaxnet.descent import Info, State
from jaxnet.history import Examples, Metrics, evaluate
from jaxnet.identity import of_program
from jaxnet.network import Params
from jaxnet.order import shuffled
from jaxnet.sharded import Sharded

Distortion = Callable[[Key[Array, ""], Float[Array, " pixels"]], Float[Array, " pixels"]]
"""An image as another hand could have written it, by a key."""

Optimizer = optax.GradientTransformation | Callable[[Array], optax.GradientTransformation]
"""One transformation, or a function that makes one of a rate."""

_DISTORTIONS = np.uint32(2**32 - 1)
"""Folded into the key, it makes that of the distortions; the number of no epoch."""

_DISTORTED_AT_ONCE = 2_000
"""What is computed on the way to a distorted image is thirty times its size: of so many it stays on a TPU's chip."""


@dataclass(frozen=True)
class Over:
    """Takes a mean over many examples kept as bytes, in chunks; of one network, each chunk is scattered."""

    chunk_size: int
    population: bool

    def __call__(self, mean: Mean) -> Mean:
        if self.population:
            return in_chunks(on_bytes(mean), self.chunk_size)
        of_arrays = in_chunks(devices.data_parallel(on_bytes(mean)), self.chunk_size * devices.number())
        of_sharded = sharded.over(on_bytes(mean), self.chunk_size)

        def where_they_are(params: Params, images: Any, answers: Any) -> Any:
            mean: Any = of_sharded if isinstance(images, Sharded) else of_arrays
            return mean(params, images, answers)

        return where_they_are


@functools.partial(
    jax.jit,
    static_argnames=("size", "over", "batch_size", "optimizer", "cost", "gradient"),
    donate_argnames="state",
)
def epoch(
    state: State,
    rates: Array | None,
    images: Any,
    targets: Any,
    order: Array,
    start: Array | int,
    *,
    size: int,
    over: Over,
    batch_size: int,
    optimizer: Optimizer,
    cost: Mean,
    gradient: Mean | None,
) -> State:
    """The stretch of an epoch that begins at `start` in the order and is `size` examples long.

    Images and targets are arrays, or both sharded.
    """
    means = {"cost": _differentiable(over, cost), "gradient": over(gradient or jax.grad(cost))}
    order = jax.lax.dynamic_slice_in_dim(order, start, size)
    if isinstance(images, Sharded):
        order = images.place(order)
        if batch_size == len(images):  # all of them, each where it is
            means = {name: _refilling(mean, images, targets) for name, mean in means.items()}
            batch_size, order = len(images.array), jnp.arange(len(images.array))
        images, targets = images.array, targets.array

    def one_network(state: State, rate: Array | None) -> State:
        rule = _of_rate(optimizer, rate)
        return descent.epoch(state, images, targets, order, batch_size=batch_size, optimizer=rule, **means)

    return _typed(jax.vmap(one_network)(state, rates) if over.population else one_network(state, None))


def _typed(state: State) -> State:
    """The same with the types of its numbers settled.

    Some optimizers leave them "weak" before the first step and not after it: the second epoch would be compiled anew.
    """
    return jax.tree.map(lambda leaf: leaf if is_key(leaf) else leaf.astype(leaf.dtype), state)


def is_key(leaf: Array) -> bool:
    """Whether a part of the state is a key, which has no numbers."""
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _differentiable(over: Over, cost: Mean) -> Mean:
    """The cost over many examples for a line search, which differentiates it: that again is a mean, taken by chunk.

    Otherwise every chunk's activations would be kept for the way back, or computed twice.
    """
    mean = jax.custom_vjp(over(cost))

    def forward(params: Params, images: Any, targets: Any) -> tuple[Array, Params]:
        return over(jax.value_and_grad(cost))(params, images, targets)

    def backward(slope: Params, change: Array) -> tuple[Params, None, None]:
        return jax.tree.map(lambda g: change * g, slope), None, None

    mean.defvjp(forward, backward)
    return mean


def _refilling(mean: Any, images: Sharded, targets: Sharded) -> Mean:
    return lambda params, *rows: mean(params, images.refilled(rows[0]), targets.refilled(rows[1]))


@functools.partial(jax.jit, static_argnames=("over", "cost", "accuracy", "gradient"))
def evaluation(params: Params, train: Examples, test: Examples | None, *, over: Over, **means: Any) -> Metrics:
    """What `means` (cost, accuracy, gradient) find over all the examples."""

    def one_network(params: Params) -> Metrics:
        return evaluate(params, train, test, over=over, **means)

    return devices.gather(jax.vmap(one_network)(params) if over.population else one_network(params))


@functools.partial(jax.jit, static_argnames=("over", "look"))
def seen(state: State, *, over: Over, look: Callable[[State], Any]) -> Any:
    """What `look` returns of the state."""
    return devices.gather(jax.vmap(look)(state) if over.population else look(state))


@functools.partial(jax.jit, static_argnames=("distort", "chunk_size"))
def distorted(
    key: Array, index: Array | int, images: Array | Sharded, *, distort: Distortion, chunk_size: int
) -> Array | Sharded:
    """All images, each distorted by a key of its own, a chunk at a time and each chunk shared out among the devices."""
    key, n = jax.random.fold_in(jax.random.fold_in(key, _DISTORTIONS), index), len(images)
    chunk_size = min(chunk_size, _DISTORTED_AT_ONCE)

    def one(row: Array, image: Array) -> Array:
        return distort(jax.random.fold_in(key, row), from_bytes(image))

    if isinstance(images, Sharded):
        return sharded.mapped(one, images, chunk_size)

    def chunk(rows: Array) -> Array:
        return devices.gather(jax.vmap(one)(*devices.scatter((rows, images[rows]))))

    size = min(chunk_size * devices.number(), n)
    chunks = jax.lax.map(chunk, (jnp.arange(-(-n // size) * size) % n).reshape(-1, size))
    return chunks.reshape(-1, *chunks.shape[2:])[:n]


@functools.partial(jax.jit, static_argnames="optimizer")
def fresh(params: Params, rates: Array | None, *, optimizer: Optimizer) -> State:
    """To begin with: in memory of its own, which the epochs may overwrite."""

    def one_network(params: Any, rate: Array | None) -> State:
        return State(jax.tree.map(jnp.copy, params), _of_rate(optimizer, rate).init(params))

    return _typed(one_network(params, None) if rates is None else jax.vmap(one_network)(params, rates))


order = jax.jit(shuffled, static_argnames="n")
"""The order of all n examples in one epoch, by (key, number of the epoch, n)."""


def _of_rate(optimizer: Optimizer, rate: Array | None) -> optax.GradientTransformation:
    return optimizer if isinstance(optimizer, optax.GradientTransformation) else optimizer(rate)  # type: ignore


def fingerprints(
    state: State,
    rates: Array | None,
    examples: tuple[np.ndarray, np.ndarray],
    targets: np.ndarray,
    tests: tuple[np.ndarray, np.ndarray] | None,
    evaluate_on: int,
    *,
    move: Any,
    measure: Any,
    remake: Any,
    look: Any,
) -> dict[str, str]:
    """Fingerprints of what a run computes: first its parts, which tell what differs, then the whole."""
    images, choices = examples[0], move.keywords
    n, rule = len(images), {name: choices[name] for name in ("optimizer", "cost", "gradient")}
    cost, gradient, distort = rule["cost"], rule["gradient"], remake.keywords["distort"]
    one, rate = state, None
    if rates is not None:
        one, rate = jax.eval_shape(lambda many: jax.tree.map(lambda leaf: leaf[0], many), (state, rates))
    batch = jax.eval_shape(
        lambda: (from_bytes(jnp.asarray(images[: choices["batch_size"]])), targets[: choices["batch_size"]])
    )
    found = {
        "cost": of_program(jax.jit(cost), one.params, *batch),
        "gradient": of_program(jax.jit(gradient or jax.grad(cost)), one.params, *batch),
        "optimizer (its rule, rate, momentum or schedule)": of_program(_step, one, rate, *batch, **rule),
    }
    learnt, key = images, jax.random.key(0)
    if choices["batch_size"] < n:
        found["order of the examples"] = of_program(order, key, 0, n=n)
    if distort is not None:
        found["distortion"] = of_program(distorted, key, 0, images, **remake.keywords)
        learnt = jax.eval_shape(remake, key, 0, images)
    evaluated = jax.eval_shape(lambda: jax.tree.map(lambda part: part[:evaluate_on], examples))
    found["cost, accuracy or gradient_norm of the history"] = of_program(
        evaluation, state.params, evaluated, tests, **measure.keywords
    )
    if look is not None:
        found["look"] = of_program(seen, state, over=choices["over"], look=look)
    found["program of an epoch"] = of_program(
        epoch, state, rates, learnt, targets, jnp.arange(n, dtype=jnp.int32), 0, **choices
    )
    return found


@functools.partial(jax.jit, static_argnames=("optimizer", "cost", "gradient"))
def _step(
    state: State, rate: Array | None, images: Array, targets: Array, *, optimizer: Optimizer, **means: Any
) -> tuple[State, Info]:
    return descent.step(state, images, targets, optimizer=_of_rate(optimizer, rate), **means)
