"""What training was like, number by number."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Num

from jaxnet.cost import Mean
from jaxnet.kinds import as_numpy, check_array, check_number
from jaxnet.network import Params, sizes_of

Examples = tuple[Num[Array, "_ n_in"], Int[Array, " _"]]
"""Images, as numbers or as bytes, and labels."""


class Metrics(NamedTuple):
    """What one evaluation of a network finds: means over all training and all test examples, NaN without."""

    train_cost: Float[Array, "*networks"]
    train_accuracy: Float[Array, "*networks"]
    gradient_norm: Float[Array, "*networks"]
    test_cost: Float[Array, "*networks"]
    test_accuracy: Float[Array, "*networks"]


class History(NamedTuple):
    """One row for each evaluation of the network: before the first step, and by default after each epoch.

    - `epochs`, `steps`, `examples`: how far it had come; an example counts each time it is seen.
    - `seconds`: of training so far; neither compiling nor evaluating is in it.
    - `train_cost`, `train_accuracy`, `test_cost`, `test_accuracy`: means over the examples; NaN without a test set.
    - `gradient_norm`: the length of the gradient of the cost over the training examples; NaN where not asked for.
    - `compile_seconds`: what compiling took before the first step, one number.
    - `evaluated`: over how many of the training examples the means above are, one number: all of them by default.
    - `looks`: what `look` returned at each evaluation, stacked; None where `train` was given none.
    """

    epochs: np.ndarray
    steps: np.ndarray
    examples: np.ndarray
    seconds: np.ndarray
    train_cost: np.ndarray
    train_accuracy: np.ndarray
    gradient_norm: np.ndarray
    test_cost: np.ndarray
    test_accuracy: np.ndarray
    compile_seconds: float
    evaluated: int
    looks: Any = None


class Row(NamedTuple):
    """One row of a history that is still being written."""

    epochs: float
    steps: int
    examples: int
    seconds: float
    found: Metrics
    looks: Any


def written(rows: list[Row], compile_seconds: float = 0.0, evaluated: int = 0) -> History:
    """The history of the rows so far, at least one."""
    *progress, found, looks = zip(*rows, strict=True)
    columns = (*map(np.array, progress), *map(np.array, zip(*found, strict=True)))
    stacked = jax.tree.map(lambda *each: np.array(each), *looks)
    return History(*columns, compile_seconds=compile_seconds, evaluated=evaluated, looks=stacked)


def columns(rows: list[Row]) -> dict[str, np.ndarray]:
    """The rows so far as arrays by name, all that `rows_of` needs to bring them back."""
    history = written(rows)
    looks = {_LOOK.format(number): leaf for number, leaf in enumerate(jax.tree.leaves(history.looks))}
    return {name: getattr(history, name) for name in _COLUMNS} | looks


def rows_of(columns: Mapping[str, np.ndarray], look: Any = None) -> list[Row]:
    """The rows of which `columns` made arrays; `look` is of the structure of what was seen at each."""
    leaves, structure = jax.tree.flatten(look)
    seen = [columns[_LOOK.format(number)] for number in range(len(leaves))]
    return [
        Row(
            float(epochs),
            int(steps),
            int(examples),
            float(seconds),
            Metrics(*metrics),
            jax.tree.unflatten(structure, [leaf[index] for leaf in seen]),
        )
        for index, (epochs, steps, examples, seconds, *metrics) in enumerate(
            zip(*(columns[name] for name in _COLUMNS), strict=True)
        )
    ]


def first_reach(along: np.ndarray, curve: np.ndarray, level: float | np.floating) -> float:
    """Where a curve first reaches the level, on the straight line between two of its points; NaN where it never does.

    >>> first_reach(np.array([0.0, 10.0, 20.0]), np.array([0.1, 0.5, 0.9]), level=0.7)
    15.0
    """
    check_array("along", along, np.number, ("n",), "the places of the points, in order")
    check_array("curve", curve, np.number, along.shape, "the height at each point of along")
    check_number("level", level)
    along, curve = as_numpy("along", along), as_numpy("curve", curve)
    reached = np.flatnonzero(curve >= level)
    if len(reached) == 0:
        return float("nan")
    last = max(1, reached[0])
    return float(np.interp(level, curve[last - 1 : last + 1], along[last - 1 : last + 1]))


_COLUMNS = (*Row._fields[:-2], *Metrics._fields)
_LOOK = "look {}"


def evaluate(
    params: Params,
    train: Examples,
    test: Examples | None,
    *,
    cost: Mean,
    accuracy: Mean,
    gradient: Mean | None,
    over: Callable[[Mean], Mean],
) -> Metrics:
    """Cost and accuracy, a forward pass over the data; with `gradient` also the length of that.

    `over` takes each mean over all the examples, as `in_chunks` does.
    """
    cost, accuracy = jax.jit(cost), jax.jit(accuracy)  # so that each is traced once

    def targets(labels: Array) -> Array:
        return jax.nn.one_hot(labels, sizes_of(params)[-1], dtype=jnp.float32)

    def found(params: Params, images: Array, labels: Array) -> tuple[Array, Array]:
        return cost(params, images, targets(labels)), accuracy(params, images, labels)

    train_cost, train_accuracy = over(found)(params, *train)
    test_cost = test_accuracy = gradient_norm = jnp.full_like(train_cost, jnp.nan)
    if test is not None:
        test_cost, test_accuracy = over(found)(params, *test)
    if gradient is not None:

        def slope(params: Params, images: Array, labels: Array) -> Array:
            # One long vector of all partial derivatives: less to compile than a sum and a norm of every layer's.
            return ravel_pytree(gradient(params, images, targets(labels)))[0]

        gradient_norm = jnp.linalg.norm(over(slope)(params, *train))
    return Metrics(train_cost, train_accuracy, gradient_norm, test_cost, test_accuracy)
