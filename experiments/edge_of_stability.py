"""How steep may the valley be before careful steps start to jump from wall to wall?

    python -m experiments.edge_of_stability

On a bowl of curvature lambda, gradient descent overshoots further with every step once lambda is above 2/rate. The
lecture's network makes its own valley sharper as it rolls down, until it gets there, and then it stays at this edge.
Three rates, three networks for each, with the first 10,000 training images for every step, and again with batches of
100 of them. Some two minutes on two cores. At rates 4 and 5 the sharpness of every network is within 3 % of 2/rate in
the second half of 1,000 full-batch steps; at rate 3 it touches its edge and falls below it, and with batches of 100
it stays 39 % lower.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from tqdm import tqdm

import jaxnet
from experiments import drawing, networks, script, tables


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
    script.check_at_least(config, batch_size=1, steps=1, every=1, iterations=1, seeds=1)
    if len(config.rates) < 1:
        raise ValueError("rates is empty; give at least one")
    for rate in config.rates:
        if not 0 < rate < math.inf:
            raise ValueError(f"rate is {rate}; it must be a finite number above zero, for its edge is 2/rate")
    if config.steps < 2 * config.every or config.steps % config.every:
        raise ValueError(
            f"steps is {config.steps}; it must be a multiple of every, {config.every}, and twice it or more"
        )
    train, _, classes = script.load(config.data, config.limit)
    n, n_in = train.images.shape
    if config.batch_size >= n:
        raise ValueError(f"batch_size is {config.batch_size}; a mini-batch has fewer than all {n} images")
    start, order, look = jax.random.split(jax.random.key(config.seed), 3)
    sizes = (n_in, *config.hidden, classes)
    params, rates = networks.at_rates(networks.initial(start, sizes, config.seeds), config.rates)
    examples = jnp.asarray(train.images), jaxnet.one_hot(train.labels, classes)
    results: script.Record = {"n": n, "rates": config.rates, "arms": []}
    for batch_size in (n, config.batch_size):
        arm = descend(config, params, jnp.asarray(rates), examples, order, look, batch_size)
        if not (np.isfinite(arm["cost"]) & np.isfinite(arm["sharpness"])).all():
            raise script.Stopped(
                f"{tables.batch_name(batch_size, n)}: the cost is no longer finite: try smaller rates", {}
            )
        results["arms"].append(arm)
    for arm in results["arms"]:
        arm["settled"] = settled(np.array(arm["sharpness"]), config.rates)
    print_tables(results)
    return results


def descend(
    config: Config,
    params: jaxnet.Params,
    rates: jax.Array,
    examples: tuple[jax.Array, jax.Array],
    order: jax.Array,
    look: jax.Array,
    batch_size: int,
) -> script.Record:
    """Steps, and at every look the cost and the sharpness of each network: (looks, rates, seeds)."""
    n = len(examples[0])
    looks = config.steps // config.every
    found = []
    batches = orders(order, n, batch_size, config.every)
    for count in tqdm(range(looks + 1), desc=f"batches of {batch_size:,}", unit="look", leave=False, disable=None):
        if count:
            params = walk(params, rates, *examples, next(batches), batch_size=batch_size)
        found.append(jax.device_get(measure(params, *examples, look, iterations=config.iterations)))
    shape = (looks + 1, len(config.rates), config.seeds)
    cost, sharpness, error = (np.array(column).reshape(shape) for column in zip(*found, strict=True))
    return {
        "batch_size": batch_size,
        "steps": config.every * np.arange(looks + 1),
        "cost": cost,
        "sharpness": sharpness,
        "error": error,
    }


def orders(key: jax.Array, n: int, batch_size: int, steps: int) -> Iterator[jax.Array]:
    """Orders of examples, endlessly, each enough for so many steps: a row for each call of `jaxnet.epoch`."""
    if batch_size == n:
        while True:
            yield jnp.tile(jnp.arange(n), (steps, 1))
    rest, epoch = np.array([], int), 0
    while True:
        while len(rest) < steps * batch_size:
            rest = np.concatenate([rest, jax.random.permutation(jax.random.fold_in(key, epoch), n)])
            epoch += 1
        yield jnp.asarray(rest[: steps * batch_size])[None]
        rest = rest[steps * batch_size :]


@functools.partial(jax.jit, static_argnames="batch_size")
def walk(
    params: jaxnet.Params,
    rates: jax.Array,
    images: jax.Array,
    targets: jax.Array,
    orders: jax.Array,
    batch_size: int,
) -> jaxnet.Params:
    """Plain gradient descent of every network at its own rate, on the same batches."""

    def one_network(params: jaxnet.Params, rate: jax.Array) -> jaxnet.Params:
        optimizer = optax.sgd(rate)
        gradient = jax.grad(jaxnet.cost)

        def epoch(state: jaxnet.State, order: jax.Array) -> tuple[jaxnet.State, None]:
            kinds = {"batch_size": batch_size, "optimizer": optimizer, "gradient": gradient}
            return jaxnet.epoch(state, images, targets, order, **kinds), None

        return jax.lax.scan(epoch, jaxnet.State(params, optimizer.init(params)), orders)[0].params

    return jax.vmap(one_network)(params, rates)


@functools.partial(jax.jit, static_argnames="iterations")
def measure(
    params: jaxnet.Params, images: jax.Array, targets: jax.Array, key: jax.Array, iterations: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Cost, sharpness and its error, of every network, over all the images."""

    def cost(params: jaxnet.Params) -> jax.Array:
        return jaxnet.cost(params, images, targets)

    def one_network(params: jaxnet.Params) -> tuple[jax.Array, jax.Array, jax.Array]:
        found = jaxnet.sharpness(cost, params, key, iterations=iterations)
        return cost(params), found.value, found.error

    return jax.vmap(one_network)(params)


def settled(sharpness: np.ndarray, rates: tuple[float, ...]) -> np.ndarray:
    """Sharpness as a share of 2/rate, the mean over the second half of the steps: (rates, seeds)."""
    second_half = sharpness[len(sharpness) // 2 :]
    return second_half.mean(axis=0) * np.array(rates)[:, None] / 2


def print_tables(results: script.Record) -> None:
    """Where each rate's sharpness began, peaked and settled; then the verdict."""
    seeds = len(results["arms"][0]["cost"][0][0])
    for arm in results["arms"]:
        steps, sharpness, cost = (np.array(arm[key]) for key in ("steps", "sharpness", "cost"))
        half = f"steps {steps[len(steps) // 2]} to {steps[-1]}"
        name = tables.batch_name(arm["batch_size"], results["n"])
        print(f"\nSharpness, {name}, mean ± standard deviation over {seeds} networks\n")
        rows = []
        for index, rate in enumerate(results["rates"]):
            share = np.array(arm["settled"][index])
            rows.append(
                [
                    f"rate {rate:g}",
                    f"{2 / rate:.3f}",
                    tables.spread(sharpness[0, index], "{:.3f}".format),
                    tables.spread(share * 2 / rate, "{:.3f}".format),
                    ", ".join(f"{100 * each:.0f}" for each in share),
                    tables.spread(cost[-1, index], "{:.3f}".format),
                ]
            )
        worst = 100 * np.max(np.array(arm["error"])) / np.max(sharpness)
        tables.table(["", "2/rate", "at the start", f"mean of {half}", "in % of 2/rate, each", "cost at the end"], rows)
        print(f"Each is as close to an eigenvalue of the Hessian as {worst:.1f} % of the largest sharpness here.")
    print("\n" + conclusion(results))


def conclusion(results: script.Record, within: float = 0.15) -> str:
    """One sentence, computed from the numbers: which rates settled at the edge."""
    full, mini = results["arms"]
    rates = results["rates"]
    at_edge = [f"{rate:g}" for rate, each in zip(rates, full["settled"], strict=True) if all(abs(each - 1) <= within)]
    below = 100 * (1 - np.mean(mini["settled"]) / np.mean(full["settled"]))
    name = tables.batch_name(mini["batch_size"], results["n"])
    return (
        f"With full batches the sharpness of every network settled within {100 * within:.0f} % of 2/rate at"
        f" {len(at_edge)} of {len(rates)} rates{': ' * bool(at_edge)}{' and '.join(at_edge)};"
        f" with {name} it was {abs(below):.0f} % {'lower' if below > 0 else 'higher'}."
    )


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Sharpness and cost against steps, one column for each rate."""
    results = record["results"]
    if "rates" not in results:
        return []
    rates = results["rates"]
    figure, axes = plt.subplots(
        2,
        len(rates),
        figsize=(3.6 * len(rates) + 0.6, 6.4),
        layout="constrained",
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    tops = []
    for index, rate in enumerate(rates):
        for arm, (colour, style) in zip(results["arms"], (("#0072b2", "-"), ("#d55e00", "-.")), strict=True):
            for row, key in enumerate(("sharpness", "cost")):
                curves = np.array(arm[key], float)[:, index]
                name = tables.batch_name(arm["batch_size"], results["n"])
                drawing.band(axes[row, index], arm["steps"], curves, style, color=colour, label=name)
            tops.append(np.array(arm["sharpness"], float)[1:, index].max())
        axes[0, index].axhline(2 / rate, color="black", linewidth=1.2, linestyle="--", label="2/rate: the edge")
        axes[0, index].set_title(f"rate {rate:g}: the edge is at {2 / rate:.3g}", fontsize=11)
        axes[1, index].set(xlabel="steps", yscale="log")
    axes[0, 0].set(ylabel="sharpness (largest eigenvalue\nof the Hessian of the cost)")
    axes[0, 0].set_ylim(0, 1.15 * max(*tops, 2 / min(rates)))
    axes[1, 0].set(ylabel="cost on the training images")
    for each in axes.flat:
        each.grid(alpha=0.3)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    seeds = len(results["arms"][0]["cost"][0][0])
    figure.suptitle(
        f"Sharpness against the edge of stability (line: mean of {seeds} networks, band: lowest to highest)"
    )
    return [drawing.save_figure(figure, folder / "sharpness.png")]


def main() -> None:
    """The command line."""
    script.main("edge_of_stability", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
