"""The fewest steps to a goal: plain descent at grid after grid of constant rates, batch size after batch size."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from tqdm import tqdm

import jaxnet
from experiments.common import script
from experiments.common.choices import ChoiceError
from experiments.common.parts import Keep
from jaxnet.order import shuffled

# Three are enough where the rate has settled, which is where steps are dear; where it grows with the batch they are
# cheap, and one grid more costs little.
RATES = 3
"""In one grid. Where the best lies at an end of all that were tried, as many again follow beyond it."""
WIDENINGS = 6
"""At most so often."""
PACE = 1.03
"""Each evaluation comes after so many times the steps of the one before."""


@dataclass(frozen=True)
class Search:
    """What is to be reached, where the search for the best rate begins, and when it gives up."""

    goal: float
    """Accuracy in percent on held-out images."""
    rate: float
    """The first one tried for the smallest batch."""
    factor: float
    """Each rate is so many times the one below it."""
    max_steps: int
    """It gives up after so many steps."""
    max_epochs: int
    """It gives up when so many times as many examples have been seen as there are."""


def doublings(n: int) -> list[int]:
    """Batches of 1, 2, 4 ... and all n examples."""
    return [*(2**i for i in range(n.bit_length()) if 2**i < n), n]


def fewest_steps(
    search: Search,
    batch_sizes: Sequence[int],
    params: jaxnet.Params,
    train: jaxnet.Dataset,
    held_out: jaxnet.Dataset,
    order: jax.Array,
    keep: Keep,
) -> list[script.Record]:
    """For each batch size, in rising order, what `tune` finds for these stacked networks; each is a part to keep.

    Raises ChoiceError where one of them is at the goal before its first step.
    """
    train, held_out = (jaxnet.Dataset(*map(jnp.asarray, data)) for data in (train, held_out))
    params = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (RATES, *leaf.shape)), params)
    at_start = 100 * float(_accuracies(params, held_out).max())
    if at_start >= search.goal:
        raise ChoiceError(f"goal is {search.goal}; a network is at {at_start:.2f} % before its first step: raise it")
    rows: list[script.Record] = []
    for batch_size in tqdm(batch_sizes, unit="batch size", leave=False, disable=None):
        guess = rows[-1]["best"] if rows else 0  # the best exponent of the batch before
        name = f"batches-of-{batch_size}"
        rows.append(keep(name, tune, search, batch_size, guess, params, train, held_out, order))
    return rows


def tune(
    search: Search,
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
    max_steps = min(search.max_steps, max(1, search.max_epochs * len(train.images) // batch_size))
    tried: dict[int, tuple[np.ndarray, float]] = {}
    best, first = guess, guess - RATES // 2
    for _ in range(1 + WIDENINGS):
        exponents = range(first, first + RATES)
        rates = jnp.asarray([search.rate * search.factor**exponent for exponent in exponents], jnp.float32)
        evaluations = descend(params, rates, train, held_out, order, batch_size, max_steps)
        steps, accuracy = steps_to(search.goal, evaluations, tried[best][0].mean() if tried else math.nan)
        tried |= dict(zip(exponents, zip(steps, accuracy.mean(axis=1), strict=True), strict=True))
        best = min(tried, key=lambda each: (np.nan_to_num(tried[each][0].mean(), nan=math.inf), -tried[each][1]))
        if min(tried) < best < max(tried):
            break
        first = best + 1 if best == max(tried) else best - RATES
    ladder = sorted(tried)
    return {
        "batch_size": batch_size,
        "best": best,
        "rate": search.rate * search.factor**best,
        "steps": tried[best][0],
        "accuracy": tried[best][1],
        "max_steps": max_steps,
        "rates": [search.rate * search.factor**exponent for exponent in ladder],
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
    n, steps = len(train.images), 0
    steps_an_epoch = n // batch_size
    targets = jaxnet.one_hot(train.labels, jaxnet.sizes_of(params)[-1])
    params, order = jax.tree.map(jnp.copy, params), jnp.arange(n)
    yield steps, 100 * np.asarray(_accuracies(params, held_out))
    while steps < max_steps:
        next_evaluation = min(max(steps + 1, int(PACE * steps)), max_steps)
        while steps < next_evaluation:
            epoch, first = divmod(steps, steps_an_epoch)
            if first == 0 and batch_size < n:
                order = shuffled(key, epoch, n)
            some = min(next_evaluation - steps, steps_an_epoch - first)
            params = _take_steps(params, rates, train.images, targets, order, first, some, batch_size=batch_size)
            steps += some
        yield steps, 100 * np.asarray(_accuracies(params, held_out))


@functools.partial(jax.jit, static_argnames="batch_size", donate_argnames="params")
def _take_steps(
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

        def one_network(params: Any, rate: jax.Array) -> jaxnet.Params:
            optimizer = optax.sgd(rate)
            state = jaxnet.State(params, optimizer.init(params))
            return jaxnet.epoch(state, images, targets, batch, batch_size=batch_size, optimizer=optimizer).params

        return jax.vmap(jax.vmap(one_network, in_axes=(0, None)))(params, rates)

    return jax.lax.fori_loop(0, steps, one_step, params)


@jax.jit
def _accuracies(params: jaxnet.Params, data: jaxnet.Dataset) -> jax.Array:
    return jax.vmap(jax.vmap(lambda one: jaxnet.accuracy(one, *data)))(params)


def steps_to(
    goal: float, evaluations: Iterator[tuple[int, np.ndarray]], fewest: float = math.nan
) -> tuple[np.ndarray, np.ndarray]:
    """Steps to the goal and last accuracies (rates, networks), from pairs of the steps taken and the accuracies.

    The goal is reached on the straight line between two evaluations. They end as soon as no rate can get all its
    networks there in a smaller mean than another has, or than `fewest`; what was not reached by then is NaN.
    """
    last, before = next(evaluations)
    reached, now = np.where(before >= goal, 0.0, np.nan), before
    for steps, now in evaluations:
        newly = np.isnan(reached) & (now >= goal)
        reached[newly] = last + (steps - last) * (goal - before[newly]) / (now[newly] - before[newly])
        at_least = np.where(np.isnan(reached), steps, reached).mean(axis=1)
        done = np.isfinite(reached).all(axis=1)
        fewest = np.fmin(fewest, np.min(at_least[done], initial=math.inf))
        if (done | (at_least >= fewest)).all():
            break
        last, before = steps, now
    return reached, now
