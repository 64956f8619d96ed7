"""The roofline: how fast could this machine take one step, going by its arithmetic and by its memory alone?

Arithmetic and bytes are counted from the formulas, the machine's own speeds are measured; the share that a step reaches
is the time it would need at those speeds, the longer of the two, over the time it takes. Williams, Waterman and
Patterson 2009.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp


class Machine(NamedTuple):
    """What the machine can do: float32 operations a second in a matrix product, bytes a second moved by a copy."""

    operations: float
    bytes: float


class Work(NamedTuple):
    """What one step has to do: floating-point operations, and bytes moved."""

    operations: int
    bytes: int


def step_work(sizes: Sequence[int], batch_size: int, networks: int = 1) -> Work:
    """One step of gradient descent on a batch, for a network of these sizes or several that share the batch.

    Operations are those of the matrix products, a product and a sum each: z = w a and dC/dw = delta a' for every layer,
    dC/da' = w^T delta for all but the first: 4 B sum(n_in n_out) + 2 B sum over all layers but the first. Bytes are the
    fewest that will do: the batch is read once, pixels as bytes, and each parameter is read and written once.
    """
    products = [n_in * n_out for n_in, n_out in itertools.pairwise(sizes)]
    operations = networks * batch_size * (4 * sum(products) + 2 * sum(products[1:]))
    parameters = networks * (sum(products) + sum(sizes[1:]))
    return Work(operations, batch_size * (sizes[0] + 4 * sizes[-1]) + 8 * parameters)


def share(work: Work, machine: Machine, seconds: float) -> float:
    """The part of the roofline that a step of so many seconds reaches, between 0 and 1."""
    return max(work.operations / machine.operations, work.bytes / machine.bytes) / seconds


def measure(side: int = 2_048, copied: int = 2**28, repeats: int = 30) -> Machine:
    """This device's speeds: the best of some products of square matrices, and of some passes over so many bytes."""
    matrix, array = jnp.ones((side, side), jnp.float32), jnp.ones(copied // 4, jnp.float32)
    product = _best(jax.jit(lambda _, matrix: matrix @ matrix, donate_argnums=0), matrix.copy(), matrix, repeats)
    copy = _best(jax.jit(lambda array, scale: scale * array, donate_argnums=0), array, jnp.float32(-1), repeats)
    return Machine(2 * side**3 / product, 2 * copied / copy)


def _best(function: Callable[..., jax.Array], place: jax.Array, argument: jax.Array, repeats: int) -> float:
    """Seconds; the result takes the place of the one before, so that no time goes to new memory."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        place = jax.block_until_ready(function(place, argument))
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    """Seconds until its result is there."""
    started = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - started
