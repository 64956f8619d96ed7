"""Careful steps or a drunk walk: what do the two look like from above?

    python -m experiments.drunk_walk

From the same random start, the lecture's network walks downhill with all 60,000 images for every step, and with random
batches of 1,000, 100 and 10. The walks are drawn on the plane that they stray from least, over the cost on that plane;
around the ends of two of them the cost is drawn on planes of random directions. And the drunkenness is measured: the
angle between the gradient of a batch and that of all images, the noise scale, the length of the way over the distance
from its start. Some 70 seconds on two cores. Over --seed 0 to 4 the walk with batches of 10 is 19.7 ± 0.5 times as long
as it leads far, that of the full batch 5.1 ± 0.9 times, and it needs a four hundredth of the examples.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxnet
from experiments.common import script, tables
from experiments.common.arms import Arm, parse_arms
from experiments.common.choices import ChoiceError, check_at_least, check_at_most, random_key, refused
from experiments.reports import drunk_walk as report
from jaxnet import calculus, landscape
from jaxnet.memory import check_fits

Examples = tuple[jax.Array, jax.Array]


@dataclass(frozen=True)
class Config:
    """The choices."""

    arms: tuple[str, ...] = ("full:5:400", "1000:6:7", "100:4:1", "10:0.25:1")
    """The walks, each as BATCH:RATE:EPOCHS; the rates are those that full_batch_vs_sgd --tune found."""
    points: int = 100
    """About so many points of each walk are kept for the picture; its length is measured step by step."""
    close_steps: int = 100
    """Single steps, from the middle of the walk with the smallest batches, that are drawn from close by."""
    drunks: int = 4
    """How many walks with small batches start there, each with other batches."""
    stages: int = 6
    """Points of the walk with the smallest batches, spread from the first to the last, where the noise is measured."""
    batches: int = 30
    """Random batches of each size that are compared with the gradient of all the images at each of these points."""
    grid: int = 41
    """Points along each side of a plane."""
    plane_images: int = 5_000
    """Training images that the cost on a plane is the mean of."""
    seed: int = 0
    """Decides the initial network, the batches, and the random directions."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int | None = None
    """Only the first so many training and test images."""


def run(config: Config, _folder: Path) -> script.Record:
    """Descends in every way, then computes the cost on the planes, then measures the noise."""
    check_at_least(config, points=3, close_steps=2, drunks=1, stages=2, batches=2, grid=2, plane_images=1)
    check_at_most(config, points=10_000, close_steps=10_000, drunks=1_000, stages=10_000, batches=100_000)
    train, test, classes = script.load(config.data, config.limit)
    arms = sorted(parse_arms(config.arms, len(train.images), ["sgd"]), key=lambda arm: -arm.batch_size)
    if not all(arm.rate for arm in arms):
        raise ChoiceError("arms has one with the rate 0; that is no walk")
    start, order, again, directions, draws = jax.random.split(random_key(config.seed), 5)
    calculus.check_grid(config.grid, config.grid, numbers=1)
    with refused():
        params = jaxnet.init(start, (train.images.shape[1], *config.hidden, classes))
    kept = jaxnet.count_params(params) * (len(arms) * config.points + (1 + config.drunks) * config.close_steps)
    check_fits("all the points of the walks", 4.0 * kept)
    examples = jnp.asarray(train.images), jaxnet.one_hot(train.labels, classes)
    some = examples[0][: config.plane_images], examples[1][: config.plane_images]

    trajectories, results = [], {"n": len(train.images), "arms": []}
    for arm in arms:
        trajectory, measured = descend(config, arm, params, examples, test, order)
        trajectories.append(trajectory)
        results["arms"].append(measured)
    results["above"] = principal_plane(config, trajectories, some)
    results["close"] = close_up(config, trajectories[-1], arms[-1], examples, some, again)
    results["ends"] = [around_the_end(config, trajectories[i], arms[i], directions, some) for i in (0, -1)]
    results["stages"] = measure_noise(config, trajectories[-1], results["arms"][-1]["steps"], examples, draws)
    return results


def descend(
    config: Config, arm: Arm, params: jaxnet.Params, examples: Examples, test: jaxnet.Dataset, key: jax.Array
) -> tuple[jaxnet.Params, script.Record]:
    """The trajectory of one arm, and what was measured: at each of its points, and at its end."""
    n = len(examples[0])
    steps = arm.epochs * n // arm.batch_size
    every = max(1, steps // config.points)
    steps -= steps % every
    choices = {"batch_size": arm.batch_size, "steps": steps, "every": every}
    trajectory, lengths = plain_descent(key, params, examples, arm.rate, **choices)
    displacement = jax.vmap(lambda point: optax.tree.norm(jax.tree.map(jnp.subtract, point, params)))(trajectory)
    if not np.isfinite(displacement).all():
        name = tables.batch_name(arm.batch_size, n)
        raise script.Stopped(f"{name}: rate {arm.rate:g} is too large, the cost is infinite", {})
    return trajectory, {
        "batch_size": arm.batch_size,
        "rate": arm.rate,
        "steps": np.arange(0, steps + 1, every),
        "length": lengths,
        "displacement": displacement,
        "test_accuracy": float(jax.jit(jaxnet.accuracy)(point_of(trajectory, -1), test.images, test.labels)),
    }


@functools.partial(jax.jit, static_argnames=("batch_size", "steps", "every", "order"))
def plain_descent(
    key: jax.Array, params: jaxnet.Params, examples: Examples, rate: jax.Array | float, **choices: Any
) -> tuple[jaxnet.Params, jax.Array]:
    """The parameters at the start and after every so many steps, and the length of the way until there.

    `choices` are those of `jaxnet.descend`: batch_size, steps, every, order.
    """
    return jaxnet.descend(
        key,
        params,
        *examples,
        optax.chain(optax.sgd(rate), landscape.measure_length()),
        look=lambda state: (state.params, optax.tree.get(state.optimizer_state, "length")),
        gradient=jaxnet.in_chunks(jax.grad(jaxnet.cost), 2_000),
        **choices,
    )[1]


def point_of(trajectory: jaxnet.Params, index: int) -> jaxnet.Params:
    """The parameters at one point of a trajectory."""
    return jax.tree.map(lambda leaf: leaf[index], trajectory)


def principal_plane(config: Config, trajectories: list[jaxnet.Params], examples: Examples) -> script.Record:
    """The plane that all the trajectories stray from least, where they lie on it, and the cost on it."""
    found = landscape.pca_plane(jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *trajectories))
    coordinates = np.asarray(found.coordinates)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = 0.12 * (high - low)
    xs, ys = np.linspace(low - margin, high + margin, config.grid, dtype=np.float32).T
    ends = np.cumsum([len(trajectory[0].biases) for trajectory in trajectories])[:-1]
    return {
        "explained": found.explained,
        "coordinates": np.split(coordinates, ends),
        "xs": xs,
        "ys": ys,
        "cost": cost_on_plane(found.plane, *examples, jnp.asarray(xs), jnp.asarray(ys)),
    }


def close_up(
    config: Config, trajectory: jaxnet.Params, arm: Arm, examples: Examples, some: Examples, key: jax.Array
) -> script.Record:
    """Single steps from the middle of a trajectory: with all images, and several times with small batches."""
    start = point_of(trajectory, len(trajectory[0].biases) // 2)
    epochs = -(-config.close_steps * arm.batch_size // len(examples[0]))

    def drawn(key: jax.Array, epoch: jax.Array, n: int) -> jax.Array:
        return jax.random.randint(key, (epochs, n), 0, n)[epoch]

    def from_there(key: jax.Array, batch_size: int, **order: Any) -> jaxnet.Params:
        choices = {"batch_size": batch_size, "steps": config.close_steps, "every": 1}
        return plain_descent(key, start, examples, arm.rate, **choices, **order)[0]

    careful = from_there(key, len(examples[0]))
    drunk = [from_there(one, arm.batch_size, order=drawn) for one in jax.random.split(key, config.drunks)]
    return principal_plane(config, [careful, *drunk], some) | {"batch_size": arm.batch_size, "rate": arm.rate}


def around_the_end(
    config: Config, trajectory: jaxnet.Params, arm: Arm, key: jax.Array, examples: Examples
) -> script.Record:
    """The cost around the end of a trajectory, on a plane of two random directions with normalised filters."""
    end = point_of(trajectory, -1)
    plane = landscape.Plane(end, *(landscape.random_direction(one, end) for one in jax.random.split(key)))
    along = jnp.linspace(-1, 1, config.grid)
    return {"batch_size": arm.batch_size, "along": along, "cost": cost_on_plane(plane, *examples, along, along)}


@jax.jit
def cost_on_plane(
    plane: landscape.Plane, images: jax.Array, targets: jax.Array, xs: jax.Array, ys: jax.Array
) -> jax.Array:
    """The cost at every point of a grid on the plane, (ys, xs)."""

    def cost(point: jax.Array) -> jax.Array:
        return jaxnet.cost(landscape.on_plane(plane, point), images, targets)

    return calculus.on_grid(cost, xs, ys, at_once=1)


def measure_noise(
    config: Config, trajectory: jaxnet.Params, steps: np.ndarray, examples: Examples, key: jax.Array
) -> list[script.Record]:
    """Noise scale, and the angle between the gradients of batches and of all the images, at stages of a trajectory."""
    n, last = len(examples[0]), len(steps) - 1
    later = np.unique(np.geomspace(1, last, config.stages - 1).round().astype(int))
    sizes = [size for size in 10 ** np.arange(6) if size < n]
    stages = []
    for point in (0, *later):
        params = point_of(trajectory, point)
        noise = jax.jit(landscape.noise_scale)(params, *examples)
        full = float(optax.tree.norm(noise.mean)) ** 2
        keys = jax.random.split(jax.random.fold_in(key, point), len(sizes))
        cosines = [
            cosines_of_batches(params, *examples, noise.mean, jax.random.split(one, config.batches), batch_size=int(b))
            for one, b in zip(keys, sizes, strict=True)
        ]
        stages.append(
            {
                "steps": steps[point],
                "noise_scale": noise.scale,
                "standard_error": noise.standard_error,
                "trace": noise.trace,
                "full_gradient": full**0.5,
                "batch_sizes": sizes,
                "cosines": cosines,
                "expected": 1 / np.sqrt(1 + float(noise.trace) / full / np.array(sizes)),
            }
        )
    return stages


@functools.partial(jax.jit, static_argnames="batch_size")
def cosines_of_batches(
    params: jaxnet.Params, images: jax.Array, targets: jax.Array, full: jaxnet.Params, keys: jax.Array, batch_size: int
) -> jax.Array:
    """The cosine of the angle between the gradient of a random batch and the full gradient, for each key."""

    def one(key: jax.Array) -> jax.Array:
        batch = jax.random.randint(key, (batch_size,), 0, len(images))
        return landscape.cosine(jax.grad(jaxnet.cost)(params, images[batch], targets[batch]), full)

    return jax.lax.map(one, keys)


def main() -> None:
    """The command line."""
    script.main("drunk_walk", __doc__, Config, run, report)


if __name__ == "__main__":
    main()
