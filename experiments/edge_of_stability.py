"""How steep may the valley be before careful steps start to jump from wall to wall?

    python -m experiments.edge_of_stability

On a bowl of curvature lambda, gradient descent overshoots further with every step once lambda is above 2/rate. The
lecture's network makes its own valley sharper as it rolls down, until it gets there, and then it stays at this edge.
Three rates, three networks for each, with the first 10,000 training images for every step, and again with batches of
100 of them. Some two minutes on two cores. At rates 4 and 5 the sharpness of every network is 98 to 106 % of 2/rate
in the second half of 1,000 full-batch steps; at rate 3 it touches its edge and falls below it, and with batches of 100
it stays 40 % lower.
"""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

import jaxnet
from experiments.common import networks, script, tables
from experiments.common.choices import ChoiceError, check_at_least, random_key
from experiments.reports import edge_of_stability as report
from jaxnet import calculus


@dataclass(frozen=True)
class Config:
    """The choices."""

    rates: tuple[float, ...] = (3.0, 4.0, 5.0)
    """Learning rates; each has its own edge, 2/rate."""
    batch_size: int = 100
    """Of the mini-batch descent that is compared with full-batch descent at the same rates."""
    steps: int = 1_000
    """Steps of both."""
    every: int = 20
    """The sharpness is measured every so many steps."""
    iterations: int = 12
    """Hessian-vector products for each measurement (Lanczos iteration)."""
    seeds: int = 3
    """Initial networks; every rate and both ways of descending start from the same ones."""
    seed: int = 0
    """Decides the initial networks, the order of the examples, and where the iteration for the sharpness starts."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = 10_000
    """Only the first so many training images."""


def run(config: Config, _folder: Path) -> script.Record:
    """Descends twice, in full batches and in mini-batches, with all rates and networks side by side."""
    check_at_least(config, batch_size=1, steps=1, every=1, iterations=1, seeds=1)
    if len(config.rates) < 1:
        raise ChoiceError("rates is empty; give at least one")
    for rate in config.rates:
        if not 0 < rate < math.inf:
            raise ChoiceError(f"rate is {rate}; it must be a finite number above zero, for its edge is 2/rate")
    if config.steps < 2 * config.every or config.steps % config.every:
        raise ChoiceError(
            f"steps is {config.steps}; it must be a multiple of every, {config.every}, and twice it or more"
        )
    train, _, classes = script.load(config.data, config.limit)
    n, n_in = train.images.shape
    if config.batch_size >= n:
        raise ChoiceError(f"batch_size is {config.batch_size}; a mini-batch has fewer than all {n} images")
    start, order, direction = jax.random.split(random_key(config.seed), 3)
    sizes = (n_in, *config.hidden, classes)
    params, rates = networks.at_rates(networks.initial(start, sizes, config.seeds), config.rates)
    examples = jnp.asarray(train.images), jaxnet.one_hot(train.labels, classes)
    results: script.Record = {"n": n, "rates": config.rates, "arms": []}
    for batch_size in tqdm((n, config.batch_size), desc="descending", unit="descent", leave=False, disable=None):
        measured = descend(
            params, jnp.asarray(rates), *examples, order, direction, batch_size=batch_size, config=config
        )
        if not np.isfinite(measured[:2]).all():
            raise script.Stopped(
                f"{tables.batch_name(batch_size, n)}: the cost is no longer finite: try smaller rates", {}
            )
        arm = {"batch_size": batch_size, "steps": np.arange(0, config.steps + 1, config.every)}
        for name, column in zip(("cost", "sharpness", "error"), measured, strict=True):
            arm[name] = np.asarray(column).reshape(-1, len(config.rates), config.seeds)
        results["arms"].append(arm | {"settled": settled(arm["sharpness"], config.rates)})
    return results


@functools.partial(jax.jit, static_argnames=("batch_size", "config"))
def descend(
    params: jaxnet.Params,
    rates: jax.Array,
    images: jax.Array,
    targets: jax.Array,
    order: jax.Array,
    direction: jax.Array,
    *,
    batch_size: int,
    config: Config,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Plain descent of every network at its own rate, all on the same batches: cost, sharpness and its error.

    Each is measured over all the images, at the start and every so many steps: (1 + steps / every, networks).
    """

    def cost(params: jaxnet.Params) -> jax.Array:
        return jaxnet.cost(params, images, targets)

    def measure(state: jaxnet.State) -> tuple[jax.Array, jax.Array, jax.Array]:
        found = calculus.sharpness(cost, state.params, direction, iterations=config.iterations)
        return cost(state.params), found.value, found.error

    def one_network(params: jaxnet.Params, rate: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        choices = {"batch_size": batch_size, "steps": config.steps, "every": config.every, "look": measure}
        return jaxnet.descend(order, params, images, targets, optax.sgd(rate), **choices)[1]

    return jax.vmap(one_network, out_axes=1)(params, rates)


def settled(sharpness: np.ndarray, rates: tuple[float, ...]) -> np.ndarray:
    """Sharpness as a share of 2/rate, the mean over the second half of the steps: (rates, seeds)."""
    second_half = sharpness[len(sharpness) // 2 :]
    return second_half.mean(axis=0) * np.array(rates)[:, None] / 2


def main() -> None:
    """The command line."""
    script.main("edge_of_stability", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
