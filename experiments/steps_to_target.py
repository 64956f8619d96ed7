"""Does a batch twice as large need half as many steps?

    python -m experiments.steps_to_target

Counts the steps that five copies of the lecture's network take to 85 % on held-out images, for batches of 1, 2, 4 ...
and all 10,000 images at once, each at the best of the constant learning rates that are tried side by side: the curve of
Shallue et al. 2019 (JMLR 20:112), for plain descent. Some 90 seconds on two cores. Up to batches of 16 a batch
twice as large needs nearly half as many steps; the bend, twice the steps of perfect scaling, lies at batches of 34 (23
to 44 over the networks); from 64 on it is a plateau of some 250 steps, where the full batch costs 420 times the
examples of batches of 1 for 24 times fewer steps.
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
from matplotlib.axes import Axes
from tqdm import tqdm

import jaxnet
from experiments import drawing, networks, script, tables


@dataclass(frozen=True)
class Config:
    """The choices."""

    goal: float = 85.0
    """Accuracy in percent, on held-out images, to be reached."""
    batch_sizes: tuple[int, ...] = ()
    """What to compare; where none are named, 1, 2, 4 ... and all images at once."""
    seeds: int = 5
    """Initial networks; every batch size and every rate starts from the same ones."""
    seed: int = 0
    """Decides the initial networks and the order of the examples."""
    rate: float = 0.25
    """Where the search for the best rate of the smallest batch begins."""
    factor: float = 2.0
    """Each rate that is tried is so many times the one below it."""
    max_steps: int = 20_000
    """Give up after so many steps."""
    max_epochs: int = 500
    """Give up when so many times as many examples have been seen as there are."""
    data: str = "mnist"
    """mnist (embedded), tfds:NAME for a set of tensorflow-datasets, or the path of an .npz file."""
    hidden: tuple[int, ...] = (16, 16)
    """Neurons in each hidden layer."""
    limit: int = 10_000
    """Train on the first so many training images."""
    held_out: int = 2_000
    """Judge by so many training images after those; no test image is touched."""


# Three are enough where the rate has settled, which is where steps are dear; where it grows with the batch they are
# cheap, and one grid more costs little.
RATES = 3
"""In one grid. Where the best lies at an end of all that were tried, as many again follow beyond it."""
WIDENINGS = 6
"""At most so often."""
PACE = 1.03
"""Each look at the accuracy comes after so many times the steps of the one before."""
DEPARTURE = 2.0
"""At the bend, steps are so many times those of perfect scaling."""
SAVED = 0.1
"""On the plateau, no doubling of the batch saves a larger share of the steps."""
SCALES = 0.4
"""There is a bend only where some doubling before it saves this share; half would be perfect scaling."""


def run(config: Config, _folder: Path) -> script.Record:
    """Finds the best rate for every batch size, and from the steps that it takes the bend and the plateau."""
    check(config)
    everything, _, classes = script.load(config.data, None)
    n, available = config.limit, len(everything.images)
    if n + config.held_out > available:
        raise ValueError(
            f"limit is {n} and held_out is {config.held_out}, together more than the {available} training images"
        )
    batch_sizes = sorted(set(config.batch_sizes)) or [*(2**i for i in range(n.bit_length()) if 2**i < n), n]
    for batch_size in batch_sizes:
        if not 1 <= batch_size <= n:
            raise ValueError(f"batch_sizes has {batch_size}; each must be between 1 and {n}, the training images used")
    train, held_out = (
        jaxnet.Dataset(jnp.asarray(everything.images[rows]), jnp.asarray(everything.labels[rows]))
        for rows in (slice(n), slice(n, n + config.held_out))
    )
    start, order = jax.random.split(jax.random.key(config.seed))
    params = networks.initial(start, (train.images.shape[1], *config.hidden, classes), config.seeds)
    params = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (RATES, *leaf.shape)), params)
    at_start = 100 * float(_accuracies(params, held_out).max())
    if at_start >= config.goal:
        raise ValueError(f"goal is {config.goal}; a network is at {at_start:.2f} % before its first step: raise it")

    rows: list[script.Record] = []
    for batch_size in tqdm(batch_sizes, unit="batch size", leave=False, disable=None):
        guess = rows[-1]["best"] if rows else 0  # the best exponent of the batch before
        rows.append(tune(config, batch_size, guess, params, train, held_out, order))
    reached = [row for row in rows if np.isfinite(row["steps"]).all()]
    results = {"n": n, "goal": config.goal, "rows": rows}
    if len(reached) > 1:
        sizes, steps = [row["batch_size"] for row in reached], np.array([row["steps"] for row in reached])
        results["curve"] = curve(sizes, steps.mean(axis=1))
        results["bends"] = [curve(sizes, of_one)["bend"] for of_one in steps.T]
    print_steps(results)
    return results


def check(config: Config) -> None:
    """Raises ValueError, naming the choice, where one makes no sense."""
    script.check_at_least(config, seeds=1, max_steps=1, max_epochs=1, limit=1, held_out=1)
    if not 0 < config.goal <= 100:
        raise ValueError(f"goal is {config.goal}; it must be an accuracy in percent, above 0 and up to 100")
    if not 0 < config.rate < math.inf:
        raise ValueError(f"rate is {config.rate}; the search begins at a finite number above 0")
    if not 1 < config.factor < math.inf:
        raise ValueError(f"factor is {config.factor}; it must be a finite number above 1")


def tune(
    config: Config,
    batch_size: int,
    guess: int,
    params: jaxnet.Params,
    train: jaxnet.Dataset,
    held_out: jaxnet.Dataset,
    order: jax.Array,
) -> script.Record:
    """Grid after grid of rates, rate * factor^exponent, until the best one has a worse one on either side of it.

    The best takes the fewest steps to the goal, the mean over the networks, and counts only where all of them get
    there. Where no rate brings them all there, it is the one that gets them furthest.
    """
    max_steps = min(config.max_steps, max(1, config.max_epochs * len(train.images) // batch_size))
    tried: dict[int, tuple[np.ndarray, float]] = {}
    best, first = guess, guess - RATES // 2
    for _ in range(1 + WIDENINGS):
        exponents = range(first, first + RATES)
        rates = jnp.asarray([config.rate * config.factor**exponent for exponent in exponents], jnp.float32)
        looks = descend(params, rates, train, held_out, order, batch_size, max_steps)
        steps, accuracy = steps_to(config.goal, looks, tried[best][0].mean() if tried else math.nan)
        tried |= dict(zip(exponents, zip(steps, accuracy.mean(axis=1), strict=True), strict=True))
        best = min(tried, key=lambda each: (np.nan_to_num(tried[each][0].mean(), nan=math.inf), -tried[each][1]))
        if min(tried) < best < max(tried):
            break
        first = best + 1 if best == max(tried) else best - RATES
    ladder = sorted(tried)
    return {
        "batch_size": batch_size,
        "best": best,
        "rate": config.rate * config.factor**best,
        "steps": tried[best][0],
        "accuracy": tried[best][1],
        "max_steps": max_steps,
        "rates": [config.rate * config.factor**exponent for exponent in ladder],
        "steps_at_rates": [tried[exponent][0] for exponent in ladder],
        "at_end": best in (ladder[0], ladder[-1]),
    }


def descend(
    params: jaxnet.Params,
    rates: jax.Array,
    train: jaxnet.Dataset,
    held_out: jaxnet.Dataset,
    key: jax.Array,
    batch_size: int,
    max_steps: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Plain descent of networks (rates, seeds), all with the same batches: steps taken, accuracies (%) by then.

    What an epoch has left over when no whole batch can be made of it is skipped, so that every step is worth the same.
    """
    n = len(train.images)
    targets = jaxnet.one_hot(train.labels, jaxnet.sizes_of(params)[-1])
    params = jax.tree.map(jnp.copy, params)
    shuffled, steps, steps_an_epoch = jnp.arange(n), 0, n // batch_size
    yield steps, 100 * np.asarray(_accuracies(params, held_out))
    while steps < max_steps:
        next_look = min(max(steps + 1, int(PACE * steps)), max_steps)
        while steps < next_look:
            epoch, first = divmod(steps, steps_an_epoch)
            if first == 0 and batch_size < n:
                shuffled = jax.random.permutation(jax.random.fold_in(key, epoch), n)
            some = min(next_look - steps, steps_an_epoch - first)
            params = _walk(params, rates, train.images, targets, shuffled, first, some, batch_size=batch_size)
            steps += some
        yield steps, 100 * np.asarray(_accuracies(params, held_out))


@functools.partial(jax.jit, static_argnames="batch_size", donate_argnames="params")
def _walk(
    params: jaxnet.Params,
    rates: jax.Array,
    images: jax.Array,
    targets: jax.Array,
    order: jax.Array,
    first: int,
    steps: int,
    *,
    batch_size: int,
) -> jaxnet.Params:
    # The number of steps is a traced one, so that stretches of all lengths are compiled once.
    def one_step(step: jax.Array, params: jaxnet.Params) -> jaxnet.Params:
        batch = jax.lax.dynamic_slice_in_dim(order, (first + step) * batch_size, batch_size)

        def one_network(params: jaxnet.Params, rate: jax.Array) -> jaxnet.Params:
            optimizer = optax.sgd(rate)
            state = jaxnet.State(params, optimizer.init(params))
            gradient = jax.grad(jaxnet.cost)
            return jaxnet.epoch(
                state, images, targets, batch, batch_size=batch_size, optimizer=optimizer, gradient=gradient
            ).params

        return jax.vmap(jax.vmap(one_network, in_axes=(0, None)))(params, rates)

    return jax.lax.fori_loop(0, steps, one_step, params)


@jax.jit
def _accuracies(params: jaxnet.Params, data: jaxnet.Dataset) -> jax.Array:
    return jax.vmap(jax.vmap(lambda one: jaxnet.accuracy(one, *data)))(params)


def steps_to(
    goal: float, looks: Iterator[tuple[int, np.ndarray]], fewest: float = math.nan
) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the goal and last accuracies (rates, networks), from looks at the steps taken and the accuracies.

    The goal is reached on the straight line between two looks. They end as soon as no rate can get all its networks
    there in a smaller mean than another has, or than `fewest`; what was not reached by then is NaN.
    """
    last, before = next(looks)
    reached, now = np.where(before >= goal, 0.0, np.nan), before
    for steps, now in looks:
        newly = np.isnan(reached) & (now >= goal)
        reached[newly] = last + (steps - last) * (goal - before[newly]) / (now[newly] - before[newly])
        at_least = np.where(np.isnan(reached), steps, reached).mean(axis=1)
        done = np.isfinite(reached).all(axis=1)
        fewest = np.fmin(fewest, np.min(at_least[done], initial=math.inf))
        if (done | (at_least >= fewest)).all():
            break
        last, before = steps, now
    return reached, now


def curve(batch_sizes: list[int], steps: np.ndarray) -> script.Record:
    """Perfect scaling, bend and plateau of steps against batch sizes, by rules; nothing is fitted.

    Perfect scaling is the fewest examples to the goal at any batch size. At the bend the steps are DEPARTURE times
    those of perfect scaling, on the straight line between two batch sizes on logarithmic axes; for steps =
    S (1 + B / batch), with 1 the smallest batch, that is B + 2. On the plateau no doubling of the batch saves more than
    the share SAVED of the steps. Where the batch sizes do not show it, bend or plateau is None.
    """
    sizes = np.array(batch_sizes, float)
    examples = sizes * steps
    excess = examples / examples.min()
    inside = np.flatnonzero(excess <= DEPARTURE)[-1]
    # A pair is a batch size and the next one that is at least its double, for a smaller step would show noise alone.
    pairs = [(i, int(np.argmax(sizes >= 2 * size))) for i, size in enumerate(sizes) if sizes[-1] >= 2 * size]
    saved = np.array([1 - (steps[j] / steps[i]) ** (1 / np.log2(sizes[j] / sizes[i])) for i, j in pairs])
    bend = plateau = None
    if inside + 1 < len(sizes) and (saved[:inside] >= SCALES).any():
        two = slice(inside, inside + 2)
        bend = float(np.exp(np.interp(np.log(DEPARTURE), np.log(excess[two]), np.log(sizes[two]))))
    flat = int(np.max(np.flatnonzero(saved > SAVED), initial=-1)) + 1
    if flat < len(saved):
        plateau = {"from": batch_sizes[flat], "steps": float(np.mean(steps[flat:]))}
    return {"examples": float(examples.min()), "bend": bend, "plateau": plateau}


def print_steps(results: script.Record) -> None:
    """A table, a line for every batch size that did not get there, and the conclusion."""
    rows, perfect = results["rows"], results.get("curve", {}).get("examples", math.nan)
    seeds = len(rows[0]["steps"])
    print(f"To {results['goal']:g} % of the held-out images, mean ± standard deviation over {seeds} networks\n")
    tables.table(
        ["batch size", "best rate", "steps", "times perfect scaling", "examples"],
        [
            [
                f"{row['batch_size']:,}",
                f"{row['rate']:g}",
                tables.spread(row["steps"]),
                tables.spread([np.mean(row["steps"]) * row["batch_size"] / perfect], none=""),
                tables.spread(row["batch_size"] * np.array(row["steps"])),
            ]
            for row in rows
        ],
    )
    print()
    for row in rows:
        name = tables.batch_name(row["batch_size"], results["n"]).capitalize()
        if not np.isfinite(row["steps"]).all():
            print(
                f"{name}: no rate from {row['rates'][0]:g} to {row['rates'][-1]:g} took every network to the goal in"
                f" {row['max_steps']:,} steps; closest was {row['rate']:g}, to a mean of {row['accuracy']:.2f} %."
            )
        elif row["at_end"]:
            print(f"{name}: the best rate, {row['rate']:g}, lies at the end of those tried: start from another --rate.")
    print(conclusion(results))


def conclusion(results: script.Record) -> str:
    """Where the bend and the plateau lie, and what the largest batch is good for, from the numbers."""
    rows = [row for row in results["rows"] if np.isfinite(row["steps"]).all()]
    if "curve" not in results:
        return (
            f"{len(rows)} of {len(results['rows'])} batch sizes reached the goal; a curve needs two:"
            " lower --goal or name more --batch-sizes."
        )
    bend, plateau = results["curve"]["bend"], results["curve"]["plateau"]
    small, large = rows[0], rows[-1]
    steps = [np.mean(row["steps"]) for row in (small, large)]
    names = [tables.batch_name(row["batch_size"], results["n"]) for row in (small, large)]
    if bend is None:
        parts = ["No bend shows among these batch sizes."]
    else:
        bends = [each for each in results["bends"] if each is not None] or [bend]
        parts = [
            f"The bend, where steps are {DEPARTURE:g} times those of perfect scaling, lies at batches of"
            f" {bend:.0f} ({min(bends):.0f} to {max(bends):.0f} over the networks)."
        ]
    parts.append(
        "No plateau shows among these batch sizes."
        if plateau is None
        else f"The plateau begins at batches of {plateau['from']:,}: from there on no doubling saves more than"
        f" {100 * SAVED:g} % of the steps, some {tables.number(plateau['steps'])} remain."
    )
    parts.append(
        f"{names[1].capitalize()} instead of {names[0]} takes {tables.number(steps[0] / steps[1])} times fewer steps"
        f" and {tables.number(large['batch_size'] * steps[1] / small['batch_size'] / steps[0])} times the examples."
    )
    return " ".join(parts)


def figures(record: script.Record, folder: Path) -> list[Path]:
    """Draws steps, examples and best rates against the batch size."""
    results = record["results"]
    return [draw_steps(results, folder / "steps.png")] if "curve" in results else []


def draw_steps(results: script.Record, path: Path) -> Path:
    """Steps on the left; on the right the same as examples, and the rates."""
    rows = [row for row in results["rows"] if None not in row["steps"]]
    sizes = np.array([row["batch_size"] for row in rows], float)
    steps = np.array([row["steps"] for row in rows])
    perfect, bend, plateau = (results["curve"][name] for name in ("examples", "bend", "plateau"))
    ends = sizes[[0, -1]]
    figure, axes = plt.subplot_mosaic("aab;aac", figsize=(11.5, 6.5), layout="constrained")
    left, above, below = (axes[name] for name in "abc")

    measured = f"measured, each batch size at its best rate\n(mean and deviation of {steps.shape[1]} networks)"
    draw_spread(left, sizes, steps, label=measured)
    draw_spread(above, sizes, sizes[:, None] * steps)
    left.plot(ends, perfect / ends, "--", color="#0072b2", label=f"perfect scaling: {perfect:,.0f} examples")
    above.axhline(perfect, linestyle="--", color="#0072b2")
    if plateau is not None:
        label = f"plateau: {plateau['steps']:.0f} steps, from batches of {plateau['from']:,} on"
        left.axhline(plateau["steps"], linestyle="-.", color="#009e73", label=label)
        above.plot(ends, plateau["steps"] * ends, "-.", color="#009e73")
    if bend is not None:
        height = np.exp(np.interp(np.log(bend), np.log(sizes), np.log(steps.mean(axis=1))))
        ring = {"markersize": 14, "markeredgewidth": 2.5, "markerfacecolor": "none", "color": "#d55e00"}
        left.plot(
            bend, height, "o", label=f"bend at {bend:.0f}: {DEPARTURE:g} times the steps of perfect scaling", **ring
        )
        above.plot(bend, bend * height, "o", **ring)
    left.set_ylim(0.5 * steps.min(), 2 * steps.max())
    left.set(ylabel=f"steps to {results['goal']:g} % accuracy on held-out images", title="Steps")
    left.legend(loc="upper right")
    above.set_ylim(0.5 * perfect, 2 * (sizes[:, None] * steps).max())
    above.set(ylabel="examples seen", title="The same, counted in examples")

    tried = [(row["batch_size"], rate) for row in rows for rate in row["rates"]]
    below.plot(*zip(*tried, strict=True), ".", color="grey", markersize=4, label="tried")
    rates = np.array([row["rate"] for row in rows])
    below.plot(sizes, rates, "o-", color="black", markersize=5, label="best")
    below.plot(ends, rates[0] / ends[0] * ends, "--", color="#0072b2", label="in proportion to the batch")
    below.set_ylim(0.6 * min(rate for _, rate in tried), 1.6 * max(rate for _, rate in tried))
    below.set(ylabel="learning rate", title="The best learning rate")
    below.legend(loc="lower right", fontsize=8)
    for each in axes.values():
        each.set(xscale="log", yscale="log", xlabel="batch size (images a step)")
        for axis in (each.xaxis, each.yaxis):
            axis.set_major_formatter(lambda value, _: tables.number(value))
        each.grid(alpha=0.3)
    figure.suptitle("Larger batches save steps up to a point; beyond it they only cost more examples")
    return drawing.save_figure(figure, path)


def draw_spread(axes: Axes, along: np.ndarray, values: np.ndarray, label: str | None = None) -> None:
    """Mean over the networks, with their standard deviation as error bars."""
    deviation = values.std(axis=1, ddof=1) if values.shape[1] > 1 else None
    axes.errorbar(along, values.mean(axis=1), deviation, fmt="o-", color="black", markersize=5, capsize=3, label=label)


def main() -> None:
    """The command line."""
    script.main("steps_to_target", __doc__, Config, run, figures)


if __name__ == "__main__":
    main()
