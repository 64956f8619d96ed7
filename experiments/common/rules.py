"""Rules by which a step is made of a gradient, from plain descent to Newton's method, and what each asks of the cost.

A rule is chosen by its name and its numbers, the learning rate first: `nesterov:0.5,0.9`. What tuning may try for each
number is written beside it: ten choices for every rule.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from jaxnet import Dataset, History, State
from jaxnet.calculus import hessian_vector_product


class Work(NamedTuple):
    """What was asked so far, each over one batch, one after the other: (evaluations, networks)."""

    gradients: np.ndarray
    values: np.ndarray
    products: np.ndarray
    """Of the Hessian with a vector."""


class Rule(NamedTuple):
    """How a step is made of a gradient."""

    make: Callable[..., optax.GradientTransformation]
    """The transformation of optax, of the numbers below."""
    numbers: Mapping[str, tuple[float, ...]]
    """What tuning may try for each number of the rule."""
    asked: Callable[[State], Any] = lambda _: 0
    """How many evaluations or products there were beyond a gradient a step, from the state."""
    work: Callable[[np.ndarray, np.ndarray], Work] = lambda steps, _: Work(steps, 0 * steps, 0 * steps)
    """Of the steps, and what `asked` told."""
    alone: bool = False
    """Each network on its own: side by side, each would wait for the longest line search of all."""
    full_batch: bool = False
    """A few examples are not enough for it."""


class Counted(NamedTuple):
    """The state of an optimizer, and how often its line search has evaluated cost and gradient."""

    state: Any
    evaluations: jax.Array


def counted(optimizer: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """The same optimizer, which also counts the evaluations of its line search."""

    def init(params: Any) -> Counted:
        return Counted(optimizer.init(params), jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None, **more: Any) -> tuple[Any, Counted]:
        updates, inner = optimizer.update(updates, state.state, params, **more)
        last = jnp.asarray(optax.tree.get(inner, "num_linesearch_steps"), jnp.int32)
        return updates, Counted(inner, state.evaluations + last)

    return optax.GradientTransformationExtraArgs(init, update)


_MOMENTUM = {"rate": (0.25, 0.5, 1.0, 2.0, 4.0), "momentum": (0.5, 0.9)}
RULES = {
    "sgd": Rule(optax.sgd, {"rate": (0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)}),
    "momentum": Rule(
        lambda rate, momentum=0.9: optax.sgd(rate, momentum),
        _MOMENTUM,
    ),
    "nesterov": Rule(
        lambda rate, momentum=0.9: optax.sgd(rate, momentum, nesterov=True),
        _MOMENTUM,
    ),
    "adam": Rule(
        lambda rate, b1=0.9: optax.adam(rate, b1),
        {"rate": (0.001, 0.002, 0.005, 0.01, 0.02), "b1": (0.5, 0.9)},
    ),
    "lbfgs": Rule(
        lambda rate, memory=10: counted(optax.lbfgs(rate, int(memory))),
        {"rate": (0.3, 1.0), "memory": (5, 10, 20, 40, 80)},
        asked=lambda state: state.optimizer_state.evaluations,
        # The last evaluation of a line search is at the next point: optax's own loop keeps it, and what `train`
        # computes there once more is not counted.
        work=lambda steps, asked: Work(np.minimum(steps, 1) + asked, 0 * steps, 0 * steps),
        alone=True,
        full_batch=True,
    ),
    "newton": Rule(
        lambda radius, iterations=20: jaxnet.newton_cg(radius, iterations=jnp.asarray(iterations, jnp.int32)),
        {"radius": (0.3, 1.0, 3.0, 10.0, 30.0), "iterations": (10, 20)},
        asked=lambda state: state.optimizer_state.products,
        work=lambda steps, asked: Work(steps, steps, asked),
        full_batch=True,
    ),
}
"""By name."""


def trials(rule: Rule, number: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """A random search: so many different choices of all the numbers of a rule, or all there are."""
    grids = np.meshgrid(*(np.array(tried, float) for tried in rule.numbers.values()), indexing="ij")
    every = np.stack(grids, axis=-1).reshape(-1, len(rule.numbers))
    drawn = rng.permutation(len(every))[:number]
    return [tuple(map(float, every[index])) for index in sorted(drawn)]


def work(rule: Rule, history: History) -> Work:
    """What was asked up to each row of a history that `train` wrote with the rule's `asked` as its look."""
    asked = np.asarray(history.looks).reshape(len(history.steps), -1)
    return rule.work(np.broadcast_to(history.steps[:, None], asked.shape), asked)


class Prices(NamedTuple):
    """What a value of the cost and a Hessian-vector product cost, in gradients."""

    value: float
    product: float


def prices(params: jaxnet.Params, data: Dataset) -> Prices:
    """By the arithmetic that XLA counts for one of these stacked networks, over the first 500 examples."""
    params = jax.tree.map(lambda leaf: leaf[0], params)
    images, targets = data.images[:500], jaxnet.one_hot(data.labels[:500], jaxnet.sizes_of(params)[-1])

    def value(params: jaxnet.Params) -> jax.Array:
        return jaxnet.cost(params, images, targets)

    def product(params: jaxnet.Params, vector: jaxnet.Params) -> Any:
        return hessian_vector_product(value, params, vector)

    def operations(function: Callable[..., Any], *arguments: Any) -> float:
        found: Any = jax.jit(function).lower(*arguments).compile().cost_analysis()
        return found["flops"]

    gradient = operations(jax.grad(value), params)
    return Prices(operations(value, params) / gradient, operations(product, params, params) / gradient)
